// Bytes that calls hold: requests that wait or are worked on, and answers that their clients have yet to take.
#ifndef TUTTI_ORCHESTRATOR_API_CALL_BUDGET_H_
#define TUTTI_ORCHESTRATOR_API_CALL_BUDGET_H_

#include <chrono>
#include <cstddef>
#include <list>
#include <vector>

#include "common/limits.h"
#include "common/mutex.h"

struct grpc_call;

namespace tutti::api {

// Thread-safe. Up to limits::kInlineRequestBytesMax there always is room. A client that reads nothing must not keep the
// bytes from everybody else: when there is no room, answers that have waited longest, and for `unread_min` at least,
// are given up: their calls are cancelled.
class CallBudget {
 public:
  struct Answer {
    grpc_call* call = nullptr;
    size_t bytes = 0;
    std::chrono::steady_clock::time_point since;
    bool given_up = false;  // cancelled, and not over yet
  };
  using Unread = std::list<Answer>::iterator;

  explicit CallBudget(size_t bytes_max, std::chrono::milliseconds unread_min = std::chrono::seconds(2))
      : bytes_max_(bytes_max), unread_min_(unread_min) {}

  // For a request. False, and nothing is taken, when there is no room.
  bool Take(size_t bytes);
  void Give(size_t bytes);

  // For an answer, from before it is handed to gRPC until the call is over. False, as Take.
  bool TakeFor(grpc_call* call, size_t bytes, Unread* unread);
  void Give(Unread unread);

  size_t taken() const;

 private:
  bool TakeLocked(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The calls to cancel, each with a reference.
  std::vector<grpc_call*> GiveUp(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t bytes_max_;
  const std::chrono::milliseconds unread_min_;
  mutable Mutex mu_;
  size_t taken_ ABSL_GUARDED_BY(mu_) = 0;
  std::list<Answer> unread_ ABSL_GUARDED_BY(mu_);  // the oldest first
  std::list<Answer> given_up_ ABSL_GUARDED_BY(mu_);
};

// What calls of one kind hold.
struct CallBudgets {
  CallBudget requests{limits::kHeldRequestBytesMax};
  CallBudget answers{limits::kHeldAnswerBytesMax};
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_CALL_BUDGET_H_
