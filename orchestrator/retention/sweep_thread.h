// The sweeper's own thread: page by page with pauses, then a rest until the next walk. It gives way to load.
#ifndef TUTTI_ORCHESTRATOR_RETENTION_SWEEP_THREAD_H_
#define TUTTI_ORCHESTRATOR_RETENTION_SWEEP_THREAD_H_

#include <cstdint>
#include <functional>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"
#include "orchestrator/retention/sweeper.h"

namespace tutti::retention {

// Thread-safe.
class SweepThread {
 public:
  struct Options {
    int64_t interval_ms = 60'000;  // between walks
    int64_t pause_ms = 50;         // between pages
  };

  // `busy` says that there is something better to do; asked before every page. `sweeper` belongs to the thread from
  // here on; both pointers must outlive it.
  SweepThread(Sweeper* sweeper, const Clock* clock, std::function<bool()> busy, Options options);
  ~SweepThread() { Stop(); }
  SweepThread(const SweepThread&) = delete;
  SweepThread& operator=(const SweepThread&) = delete;

  // Begins no further page; waits for the one it is at.
  void Stop();

 private:
  void Loop();
  bool PauseUnlessStopped(int64_t ms);  // false: stop

  Sweeper* const sweeper_;
  const Clock* const clock_;
  const std::function<bool()> busy_;
  const Options options_;
  Mutex mu_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace tutti::retention

#endif  // TUTTI_ORCHESTRATOR_RETENTION_SWEEP_THREAD_H_
