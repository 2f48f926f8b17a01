#include "orchestrator/api/hold_check.h"

#include "common/errors.h"

namespace tutti::api {
namespace {

constexpr int64_t kHeldRetryMs = 30'000;

}  // namespace

// What was acknowledged after the backup is unknown to the store: its client's repeat would be taken for a new saga,
// and do everything a second time.
void RefuseWhileHeld(const store::Hold* hold, shard::StartRequest* start) {
  if (hold == nullptr || !hold->held()) return;
  start->validation = WithReason(
      WithRetryDelay(
          absl::UnavailableError("the store was restored from a backup and is held, so it takes no new sagas "
                                 "until an operator has compared the books; repeat the same start later"),
          kHeldRetryMs),
      "STORE_HELD");
}

}  // namespace tutti::api
