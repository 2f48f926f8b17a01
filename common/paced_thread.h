// A thread that does a little work at a time and rests in between; stopping it interrupts the rest, never the work.
#ifndef TUTTI_COMMON_PACED_THREAD_H_
#define TUTTI_COMMON_PACED_THREAD_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>

#include "common/mutex.h"

namespace tutti {

// Thread-safe.
class PacedThread {
 public:
  // `work` runs on the thread and says how many milliseconds to rest before the next time; a rest comes first, too.
  PacedThread(int64_t first_rest_ms, std::function<int64_t()> work)
      : work_(std::move(work)), thread_([this, first_rest_ms] {
          for (int64_t rest_ms = first_rest_ms; Rest(rest_ms);) rest_ms = work_();
        }) {}
  ~PacedThread() { Stop(); }
  PacedThread(const PacedThread&) = delete;
  PacedThread& operator=(const PacedThread&) = delete;

  // Waits for the work under way; none begins after it. Not from within the work.
  void Stop() {
    {
      MutexLock lock(&mu_);
      stopping_ = true;
      stop_.SignalAll();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  // False: stop.
  bool Rest(int64_t ms) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    MutexLock lock(&mu_);
    while (!stopping_ && stop_.WaitUntil(&mu_, deadline)) {
    }
    return !stopping_;
  }

  const std::function<int64_t()> work_;
  Mutex mu_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace tutti

#endif  // TUTTI_COMMON_PACED_THREAD_H_
