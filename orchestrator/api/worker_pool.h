// A few threads for work that must hold up neither a shard nor gRPC's own threads: handlers of the callback API that
// block run two at a time.
#ifndef TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_
#define TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_

#include <cstddef>
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
  struct Options {
    int threads = 1;
    size_t waiting_max = std::numeric_limits<size_t>::max();  // of what TryPost takes
    int niceness = 0;  // of its threads, where the system has such a thing; above 0: others come first
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

  const Options options_;
  Mutex mu_;
  CondVar posted_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_
