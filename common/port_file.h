// How a process that was told "port 0" tells whoever started it which ports it got.
#ifndef TUTTI_COMMON_PORT_FILE_H_
#define TUTTI_COMMON_PORT_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace tutti {

struct BoundPorts {
  int grpc = 0;
  int health = 0;  // 0: no such listener
  int metrics = 0;
};

// {"grpc":1234,"health":0,"metrics":2345}; appears at once or not at all.
absl::Status WritePortFile(const std::string& path, const BoundPorts& ports);

}  // namespace tutti

#endif  // TUTTI_COMMON_PORT_FILE_H_
