// The calls that wait for a saga, so that a drain can end them instead of waiting for it too.
#ifndef TUTTI_ORCHESTRATOR_API_WAITING_CALLS_H_
#define TUTTI_ORCHESTRATOR_API_WAITING_CALLS_H_

#include <functional>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "common/errors.h"
#include "common/limits.h"
#include "common/mutex.h"
#include "orchestrator/api/answers.h"

namespace tutti::api {

// Thread-safe.
class WaitingCalls {
 public:
  using End = std::function<void(const absl::Status& status)>;

  // `end` is called at most once, and outside the lock. An error is why the call may not wait, and `end` is dropped.
  absl::Status Add(const void* call, End end) {
    MutexLock lock(&mu_);
    if (ended_) return ShuttingDown();
    if (calls_.size() >= limits::kWaitingCallsMax) return OverloadedError("calls that wait for sagas");
    calls_.emplace(call, std::move(end));
    return absl::OkStatus();
  }

  void Remove(const void* call) {
    End dying;  // its captures are destroyed outside the lock
    MutexLock lock(&mu_);
    const auto found = calls_.find(call);
    if (found == calls_.end()) return;
    dying = std::move(found->second);
    calls_.erase(found);
  }

  // Ends every call there is and every one that comes.
  void EndAll() {
    std::unordered_map<const void*, End> calls;
    {
      MutexLock lock(&mu_);
      ended_ = true;
      calls.swap(calls_);
    }
    for (const auto& [call, end] : calls) end(ShuttingDown());
  }

 private:
  static absl::Status ShuttingDown() {
    return WithReason(
        WithRetryDelay(absl::UnavailableError("the orchestrator is shutting down; the saga goes on, repeat "
                                              "the same request"),
                       /*delay_ms=*/1000),
        "SHUTTING_DOWN");
  }

  Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::unordered_map<const void*, End> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_WAITING_CALLS_H_
