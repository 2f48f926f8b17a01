#include "orchestrator/store/hold.h"

#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace tutti::store {

Hold::Hold(SagaStore* store, std::optional<storage::v1::HoldRecord> record)
    : store_(store), held_(record.has_value() && record->released_ms() == 0), record_(std::move(record)) {}

std::optional<storage::v1::HoldRecord> Hold::record() const {
  MutexLock lock(&mu_);
  return record_;
}

absl::StatusOr<storage::v1::HoldRecord> Hold::Release(const std::string& reason, const std::string& by,
                                                      int64_t now_ms) {
  MutexLock releasing(&releasing_);
  std::optional<storage::v1::HoldRecord> released = record();
  if (!released.has_value()) {
    return WithReason(absl::FailedPreconditionError("the store is not held: it was never restored from a backup"),
                      "NOT_HELD");
  }
  if (released->released_ms() != 0) return *released;
  released->set_released_ms(now_ms);
  released->set_release_reason(reason);
  released->set_released_by(by);
  WriteSet write_set;
  write_set.hold = released;
  const auto done = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> result = done->get_future();
  store_->Commit(write_set, [done](CommitResult result, const absl::Status& detail) {
    done->set_value(result == CommitResult::kDurable
                        ? absl::OkStatus()
                        : absl::UnavailableError(absl::StrCat("whether the hold is released is not known; ask again: ",
                                                              detail.message())));
  });
  if (absl::Status status = result.get(); !status.ok()) return status;
  {
    MutexLock lock(&mu_);
    record_ = released;
  }
  held_.store(false, std::memory_order_release);
  return *released;
}

}  // namespace tutti::store
