// Whether the store, restored from a backup, is held: then no new saga may start. An operator releases it.
#ifndef TUTTI_ORCHESTRATOR_STORE_HOLD_H_
#define TUTTI_ORCHESTRATOR_STORE_HOLD_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::store {

// Thread-safe.
class Hold {
 public:
  // `record` as the store has it; unset: it was never restored. `store` must outlive it.
  Hold(SagaStore* store, std::optional<storage::v1::HoldRecord> record);

  bool held() const { return held_.load(std::memory_order_acquire); }
  std::optional<storage::v1::HoldRecord> record() const;

  // Durable when it returns: blocks for a commit. Repeating it changes nothing. FAILED_PRECONDITION (NOT_HELD) when the
  // store was never restored; UNAVAILABLE when what became of it is not known.
  absl::StatusOr<storage::v1::HoldRecord> Release(const std::string& reason, const std::string& by, int64_t now_ms);

 private:
  SagaStore* const store_;
  std::atomic<bool> held_;
  Mutex releasing_;  // one at a time, over its commit
  mutable Mutex mu_;
  std::optional<storage::v1::HoldRecord> record_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_HOLD_H_
