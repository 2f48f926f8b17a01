#include "participants/sdk/committer.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "common/limits.h"
#include "common/logging.h"

namespace tutti::participant {

Committer::Committer(LocalDb* db, CommitObserver observer) : db_(db), observer_(std::move(observer)) {
  thread_ = std::thread([this] { Loop(); });
}

Committer::~Committer() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.Signal();
  }
  thread_.join();
}

bool Committer::Post(Job job) {
  MutexLock lock(&mutex_);
  if (queue_.size() >= limits::kCommitQueueMax) return false;
  queue_.push_back(std::move(job));
  wake_.Signal();
  return true;
}

void Committer::Loop() {
  for (std::vector<Job> batch = TakeBatch(); !batch.empty(); batch = TakeBatch()) RunBatch(std::move(batch));
}

std::vector<Job> Committer::TakeBatch() {
  MutexLock lock(&mutex_);
  while (queue_.empty() && !stopping_) wake_.Wait(&mutex_);
  std::vector<Job> batch;
  while (!queue_.empty() && batch.size() < limits::kCommitBatchMax) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Committer::RunBatch(std::vector<Job> batch) {
  Transaction transaction(*db_);
  for (Job& job : batch) {
    transaction.SetSavepoint();
    if (job.run(transaction)) {
      transaction.Keep();
    } else {
      transaction.RollBack();
    }
  }
  if (!transaction.empty()) {
    const auto begin = std::chrono::steady_clock::now();
    if (absl::Status status = db_->Commit(transaction); !status.ok()) {
      Log(LogLevel::kError, "commit failed; ending the process, as only reopening tells what is there",
          {{"error", status.ToString()}});
      _exit(1);
    }
    if (observer_ != nullptr) {
      observer_(batch.size(), std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  for (Job& job : batch) job.done();
}

}  // namespace tutti::participant
