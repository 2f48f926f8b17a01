#include "orchestrator/doctor/doctor.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/render.h"

namespace tutti::ctl {

int Doctor(const Options& options, std::ostream& out, std::ostream& err) {
  if (!options.saga_id.empty()) {
    const absl::Status shown = doctor::ShowRaw(options.folder, options.saga_id, out);
    if (!shown.ok()) err << RenderError(shown);
    return shown.ok() ? kExitOk : kExitError;
  }
  const absl::StatusOr<int64_t> flaws = doctor::Examine(options.folder, out);
  if (!flaws.ok()) err << RenderError(flaws.status());
  return flaws.ok() && *flaws == 0 ? kExitOk : kExitError;
}

}  // namespace tutti::ctl
