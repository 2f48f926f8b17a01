// Virtual time: what is to happen, in order. One thread; actions may add actions.
#ifndef TUTTI_TESTS_SIM_TIMELINE_H_
#define TUTTI_TESTS_SIM_TIMELINE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "common/clock.h"

namespace tutti::sim {

class Timeline final : public Clock {
 public:
  int64_t WallMs() const override { return wall_offset_ms_ + now_ms_; }
  int64_t MonotonicMs() const override { return now_ms_; }

  // Wall time only; monotonic time goes on as it did.
  void JumpWall(int64_t by_ms) { wall_offset_ms_ += by_ms; }

  // Actions of the same time happen in the order they were added. A time that has passed means now.
  void At(int64_t at_ms, std::function<void()> action) {
    queue_.emplace(std::pair(std::max(at_ms, now_ms_), next_order_++), std::move(action));
  }
  void After(int64_t delay_ms, std::function<void()> action) { At(now_ms_ + delay_ms, std::move(action)); }

  // Does the next thing; false when nothing is left or the next is later than `until_ms`.
  bool Step(int64_t until_ms) {
    if (queue_.empty() || queue_.begin()->first.first > until_ms) return false;
    auto node = queue_.extract(queue_.begin());
    now_ms_ = node.key().first;
    ++steps_;
    node.mapped()();
    return true;
  }

  int64_t steps() const { return steps_; }

 private:
  int64_t now_ms_ = 0;
  int64_t wall_offset_ms_ = 1'800'000'000'000;
  uint64_t next_order_ = 0;
  int64_t steps_ = 0;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> queue_;
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_TIMELINE_H_
