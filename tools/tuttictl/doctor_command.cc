#include <sstream>
#include <string>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "orchestrator/doctor/doctor.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/timeline.h"

namespace tutti::ctl {
namespace {

// What a damaged store holds must not steer the terminal.
void PrintLines(const std::string& text, std::ostream& out) {
  for (const absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n'))
    out << Printable(line) << "\n";
}

}  // namespace

int Doctor(const Options& options, std::ostream& out, std::ostream& err) {
  std::ostringstream found;
  absl::StatusOr<int64_t> flaws = 0;
  if (options.saga_id.empty()) {
    flaws = doctor::Examine(options.folder, found);
  } else if (absl::Status shown = doctor::ShowRaw(options.folder, options.saga_id, found); !shown.ok()) {
    flaws = shown;
  }
  if (!flaws.ok()) {
    err << RenderError(flaws.status());
    return kExitError;
  }
  PrintLines(found.str(), out);
  return *flaws == 0 ? kExitOk : kExitError;
}

}  // namespace tutti::ctl
