// One RunSaga: starts, waits, answers.
#ifndef TUTTI_ORCHESTRATOR_API_RUN_CALL_H_
#define TUTTI_ORCHESTRATOR_API_RUN_CALL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/api/waiting_calls.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/shard/router.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::api {

// Whether a caller that waits `until` may be answered. COMPENSATED ends every wait.
bool IsReached(const storage::v1::SagaRecord& record, v1::WaitUntil until);

// Owns itself from Begin to OnDone. The client going away ends the wait and nothing else.
class RunCall final : public grpc::ServerUnaryReactor, public std::enable_shared_from_this<RunCall> {
 public:
  struct Rooms {
    shard::Router* router;
    effects::WatchHub* hub;
    const Definitions* definitions;
    WorkerPool* pool;
    WaitingCalls* waiting;
  };

  static grpc::ServerUnaryReactor* Begin(const Rooms& rooms, shard::StartRequest start,
                                         const v1::RunSagaRequest* request, v1::RunSagaResponse* response);

  RunCall(const Rooms& rooms, const v1::RunSagaRequest* request, v1::RunSagaResponse* response)
      : rooms_(rooms), request_(request), response_(response) {}

  void OnCancel() override;
  void OnDone() override;

 private:
  void End(const absl::Status& status);
  void OnStarted(absl::StatusOr<shard::StartResult> result);
  void OnPublished(const effects::WatchHub::Record& record);
  // True for the one that gets to answer; everybody else is late.
  bool ClaimAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Answer(effects::WatchHub::Record record, bool already_started);

  const Rooms rooms_;
  const v1::RunSagaRequest* const request_;
  v1::RunSagaResponse* const response_;
  std::shared_ptr<RunCall> self_;

  Mutex mu_;
  bool answered_ ABSL_GUARDED_BY(mu_) = false;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool already_started_ ABSL_GUARDED_BY(mu_) = false;
  effects::WatchHub::Record reached_ ABSL_GUARDED_BY(mu_);  // published before the start was answered
  effects::WatchHub::Subscription subscription_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_RUN_CALL_H_
