#include "orchestrator/api/saga_service.h"

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/batch_retry.h"
#include "orchestrator/api/hold_check.h"
#include "orchestrator/api/run_call.h"
#include "orchestrator/api/saga_view.h"
#include "orchestrator/api/same_start.h"
#include "orchestrator/api/start_answer.h"
#include "orchestrator/api/start_check.h"
#include "orchestrator/api/watch_call.h"
#include "orchestrator/api/word_log.h"

namespace tutti::api {
namespace {

// What every word to a saga carries: its id, a reason, and who says it.
template <typename Request>
absl::Status CheckWord(const Request& request) {
  absl::Status status = ValidateSagaId(request.saga_id());
  if (status.ok()) status = CheckReason(request.reason(), request.by());
  return status;
}

// A stream that ends before it begins.
class RefusedWatch final : public grpc::ServerWriteReactor<v1::WatchSagaResponse> {
 public:
  explicit RefusedWatch(const absl::Status& status) { Finish(ToAnswer(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

SagaService::SagaService(const Rooms& rooms)
    : rooms_(rooms),
      reads_(rooms.reader, rooms.definitions),
      answers_({.threads = 2}),
      large_({.threads = 1, .waiting_max = limits::kLargeRequestsWaitingMax, .gives_way = true}),
      points_({.threads = 2, .waiting_max = limits::kReadsWaitingMax}),
      lists_({.threads = 1, .waiting_max = limits::kListsWaitingMax, .gives_way = true}),
      watches_({.threads = 1}) {}

grpc::ServerUnaryReactor* SagaService::StartSaga(Context* context, const Bytes* request, Bytes* response) {
  auto* call = new UnaryCall(context, request, response, &word_budgets_);
  call->Work(&large_, [=, this, trace = ReadTraceContext(context->client_metadata())] { Start(trace, call); });
  return call;
}

void SagaService::Start(const TraceContext& trace, UnaryCall* call) {
  v1::StartSagaRequest request;
  if (absl::Status status = call->Parse(&request); !status.ok()) return call->Fail(status);
  auto start = CheckStart(request.saga_id(), request.definition(), request.revision(), request.input(),
                          *rooms_.definitions, rooms_.admission);
  if (!start.ok()) return call->Fail(start.status());
  RefuseWhileHeld(rooms_.hold, &*start);
  CarryTrace(trace, &*start);
  rooms_.router->Start(*std::move(start),
                       [=, this](absl::StatusOr<shard::StartResult> result) { OnStarted(std::move(result), call); });
}

void SagaService::OnStarted(absl::StatusOr<shard::StartResult> result, UnaryCall* call) {
  if (!result.ok()) return call->Fail(result.status());
  WorkerPool& pool = result->differs || IsLarge(result->record) ? large_ : answers_;
  pool.Post([=, this, result = *std::move(result)] { AnswerIfSame(result, call); });
}

void SagaService::AnswerIfSame(const shard::StartResult& result, UnaryCall* call) {
  if (result.differs) {
    v1::StartSagaRequest request;
    absl::Status same = call->Parse(&request);
    if (same.ok()) {
      same =
          CheckSameStart(result.record, request.definition(), request.revision(), request.input(), *rooms_.definitions);
    }
    if (!same.ok()) return call->Fail(same);
  }
  AnswerStart<v1::StartSagaRequest, v1::StartSagaResponse>(result.record, result.already_started, *rooms_.definitions,
                                                           call);
}

grpc::ServerUnaryReactor* SagaService::RunSaga(Context* context, const Bytes* request, Bytes* response) {
  return RunCall::Begin({.router = rooms_.router,
                         .hub = rooms_.hub,
                         .definitions = rooms_.definitions,
                         .answers = &answers_,
                         .large = &large_,
                         .waiting = &waiting_,
                         .budgets = &word_budgets_,
                         .admission = rooms_.admission,
                         .hold = rooms_.hold},
                        context, request, response);
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* SagaService::Read(WorkerPool* pool, Context* context, const Bytes* request, Bytes* response,
                                            absl::Status (SagaReads::*read)(const Request&, Response*) const) {
  auto* call = new UnaryCall(context, request, response, &read_budgets_);
  call->WorkOn(pool, [=, this] {
    Request message;
    Response answer;
    absl::Status status = call->Parse(&message);
    if (status.ok()) status = (reads_.*read)(message, &answer);
    if (!status.ok()) return call->Fail(status);
    call->Answer(answer);
  });
  return call;
}

grpc::ServerUnaryReactor* SagaService::GetSaga(Context* context, const Bytes* request, Bytes* response) {
  return Read(&points_, context, request, response, &SagaReads::Get);
}

grpc::ServerUnaryReactor* SagaService::ListSagas(Context* context, const Bytes* request, Bytes* response) {
  return Read(&lists_, context, request, response, &SagaReads::List);
}

grpc::ServerUnaryReactor* SagaService::GetSagaHistory(Context* context, const Bytes* request, Bytes* response) {
  return Read(&points_, context, request, response, &SagaReads::History);
}

grpc::ServerWriteReactor<v1::WatchSagaResponse>* SagaService::WatchSaga(Context*, const v1::WatchSagaRequest* request) {
  absl::Status status = ValidateSagaId(request->saga_id());
  if (status.ok()) status = CheckFromSequence(request->from_sequence());
  if (!status.ok()) return new RefusedWatch(status);
  return WatchCall::Begin({rooms_.reader, rooms_.hub, &watches_, &waiting_}, request->saga_id(),
                          request->from_sequence());
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* SagaService::Tell(Context* context, const Bytes* request, Bytes* response,
                                            absl::StatusOr<shard::SagaWord> (SagaService::*check)(const Request&)
                                                const) {
  auto* call = new UnaryCall(context, request, response, &word_budgets_);
  const auto work = [=, this, caller = CallerOf(*context)] {
    Request message;
    if (absl::Status status = call->Parse(&message); !status.ok()) return call->Fail(status);
    auto word = (this->*check)(message);
    if (!word.ok()) return call->Fail(word.status());
    rooms_.router->Tell(message.saga_id(), *std::move(word), [=, this](absl::StatusOr<storage::v1::SagaRecord> record) {
      LogWord(message, caller, record.status());
      if (!record.ok()) return call->Fail(record.status());
      WorkerPool& pool = IsLarge(*record) ? large_ : answers_;
      pool.Post([=, this, record = *std::move(record)] {
        Response answer;
        *answer.mutable_saga() = ToSaga(record, reads_.RevisionOf(record).get());
        AnswerWithSaga(&answer, call);
      });
    });
  };
  if constexpr (std::is_same_v<Request, v1::ResolveStepRequest>) {
    call->WorkOn(&large_, work);  // its check reads the saga
  } else {
    call->Work(&large_, work);
  }
  return call;
}

grpc::ServerUnaryReactor* SagaService::CancelSaga(Context* context, const Bytes* request, Bytes* response) {
  return Tell<v1::CancelSagaRequest, v1::CancelSagaResponse>(context, request, response, &SagaService::CheckCancel);
}

absl::StatusOr<shard::SagaWord> SagaService::CheckCancel(const v1::CancelSagaRequest& request) const {
  if (absl::Status status = CheckWord(request); !status.ok()) return status;
  return saga::CancelRequested{.reason = request.reason(), .by = request.by()};
}

grpc::ServerUnaryReactor* SagaService::RetrySaga(Context* context, const Bytes* request, Bytes* response) {
  return Tell<v1::RetrySagaRequest, v1::RetrySagaResponse>(context, request, response, &SagaService::CheckRetry);
}

absl::StatusOr<shard::SagaWord> SagaService::CheckRetry(const v1::RetrySagaRequest& request) const {
  if (absl::Status status = CheckWord(request); !status.ok()) return status;
  if (request.steps().empty() || request.steps_size() > limits::kStepsMax) {
    return InvalidArgumentError(
        "FIELD_INVALID", {{"steps", "must name the parked steps to retry, each with its parking.history_sequence"}});
  }
  saga::RetryRequested retry{.reason = request.reason(), .by = request.by()};
  for (const v1::ParkedStep& step : request.steps()) retry.parkings.push_back({step.step(), step.history_sequence()});
  return retry;
}

grpc::ServerUnaryReactor* SagaService::BatchRetrySagas(Context* context, const Bytes* request, Bytes* response) {
  auto* call = new UnaryCall(context, request, response, &word_budgets_);
  call->WorkOn(&large_, [=, this, caller = CallerOf(*context)] {
    BatchRetry::Begin({rooms_.router, rooms_.reader, &answers_, caller}, call);
  });
  return call;
}

grpc::ServerUnaryReactor* SagaService::ResolveStep(Context* context, const Bytes* request, Bytes* response) {
  return Tell<v1::ResolveStepRequest, v1::ResolveStepResponse>(context, request, response, &SagaService::CheckResolve);
}

absl::StatusOr<shard::SagaWord> SagaService::CheckResolve(const v1::ResolveStepRequest& request) const {
  if (absl::Status status = CheckWord(request); !status.ok()) return status;
  std::vector<FieldViolation> violations;
  const bool done = request.resolution() == v1::RESOLUTION_DONE;
  if (!done && request.resolution() != v1::RESOLUTION_UNDONE) {
    violations.push_back({"resolution", "must be DONE or UNDONE"});
  }
  if (request.reason().empty())
    violations.push_back({"reason", "is empty; say how you know, for those who come after"});
  if (request.step().empty()) violations.push_back({"step", "is empty; name the parked step"});
  if (!done && request.has_reply()) violations.push_back({"reply", "belongs to DONE only"});
  if (!violations.empty()) return InvalidArgumentError("FIELD_INVALID", violations);
  saga::ResolveRequested resolve{.parking = {request.step(), request.history_sequence()},
                                 .resolution = request.resolution(),
                                 .reason = request.reason(),
                                 .by = request.by()};
  if (!done) return resolve;
  auto reply = EncodeReply(request);
  if (!reply.ok()) return reply.status();
  resolve.reply = *std::move(reply);
  return resolve;
}

absl::StatusOr<std::optional<std::string>> SagaService::EncodeReply(const v1::ResolveStepRequest& request) const {
  const auto record = rooms_.reader->GetSaga(request.saga_id());
  if (!record.ok()) return SagaError(record.status(), request.saga_id());
  const auto revision = reads_.RevisionOf(*record);
  if (revision == nullptr) return absl::InternalError("the saga's definition revision is missing");
  auto reply = revision->compiled->EncodeReply(request.step(),
                                               request.has_reply() ? std::optional(request.reply()) : std::nullopt);
  if (reply.ok() && reply->has_value() && (*reply)->size() > limits::kReplyBytesMax) {
    return InvalidArgumentError(
        "FIELD_INVALID",
        {{"reply", absl::StrCat("has ", (*reply)->size(), " bytes; at most ", limits::kReplyBytesMax)}});
  }
  return reply;
}

}  // namespace tutti::api
