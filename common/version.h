// What this program is. The build says so, and nothing of the machine or the hour: the same sources are the same text.
#ifndef TUTTI_COMMON_VERSION_H_
#define TUTTI_COMMON_VERSION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace tutti {

extern const char kVersion[];   // "0.1.0"
extern const char kRevision[];  // of the sources, as the build was told; empty when it was not

// "tutti-orchestrator 0.1.0 (1a2b3c4d)".
std::string VersionLine(absl::string_view program);

}  // namespace tutti

#endif  // TUTTI_COMMON_VERSION_H_
