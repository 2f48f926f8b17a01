#include "orchestrator/api/worker_pool.h"

#include <sys/resource.h>

#include <utility>

namespace tutti::api {

WorkerPool::WorkerPool(const Options& options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    posted_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Post(std::function<void()> work) {
  MutexLock lock(&mu_);
  queue_.push_back(std::move(work));
  posted_.Signal();
}

bool WorkerPool::TryPost(std::function<void()> work) {
  MutexLock lock(&mu_);
  if (queue_.size() >= options_.waiting_max) return false;
  queue_.push_back(std::move(work));
  posted_.Signal();
  return true;
}

void WorkerPool::Run() {
  // Of Linux: the calling thread's alone. Where it is not allowed, the pool works as well.
  if (options_.niceness != 0) setpriority(PRIO_PROCESS, 0, options_.niceness);
  for (;;) {
    std::function<void()> work;
    {
      MutexLock lock(&mu_);
      while (queue_.empty() && !ending_) posted_.Wait(&mu_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace tutti::api
