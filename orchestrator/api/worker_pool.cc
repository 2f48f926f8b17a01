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
  for (;;) {
    std::function<void()> work;
    {
      MutexLock lock(&mu_);
      while (queue_.empty() && !ending_) posted_.Wait(&mu_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    if (!options_.gives_way) {
      work();
      continue;
    }
    const ThreadUse before = options_.use();
    work();
    work = nullptr;  // what it holds is nobody's during a rest
    Rest(RestAfter(before, options_.use()));
  }
}

void WorkerPool::Rest(std::chrono::microseconds time) {
  if (time.count() == 0) return;
  const auto over = std::chrono::steady_clock::now() + time;
  MutexLock lock(&mu_);
  while (!ending_ && std::chrono::steady_clock::now() < over) posted_.WaitUntil(&mu_, over);
}

WorkerPool::ThreadUse WorkerPool::UseOfThisThread() {
  rusage use{};
  getrusage(RUSAGE_THREAD, &use);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return {.processor = of(use.ru_utime) + of(use.ru_stime), .preempted = use.ru_nivcsw};
}

std::chrono::microseconds WorkerPool::RestAfter(const ThreadUse& before, const ThreadUse& after) {
  if (after.preempted == before.preempted) return std::chrono::microseconds(0);
  return 3 * (after.processor - before.processor);
}

}  // namespace tutti::api
