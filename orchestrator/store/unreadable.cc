#include "orchestrator/store/unreadable.h"

#include "absl/strings/str_cat.h"

namespace tutti::store {

absl::Status UnreadableError(absl::string_view saga_id, absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat("saga ", saga_id, " cannot be read: ", why,
                   "; nothing is done for it, and its id stays taken. Stop the orchestrator, see "
                   "what `tuttictl doctor` says, and restore a backup"));
}

bool IsUnreadable(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsFailedPrecondition(status);
}

}  // namespace tutti::store
