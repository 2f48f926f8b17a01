#include "orchestrator/effects/timer_queue.h"

#include <utility>

namespace tutti::effects {

TimerQueue::TimerQueue(const Clock* clock, EventSink sink, Options options)
    : clock_(clock),
      sink_(std::move(sink)),
      options_(std::move(options)),
      queue_(clock, options_.mode, [this](saga::SetTimer timer, int64_t lag_ms) {
        if (options_.on_lag) options_.on_lag(lag_ms);
        saga::Event event;
        event.saga_id = std::move(timer.saga_id);
        event.saga_uid = std::move(timer.saga_uid);
        event.now_ms = clock_->WallMs();
        event.body = saga::TimerFired{std::move(timer.timer)};
        sink_(std::move(event));
      }) {}

void TimerQueue::Set(saga::SetTimer timer) {
  const int64_t delay_ms = timer.delay_ms;
  queue_.Add(std::move(timer), delay_ms);
}

}  // namespace tutti::effects
