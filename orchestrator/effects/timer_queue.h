// The saga timers: one heap, one thread.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_TIMER_QUEUE_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_TIMER_QUEUE_H_

#include <cstdint>
#include <functional>

#include "common/clock.h"
#include "orchestrator/effects/deadline_queue.h"
#include "orchestrator/effects/effect_sinks.h"

namespace tutti::effects {

// Thread-safe. Posts TimerFired with the wall time of the firing; Event::random stays 0, the shard fills it in.
class TimerQueue final : public TimerService {
 public:
  struct Options {
    TimeMode mode = TimeMode::kThread;
    std::function<void(int64_t lag_ms)> on_lag;  // how late a timer fired; must not block
  };

  // `clock` must outlive the queue.
  TimerQueue(const Clock* clock, EventSink sink, Options options);
  TimerQueue(const Clock* clock, EventSink sink) : TimerQueue(clock, std::move(sink), Options()) {}

  void Set(saga::SetTimer timer) override;

  // In virtual time only: fires everything due at this time of the clock's, timers set by the sink meanwhile included.
  void AdvanceTo(int64_t monotonic_ms) { queue_.AdvanceTo(monotonic_ms); }

  // Nothing is posted after this returns. Not from within the sink.
  void Stop() { queue_.Stop(); }

  size_t size() const { return queue_.size(); }

 private:
  const Clock* const clock_;
  const EventSink sink_;
  const Options options_;
  DeadlineQueue<saga::SetTimer> queue_;  // last: its thread uses the members above
};

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_TIMER_QUEUE_H_
