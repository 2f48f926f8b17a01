// Things that fall due at a monotonic time, on one thread. What a heap and a thread share between the saga timers and
// the invoker's attempt clocks.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_DEADLINE_QUEUE_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_DEADLINE_QUEUE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"

namespace tutti::effects {

enum class TimeMode {
  kThread,   // a thread of its own waits in real time
  kVirtual,  // nothing happens but in AdvanceTo, on the caller's thread
};

// Thread-safe. Items with the same due time come out in the order they went in.
template <typename Item>
class DeadlineQueue {
 public:
  // `on_due` must not block; it may call Add. lag_ms: how long after its due time the item came out.
  using OnDue = std::function<void(Item item, int64_t lag_ms)>;

  DeadlineQueue(const Clock* clock, TimeMode mode, OnDue on_due) : clock_(clock), on_due_(std::move(on_due)) {
    if (mode == TimeMode::kThread) thread_ = std::thread([this] { Run(); });
  }
  ~DeadlineQueue() { Stop(); }
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  // A negative delay is due now.
  void Add(Item item, int64_t delay_ms) {
    const int64_t due_ms = clock_->MonotonicMs() + std::max<int64_t>(delay_ms, 0);
    MutexLock lock(&mu_);
    if (stopped_) return;
    const bool earliest = heap_.empty() || due_ms < heap_.front().due_ms;
    heap_.push_back(Entry{due_ms, next_order_++, std::move(item)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
    // Only an item that shortens the wait has to end it.
    if (earliest) wake_.Signal();
  }

  // Hands out everything due at `monotonic_ms`, items added meanwhile included.
  void AdvanceTo(int64_t monotonic_ms) {
    while (std::optional<Entry> entry = PopDue(monotonic_ms)) {
      on_due_(std::move(entry->item), monotonic_ms - entry->due_ms);
    }
  }

  // Nothing comes out after this returns; what waited is forgotten. Not from within on_due.
  void Stop() {
    {
      MutexLock lock(&mu_);
      stopped_ = true;
      heap_.clear();
      wake_.Signal();
    }
    if (thread_.joinable()) thread_.join();
  }

  size_t size() const {
    MutexLock lock(&mu_);
    return heap_.size();
  }

 private:
  struct Entry {
    int64_t due_ms = 0;
    uint64_t order = 0;
    Item item;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.due_ms != b.due_ms ? a.due_ms > b.due_ms : a.order > b.order;
    }
  };

  std::optional<Entry> PopDue(int64_t now_ms) {
    MutexLock lock(&mu_);
    if (stopped_ || heap_.empty() || heap_.front().due_ms > now_ms) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    std::optional<Entry> entry = std::move(heap_.back());
    heap_.pop_back();
    return entry;
  }

  void Run() {
    for (;;) {
      AdvanceTo(clock_->MonotonicMs());
      MutexLock lock(&mu_);
      if (stopped_) return;
      if (heap_.empty()) {
        wake_.Wait(&mu_);
        continue;
      }
      const int64_t wait_ms = heap_.front().due_ms - clock_->MonotonicMs();
      if (wait_ms > 0) wake_.WaitUntil(&mu_, std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms));
    }
  }

  const Clock* const clock_;
  const OnDue on_due_;
  mutable Mutex mu_;
  CondVar wake_;
  std::vector<Entry> heap_ ABSL_GUARDED_BY(mu_);  // std::push_heap over Later: the earliest is in front
  uint64_t next_order_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_DEADLINE_QUEUE_H_
