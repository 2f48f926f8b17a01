#include "common/version.h"

#include "absl/strings/str_cat.h"

namespace tutti {

const char kVersion[] = TUTTI_VERSION;
const char kRevision[] = TUTTI_REVISION;

std::string VersionLine(absl::string_view program) {
  const std::string line = absl::StrCat(program, " ", kVersion);
  return kRevision[0] == '\0' ? line : absl::StrCat(line, " (", kRevision, ")");
}

}  // namespace tutti
