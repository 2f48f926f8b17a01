// The sweeper's own thread: page by page with pauses, then a rest until the next walk. It gives way to load.
#ifndef TUTTI_ORCHESTRATOR_RETENTION_SWEEP_THREAD_H_
#define TUTTI_ORCHESTRATOR_RETENTION_SWEEP_THREAD_H_

#include <cstdint>
#include <functional>

#include "common/clock.h"
#include "common/paced_thread.h"
#include "orchestrator/retention/sweeper.h"

namespace tutti::retention {

// Thread-safe.
class SweepThread {
 public:
  struct Options {
    int64_t interval_ms = 60'000;        // between walks
    int64_t pause_ms = 50;               // between pages
    std::function<void()> on_walk_over;  // on the thread, after each whole walk; may block
  };

  // `busy` says that there is something better to do; asked before every page. `sweeper` belongs to the thread from
  // here on; both pointers must outlive it.
  SweepThread(Sweeper* sweeper, const Clock* clock, std::function<bool()> busy, Options options);

  // Begins no further page; waits for the one it is at.
  void Stop() { thread_.Stop(); }

 private:
  int64_t Tick();  // how long to rest, in milliseconds

  Sweeper* const sweeper_;
  const Clock* const clock_;
  const std::function<bool()> busy_;
  const Options options_;
  PacedThread thread_;  // last: it uses the rest
};

}  // namespace tutti::retention

#endif  // TUTTI_ORCHESTRATOR_RETENTION_SWEEP_THREAD_H_
