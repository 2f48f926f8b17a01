// One RunSaga: starts, waits, answers.
#ifndef TUTTI_ORCHESTRATOR_API_RUN_CALL_H_
#define TUTTI_ORCHESTRATOR_API_RUN_CALL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "orchestrator/api/admission.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/api/trace_context.h"
#include "orchestrator/api/unary_call.h"
#include "orchestrator/api/waiting_calls.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/shard/router.h"
#include "orchestrator/store/hold.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::api {

// Whether a caller that waits `until` may be answered. COMPENSATED ends every wait.
bool IsReached(const storage::v1::SagaRecord& record, v1::WaitUntil until);

// Owns itself from Begin to OnDone. The client going away ends the wait and nothing else.
class RunCall final : public UnaryCall, public std::enable_shared_from_this<RunCall> {
 public:
  struct Rooms {
    shard::Router* router;
    effects::WatchHub* hub;
    const Definitions* definitions;
    WorkerPool* answers;
    WorkerPool* large;
    WaitingCalls* waiting;
    CallBudgets* budgets;
    Admission* admission;  // may be null
    const store::Hold* hold;
  };

  static grpc::ServerUnaryReactor* Begin(const Rooms& rooms, grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

  RunCall(const Rooms& rooms, grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
          grpc::ByteBuffer* response)
      : UnaryCall(context, request, response, rooms.budgets),
        rooms_(rooms),
        trace_(ReadTraceContext(context->client_metadata())) {}

  void OnCancel() override;
  void OnDone() override;

 private:
  void Refuse(const absl::Status& status) override;
  // Reads the request and starts.
  void Start();
  absl::StatusOr<shard::StartRequest> CheckRequest();
  void End(const absl::Status& status);
  void OnStarted(absl::StatusOr<shard::StartResult> result);
  // The saga was started with another fingerprint.
  void Compare(shard::StartResult result);
  void OnPublished(const effects::WatchHub::Record& record);
  // Nobody reads the request any more. False when the call was ended meanwhile; that is carried out, then.
  bool Rest();
  // True for the one that gets to answer; everybody else is late.
  bool ClaimAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AnswerWith(effects::WatchHub::Record record, bool already_started);

  const Rooms rooms_;
  const TraceContext trace_;
  std::shared_ptr<RunCall> self_;
  v1::WaitUntil until_ = v1::WAIT_UNTIL_UNSPECIFIED;  // set before the start

  Mutex mu_;
  bool answered_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = true;    // the request, which is gRPC's and gone once the call is answered
  absl::Status ended_by_ ABSL_GUARDED_BY(mu_);  // the client or a drain, while somebody was reading
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool already_started_ ABSL_GUARDED_BY(mu_) = false;
  effects::WatchHub::Record reached_ ABSL_GUARDED_BY(mu_);  // published before the start was answered
  effects::WatchHub::Subscription subscription_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_RUN_CALL_H_
