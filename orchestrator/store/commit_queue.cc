#include "orchestrator/store/commit_queue.h"

#include <chrono>
#include <utility>

#include "common/limits.h"

namespace tutti::store {

CommitQueue::CommitQueue(Mode mode, Write write, CommitObserver observer)
    : mode_(mode), write_(std::move(write)), observer_(std::move(observer)) {
  if (mode_ == Mode::kOwnThread) thread_ = std::thread([this] { Run(); });
}

CommitQueue::~CommitQueue() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    held_ = false;
    changed_.SignalAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  } else {
    WriteAllInline();
  }
}

void CommitQueue::Push(const WriteSet& write_set, CommitDone done) {
  // Serialized here, on the shard's thread: the committer is the one thread that all shards share.
  Entry entry{EncodeWriteSet(write_set), write_set.sagas.size() + write_set.expired.size(), std::move(done)};
  {
    MutexLock lock(&mu_);
    entries_.push_back(std::move(entry));
    changed_.SignalAll();
  }
  if (mode_ == Mode::kInline) WriteAllInline();
}

void CommitQueue::Hold() {
  MutexLock lock(&mu_);
  held_ = true;
}

void CommitQueue::Release() {
  {
    MutexLock lock(&mu_);
    held_ = false;
    changed_.SignalAll();
  }
  if (mode_ == Mode::kInline) WriteAllInline();
}

size_t CommitQueue::waiting() const {
  MutexLock lock(&mu_);
  return entries_.size();
}

bool CommitQueue::AwaitWaiting(size_t count, int64_t timeout_ms) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  MutexLock lock(&mu_);
  while (entries_.size() < count) {
    if (!changed_.WaitUntil(&mu_, deadline)) return entries_.size() >= count;
  }
  return true;
}

void CommitQueue::Run() {
  while (true) {
    std::vector<Entry> batch;
    {
      MutexLock lock(&mu_);
      while (!stopping_ && (held_ || entries_.empty())) changed_.Wait(&mu_);
      if (entries_.empty()) return;
      batch = TakeBatch();
    }
    WriteBatch(std::move(batch));
  }
}

void CommitQueue::WriteAllInline() {
  while (true) {
    std::vector<Entry> batch;
    {
      MutexLock lock(&mu_);
      // Whoever writes already, perhaps a caller of ours further up the stack, takes these as well.
      if (writing_inline_ || held_ || entries_.empty()) return;
      writing_inline_ = true;
      batch = TakeBatch();
    }
    WriteBatch(std::move(batch));
    MutexLock lock(&mu_);
    writing_inline_ = false;
  }
}

std::vector<CommitQueue::Entry> CommitQueue::TakeBatch() {
  std::vector<Entry> batch;
  size_t sagas = 0;
  while (!entries_.empty() && (batch.empty() || sagas + entries_.front().sagas <= limits::kCommitBatchMax)) {
    sagas += entries_.front().sagas;
    batch.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  return batch;
}

void CommitQueue::WriteBatch(std::vector<Entry> batch) {
  if (failure_.ok()) {
    CommitReport report;
    report.write_sets = batch.size();
    std::vector<const Changes*> changes;
    for (const Entry& entry : batch) {
      changes.push_back(&entry.changes);
      report.sagas += entry.sagas;
    }
    const auto start = std::chrono::steady_clock::now();
    failure_ = write_(changes);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (failure_.ok() && observer_) observer_(report);
  }
  const CommitResult result = failure_.ok() ? CommitResult::kDurable : CommitResult::kUnknown;
  for (Entry& entry : batch) {
    if (entry.done) entry.done(result, failure_);
  }
}

}  // namespace tutti::store
