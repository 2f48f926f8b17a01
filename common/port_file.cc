#include "common/port_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace tutti {

absl::Status WritePortFile(const std::string& path, const BoundPorts& ports) {
  const std::string draft = absl::StrCat(path, ".new");
  std::ofstream file(draft);
  file << absl::StrCat("{\"grpc\":", ports.grpc, ",\"health\":", ports.health, ",\"metrics\":", ports.metrics, "}\n");
  file.close();
  if (!file || std::rename(draft.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot write the port file ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace tutti
