// A few threads for work that must hold up neither a shard nor gRPC's own threads: handlers of the callback API that
// block run two at a time.
#ifndef TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_
#define TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace tutti::api {

// Thread-safe.
class WorkerPool {
 public:
  // What a thread has had of the processors since it began.
  struct ThreadUse {
    std::chrono::microseconds processor{0};
    int64_t preempted = 0;  // times that the system gave its processor to somebody else
  };
  static ThreadUse UseOfThisThread();
  // Three times what the work between the two took, so that four such threads take one processor at most; or nothing,
  // when nobody else wanted it.
  static std::chrono::microseconds RestAfter(const ThreadUse& before, const ThreadUse& after);

  struct Options {
    int threads = 1;
    size_t waiting_max = std::numeric_limits<size_t>::max();  // of what TryPost takes
    // Its threads rest after work during which somebody else wanted their processor: see RestAfter. A lower priority
    // would not do: it counts only among the threads of this process, whose turn the others' then is, and a thread
    // that is kept waiting keeps the locks it holds.
    bool gives_way = false;
    std::function<ThreadUse()> use = UseOfThisThread;  // tests have their own
  };

  explicit WorkerPool(const Options& options);
  // Runs what was posted before, then ends.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // For what was accepted before: whoever accepted it has bounded it.
  void Post(std::function<void()> work);
  // False, and nothing happens, when waiting_max wait already.
  bool TryPost(std::function<void()> work);

 private:
  void Run();
  void Rest(std::chrono::microseconds time);

  const Options options_;
  Mutex mu_;
  CondVar posted_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_
