// One BatchRetrySagas: a retry for each parking that is named, and one answer when all of them were answered.
#ifndef TUTTI_ORCHESTRATOR_API_BATCH_RETRY_H_
#define TUTTI_ORCHESTRATOR_API_BATCH_RETRY_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "orchestrator/api/unary_call.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/shard/router.h"
#include "orchestrator/store/saga_store.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::api {

class BatchRetry : public std::enable_shared_from_this<BatchRetry> {
 public:
  struct Rooms {
    shard::Router* router;
    const store::SagaReader* reader;
    WorkerPool* answers;
    std::string caller;  // for the log
  };

  // Reads the request of `call`, and ends it.
  static void Begin(const Rooms& rooms, UnaryCall* call);

  BatchRetry(const Rooms& rooms, UnaryCall* call, v1::BatchRetrySagasRequest request);

 private:
  static absl::Status Check(const v1::BatchRetrySagasRequest& request);
  void Retry();
  void Look();
  // Whether the step is parked so, by what is committed.
  absl::Status LookAt(const v1::SagaParking& parking) const;
  void Answer();
  void LogRetry(const v1::SagaParking& parking, const absl::Status& outcome) const;

  const Rooms rooms_;
  UnaryCall* const call_;
  const v1::BatchRetrySagasRequest request_;
  std::vector<absl::Status> outcomes_;  // each written once, by whoever counts down for it
  std::atomic<int> unanswered_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_BATCH_RETRY_H_
