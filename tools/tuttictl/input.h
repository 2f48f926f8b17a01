// Reading what the user hands in.
#ifndef TUTTI_TOOLS_TUTTICTL_INPUT_H_
#define TUTTI_TOOLS_TUTTICTL_INPUT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"

namespace tutti::ctl {

// "-" is standard input. INVALID_ARGUMENT beyond 16 MiB.
absl::StatusOr<std::string> ReadFileOrStdin(const std::string& path);

// INVALID_ARGUMENT for what is no JSON object, repeats a key, or holds an integer beyond +-2^53, which would silently
// lose digits in a Struct. Empty text is an empty object.
absl::StatusOr<google::protobuf::Struct> ParseInput(absl::string_view json);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_INPUT_H_
