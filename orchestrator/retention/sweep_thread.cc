#include "orchestrator/retention/sweep_thread.h"

#include <chrono>
#include <utility>

namespace tutti::retention {

SweepThread::SweepThread(Sweeper* sweeper, const Clock* clock, std::function<bool()> busy, Options options)
    : sweeper_(sweeper), clock_(clock), busy_(std::move(busy)), options_(options), thread_([this] { Loop(); }) {}

void SweepThread::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    stop_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void SweepThread::Loop() {
  int64_t wait_ms = options_.pause_ms;
  while (PauseUnlessStopped(wait_ms)) {
    wait_ms = options_.pause_ms;
    if (busy_()) continue;
    const Sweeper::Progress progress = sweeper_->SweepOnce(clock_->WallMs());
    if (progress == Sweeper::Progress::kDone || progress == Sweeper::Progress::kFailed) wait_ms = options_.interval_ms;
  }
}

bool SweepThread::PauseUnlessStopped(int64_t ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  MutexLock lock(&mu_);
  while (!stopping_ && stop_.WaitUntil(&mu_, deadline)) {
  }
  return !stopping_;
}

}  // namespace tutti::retention
