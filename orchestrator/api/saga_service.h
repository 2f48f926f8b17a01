// tutti.v1.SagaService: check, route, answer. Reads go to the store, off the shards' threads.
#ifndef TUTTI_ORCHESTRATOR_API_SAGA_SERVICE_H_
#define TUTTI_ORCHESTRATOR_API_SAGA_SERVICE_H_

#include "orchestrator/api/definitions.h"
#include "orchestrator/api/waiting_calls.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/shard/router.h"
#include "orchestrator/store/saga_store.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::api {

// Thread-safe. Register it with a server that ends before it does; shut the server down before the shards, so that no
// start is left without its answer.
class SagaService final : public v1::SagaService::CallbackService {
 public:
  // All must outlive the service.
  struct Rooms {
    shard::Router* router = nullptr;
    const store::SagaReader* reader = nullptr;
    const Definitions* definitions = nullptr;
    effects::WatchHub* hub = nullptr;
  };

  explicit SagaService(const Rooms& rooms) : rooms_(rooms), pool_(kWorkers) {}

  grpc::ServerUnaryReactor* StartSaga(grpc::CallbackServerContext* context, const v1::StartSagaRequest* request,
                                      v1::StartSagaResponse* response) override;
  grpc::ServerUnaryReactor* RunSaga(grpc::CallbackServerContext* context, const v1::RunSagaRequest* request,
                                    v1::RunSagaResponse* response) override;
  grpc::ServerUnaryReactor* GetSaga(grpc::CallbackServerContext* context, const v1::GetSagaRequest* request,
                                    v1::GetSagaResponse* response) override;
  grpc::ServerUnaryReactor* ListSagas(grpc::CallbackServerContext* context, const v1::ListSagasRequest* request,
                                      v1::ListSagasResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchSagaResponse>* WatchSaga(grpc::CallbackServerContext* context,
                                                             const v1::WatchSagaRequest* request) override;
  grpc::ServerUnaryReactor* GetSagaHistory(grpc::CallbackServerContext* context,
                                           const v1::GetSagaHistoryRequest* request,
                                           v1::GetSagaHistoryResponse* response) override;
  grpc::ServerUnaryReactor* CancelSaga(grpc::CallbackServerContext* context, const v1::CancelSagaRequest* request,
                                       v1::CancelSagaResponse* response) override;
  grpc::ServerUnaryReactor* RetrySaga(grpc::CallbackServerContext* context, const v1::RetrySagaRequest* request,
                                      v1::RetrySagaResponse* response) override;
  grpc::ServerUnaryReactor* ResolveStep(grpc::CallbackServerContext* context, const v1::ResolveStepRequest* request,
                                        v1::ResolveStepResponse* response) override;

  // Answers every RunSaga and WatchSaga that waits with SHUTTING_DOWN, from now on: a drain would otherwise last as
  // long as they do. Their sagas go on.
  void EndWaits() { waiting_.EndAll(); }

 private:
  static constexpr int kWorkers = 2;

  // Answers with the saga as the word left it.
  grpc::ServerUnaryReactor* Tell(grpc::CallbackServerContext* context, const std::string& saga_id, shard::SagaWord word,
                                 v1::Saga* answer);
  absl::StatusOr<saga::ResolveRequested> CheckResolve(const v1::ResolveStepRequest& request) const;
  std::shared_ptr<const catalog::Revision> RevisionOf(const storage::v1::SagaRecord& record) const;
  absl::Status List(const v1::ListSagasRequest& request, v1::ListSagasResponse* response) const;
  absl::Status ReadHistory(const v1::GetSagaHistoryRequest& request, v1::GetSagaHistoryResponse* response) const;

  const Rooms rooms_;
  WaitingCalls waiting_;
  WorkerPool pool_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SAGA_SERVICE_H_
