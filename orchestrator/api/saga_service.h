// tutti.v1.SagaService: check, route, answer. Reads go to the store, off the shards' threads.
#ifndef TUTTI_ORCHESTRATOR_API_SAGA_SERVICE_H_
#define TUTTI_ORCHESTRATOR_API_SAGA_SERVICE_H_

#include <string>

#include "common/limits.h"
#include "orchestrator/api/admission.h"
#include "orchestrator/api/call_budget.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/api/saga_reads.h"
#include "orchestrator/api/trace_context.h"
#include "orchestrator/api/unary_call.h"
#include "orchestrator/api/waiting_calls.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/shard/router.h"
#include "orchestrator/store/hold.h"
#include "orchestrator/store/saga_store.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::api {

// Every unary method takes and gives bytes: see UnaryCall.
template <typename Base>
using RawSagaReads = v1::SagaService::WithRawCallbackMethod_GetSaga<
    v1::SagaService::WithRawCallbackMethod_ListSagas<v1::SagaService::WithRawCallbackMethod_GetSagaHistory<Base>>>;
template <typename Base>
using RawSagaWords = v1::SagaService::WithRawCallbackMethod_CancelSaga<v1::SagaService::WithRawCallbackMethod_RetrySaga<
    v1::SagaService::WithRawCallbackMethod_BatchRetrySagas<v1::SagaService::WithRawCallbackMethod_ResolveStep<Base>>>>;
template <typename Base>
using RawSagaStarts =
    v1::SagaService::WithRawCallbackMethod_StartSaga<v1::SagaService::WithRawCallbackMethod_RunSaga<Base>>;
using RawSagaService =
    RawSagaStarts<RawSagaReads<RawSagaWords<v1::SagaService::WithCallbackMethod_WatchSaga<v1::SagaService::Service>>>>;

// Thread-safe. Register it with a server that ends before it does; shut the server down before the shards, so that no
// start is left without its answer.
//
// Each kind of work has its own threads and its own bounds, so that none waits behind another: answers of the shards;
// requests and answers that are large; what reads one saga; listings, which come last; watches. What finds no room is
// refused with OVERLOADED; a start that finds no memory or disk, as Admission says.
class SagaService final : public RawSagaService {
 public:
  // All must outlive the service.
  struct Rooms {
    shard::Router* router = nullptr;
    const store::SagaReader* reader = nullptr;
    const Definitions* definitions = nullptr;
    effects::WatchHub* hub = nullptr;
    Admission* admission = nullptr;     // null: every start finds room
    const store::Hold* hold = nullptr;  // null: the store is never held
  };

  explicit SagaService(const Rooms& rooms);

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerUnaryReactor* StartSaga(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* RunSaga(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* GetSaga(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* ListSagas(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerWriteReactor<v1::WatchSagaResponse>* WatchSaga(Context* context,
                                                             const v1::WatchSagaRequest* request) override;
  grpc::ServerUnaryReactor* GetSagaHistory(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* CancelSaga(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* RetrySaga(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* BatchRetrySagas(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* ResolveStep(Context* context, const Bytes* request, Bytes* response) override;

  // Answers every RunSaga and WatchSaga that waits with SHUTTING_DOWN, from now on: a drain would otherwise last as
  // long as they do. Their sagas go on.
  void EndWaits() { waiting_.EndAll(); }

 private:
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Read(WorkerPool* pool, Context* context, const Bytes* request, Bytes* response,
                                 absl::Status (SagaReads::*read)(const Request&, Response*) const);
  // Answers with the saga as the word left it.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Tell(Context* context, const Bytes* request, Bytes* response,
                                 absl::StatusOr<shard::SagaWord> (SagaService::*check)(const Request&) const);
  void Start(const TraceContext& trace, UnaryCall* call);
  void OnStarted(absl::StatusOr<shard::StartResult> result, UnaryCall* call);
  void AnswerIfSame(const shard::StartResult& result, UnaryCall* call);
  absl::StatusOr<shard::SagaWord> CheckCancel(const v1::CancelSagaRequest& request) const;
  absl::StatusOr<shard::SagaWord> CheckRetry(const v1::RetrySagaRequest& request) const;
  absl::StatusOr<shard::SagaWord> CheckResolve(const v1::ResolveStepRequest& request) const;
  absl::StatusOr<std::optional<std::string>> EncodeReply(const v1::ResolveStepRequest& request) const;

  const Rooms rooms_;
  const SagaReads reads_;
  WaitingCalls waiting_;
  CallBudgets word_budgets_;
  CallBudgets read_budgets_;
  WorkerPool answers_;
  WorkerPool large_;
  WorkerPool points_;
  WorkerPool lists_;
  WorkerPool watches_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SAGA_SERVICE_H_
