#include "orchestrator/retention/sweep_thread.h"

#include <utility>

namespace tutti::retention {

SweepThread::SweepThread(Sweeper* sweeper, const Clock* clock, std::function<bool()> busy, Options options)
    : sweeper_(sweeper), clock_(clock), busy_(std::move(busy)), options_(options), thread_(options.pause_ms, [this] {
        return Tick();
      }) {}

int64_t SweepThread::Tick() {
  if (busy_()) return options_.pause_ms;
  const Sweeper::Progress progress = sweeper_->SweepOnce(clock_->WallMs());
  if (progress == Sweeper::Progress::kDone && options_.on_walk_over) options_.on_walk_over();
  const bool rests = progress == Sweeper::Progress::kDone || progress == Sweeper::Progress::kFailed;
  return rests ? options_.interval_ms : options_.pause_ms;
}

}  // namespace tutti::retention
