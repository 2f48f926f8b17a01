#include "orchestrator/api/call_budget.h"

#include "grpc/grpc.h"

namespace tutti::api {
namespace {

// Outside any lock: what follows from it may run here and now, the end of the call included.
void Cancel(const std::vector<grpc_call*>& calls) {
  for (grpc_call* call : calls) {
    grpc_call_cancel(call, nullptr);
    grpc_call_unref(call);
  }
}

}  // namespace

bool CallBudget::TakeLocked(size_t bytes) {
  if (bytes > limits::kInlineRequestBytesMax && taken_ + bytes > bytes_max_) return false;
  taken_ += bytes;
  return true;
}

bool CallBudget::Take(size_t bytes) {
  std::vector<grpc_call*> late;
  {
    MutexLock lock(&mu_);
    if (TakeLocked(bytes)) return true;
    late = GiveUp(bytes);
  }
  Cancel(late);
  return false;
}

void CallBudget::Give(size_t bytes) {
  MutexLock lock(&mu_);
  taken_ -= bytes;
}

bool CallBudget::TakeFor(grpc_call* call, size_t bytes, Unread* unread) {
  std::vector<grpc_call*> late;
  {
    MutexLock lock(&mu_);
    if (TakeLocked(bytes)) {
      *unread = unread_.insert(unread_.end(), {call, bytes, std::chrono::steady_clock::now()});
      return true;
    }
    late = GiveUp(bytes);
  }
  Cancel(late);
  return false;
}

std::vector<grpc_call*> CallBudget::GiveUp(size_t bytes) {
  std::vector<grpc_call*> calls;
  const auto before = std::chrono::steady_clock::now() - unread_min_;
  size_t freed = 0;
  while (!unread_.empty() && unread_.front().since <= before && freed < bytes) {
    freed += unread_.front().bytes;
    grpc_call_ref(unread_.front().call);
    calls.push_back(unread_.front().call);
    unread_.front().given_up = true;
    given_up_.splice(given_up_.end(), unread_, unread_.begin());
  }
  return calls;
}

void CallBudget::Give(Unread unread) {
  MutexLock lock(&mu_);
  taken_ -= unread->bytes;
  (unread->given_up ? given_up_ : unread_).erase(unread);
}

size_t CallBudget::taken() const {
  MutexLock lock(&mu_);
  return taken_;
}

}  // namespace tutti::api
