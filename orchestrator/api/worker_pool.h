// A few threads for work that must hold up neither a shard nor gRPC's own threads: handlers of the callback API that
// block run two at a time.
#ifndef TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_
#define TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace tutti::api {

// Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  // Runs what was posted before, then ends.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Post(std::function<void()> work);

 private:
  void Run();

  Mutex mu_;
  CondVar posted_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_WORKER_POOL_H_
