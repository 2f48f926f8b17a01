// Forgets sagas whose retention is over. The sweeper looks for them among what is committed and asks their shards, who
// decide; it holds no locks that a shard could wait for, and a sweep that is cut short at any point leaves nothing half
// done.
#ifndef TUTTI_ORCHESTRATOR_RETENTION_SWEEPER_H_
#define TUTTI_ORCHESTRATOR_RETENTION_SWEEPER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "orchestrator/shard/shard_core.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::retention {

// Without thread and time: whoever calls SweepOnce brings both. Not thread-safe, but the answers of shards may come
// from any thread, even after the sweeper is gone.
class Sweeper {
 public:
  // Posts an expiry to the shard that owns the saga; never blocks.
  using Expire = std::function<void(std::string saga_id, int64_t ended_by_ms, shard::ExpireDone done)>;

  struct Options {
    int64_t retention_ms = 0;
    int page_size = 256;  // expiries on their way at once
  };

  // For metrics. Times are wall clock milliseconds.
  struct Status {
    // How long ago the retention of some saga was over that was there at the last look; 0: there was none. While
    // nothing is looked at, it grows with the clock.
    int64_t overdue_ms = 0;
    int64_t last_finished_ms = 0;  // end of the last walk; 0: there was none yet
  };

  enum class Progress {
    kWaiting,  // shards still work on the last page: nothing was done
    kMore,     // a page was asked for, and there are more
    kDone,     // the walk has reached its end; the next call begins a new one
    kFailed,   // the store could not be read
  };

  // `reader` must outlive the sweeper.
  Sweeper(const store::SagaReader* reader, Expire expire, Options options)
      : reader_(reader), expire_(std::move(expire)), options_(options) {}

  // Asks for the next page of sagas that ended retention_ms before now_ms (wall clock) or earlier.
  Progress SweepOnce(int64_t now_ms);

  // From any thread.
  Status StatusAt(int64_t now_ms) const;

 private:
  void NoteEnded(int64_t first_ended_ms);

  const store::SagaReader* const reader_;
  const Expire expire_;
  const Options options_;
  std::string cursor_;
  int64_t first_ended_ms_ = 0;  // of the walk under way
  // When the saga ended that is overdue for longest, as of the last whole walk, or of this one when it found an older
  // one; 0: none.
  std::atomic<int64_t> overdue_since_ms_{0};
  std::atomic<int64_t> last_finished_ms_{0};
  const std::shared_ptr<std::atomic<int>> outstanding_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace tutti::retention

#endif  // TUTTI_ORCHESTRATOR_RETENTION_SWEEPER_H_
