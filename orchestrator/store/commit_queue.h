// Group commit: everything that waits goes into one synced write.
#ifndef TUTTI_ORCHESTRATOR_STORE_COMMIT_QUEUE_H_
#define TUTTI_ORCHESTRATOR_STORE_COMMIT_QUEUE_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "orchestrator/store/layout.h"

namespace tutti::store {

// What one write cost and carried.
struct CommitReport {
  double seconds = 0;
  size_t sagas = 0;  // written or expired
  size_t write_sets = 0;
};
using CommitObserver = std::function<void(const CommitReport&)>;

// Thread-safe. One write at a time, in the order of Push; each `done` is called in that order, without locks held.
class CommitQueue {
 public:
  enum class Mode {
    kOwnThread,
    kInline,  // writes on the thread that calls Push or Release; for tests that must be deterministic
  };
  // Makes all of them durable, or fails; after a failure it is never called again.
  using Write = std::function<absl::Status(const std::vector<const Changes*>&)>;

  CommitQueue(Mode mode, Write write, CommitObserver observer);
  ~CommitQueue();  // writes what is waiting, held back or not

  void Push(const WriteSet& write_set, CommitDone done);

  void Hold();  // nothing is written until Release
  void Release();
  size_t waiting() const;
  // Blocks until at least this many write sets wait; for tests that hold. False after the timeout.
  bool AwaitWaiting(size_t count, int64_t timeout_ms) const;

 private:
  struct Entry {
    Changes changes;
    size_t sagas;
    CommitDone done;
  };

  void Run();
  void WriteAllInline();
  std::vector<Entry> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteBatch(std::vector<Entry> batch);  // by one thread at a time

  const Mode mode_;
  const Write write_;
  const CommitObserver observer_;
  absl::Status failure_;  // used by the writing thread only

  mutable Mutex mu_;
  mutable CondVar changed_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mu_);
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_inline_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_COMMIT_QUEUE_H_
