// Runs jobs one after another on one thread and commits many of them with one synced write. As nothing runs beside
// them, jobs never conflict and need no locks.
#ifndef TUTTI_PARTICIPANTS_SDK_COMMITTER_H_
#define TUTTI_PARTICIPANTS_SDK_COMMITTER_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "participants/sdk/local_db.h"

namespace tutti::participant {

struct Job {
  // Reads and writes. False rolls back what this job wrote. Must not block.
  std::function<bool(Transaction&)> run;
  // Once everything that `run` saw or wrote is durable. Must not block.
  std::function<void()> done;
};

// Told of every commit, for metrics; called on the committer's thread.
using CommitObserver = std::function<void(size_t jobs, double seconds)>;

// Thread-safe.
class Committer {
 public:
  // `db` must outlive the committer. A commit that fails ends the process with status 1: its jobs may or may not be
  // there, and reopening is the only way to know.
  explicit Committer(LocalDb* db, CommitObserver observer = nullptr);
  ~Committer();  // finishes all jobs first
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // False, and the job is dropped, when limits::kCommitQueueMax jobs wait already. Never blocks.
  bool Post(Job job) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Job> TakeBatch() ABSL_LOCKS_EXCLUDED(mutex_);  // empty: stop
  void RunBatch(std::vector<Job> batch);

  LocalDb* const db_;
  const CommitObserver observer_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_COMMITTER_H_
