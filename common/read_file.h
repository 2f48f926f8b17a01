// Reading files that somebody names: settings, certificates, descriptors.
#ifndef TUTTI_COMMON_READ_FILE_H_
#define TUTTI_COMMON_READ_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace tutti {

// The whole of a regular file. A pipe may never say anything and a device never end, so neither is waited for.
// NOT_FOUND: it cannot be opened; FAILED_PRECONDITION: it is no regular file or larger than `bytes_max`; INTERNAL: it
// cannot be read. The message begins with the path and gives the system's reason. Thread-safe.
absl::StatusOr<std::string> ReadRegularFile(const std::string& path, size_t bytes_max);

}  // namespace tutti

#endif  // TUTTI_COMMON_READ_FILE_H_
