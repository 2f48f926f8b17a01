#include "orchestrator/api/run_call.h"

#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/hold_check.h"
#include "orchestrator/api/same_start.h"
#include "orchestrator/api/start_answer.h"
#include "orchestrator/api/start_check.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::api {

bool IsReached(const storage::v1::SagaRecord& record, v1::WaitUntil until) {
  if (saga::IsTerminal(record.state())) return true;
  return until != v1::WAIT_UNTIL_FINISHED && record.committed_ms() != 0;
}

grpc::ServerUnaryReactor* RunCall::Begin(const Rooms& rooms, grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto call = std::make_shared<RunCall>(rooms, context, request, response);
  call->self_ = call;
  call->Work(rooms.large, [call] { call->Start(); });
  return call.get();
}

absl::StatusOr<shard::StartRequest> RunCall::CheckRequest() {
  v1::RunSagaRequest request;
  if (absl::Status status = Parse(&request); !status.ok()) return status;
  if (!v1::WaitUntil_IsValid(request.wait_until())) {
    return InvalidArgumentError("FIELD_INVALID", {{"wait_until", "must be COMMITTED or FINISHED"}});
  }
  until_ = request.wait_until();
  return CheckStart(request.saga_id(), request.definition(), request.revision(), request.input(), *rooms_.definitions,
                    rooms_.admission);
}

void RunCall::Start() {
  const auto call = shared_from_this();
  auto start = CheckRequest();
  if (!start.ok()) return Refuse(start.status());
  RefuseWhileHeld(rooms_.hold, &*start);
  CarryTrace(trace_, &*start);
  {
    // Before the start: the saga may be over before its start is answered.
    MutexLock lock(&mu_);
    subscription_ =
        rooms_.hub->Subscribe(start->saga_id, [call](const effects::WatchHub::Record& record,
                                                     const effects::WatchHub::History&) { call->OnPublished(record); });
  }
  const absl::Status waits = rooms_.waiting->Add(this, [call](const absl::Status& status) { call->End(status); });
  if (!waits.ok()) return Refuse(waits);
  if (!Rest()) return;
  rooms_.router->Start(*std::move(start),
                       [call](absl::StatusOr<shard::StartResult> result) { call->OnStarted(std::move(result)); });
}

void RunCall::Refuse(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    reading_ = false;
    if (!ClaimAnswer()) return;
  }
  Fail(status);
}

bool RunCall::Rest() {
  absl::Status ended_by;
  {
    MutexLock lock(&mu_);
    reading_ = false;
    if (ended_by_.ok()) return true;
    ended_by = ended_by_;
  }
  End(ended_by);
  return false;
}

void RunCall::OnStarted(absl::StatusOr<shard::StartResult> result) {
  effects::WatchHub::Record record;
  {
    MutexLock lock(&mu_);
    if (answered_) return;
    if (result.ok() && result->differs) {
      reading_ = true;
      rooms_.large->Post([call = shared_from_this(), result = *std::move(result)] { call->Compare(result); });
      return;
    }
    if (result.ok()) {
      started_ = true;
      already_started_ = result->already_started;
      if (reached_ != nullptr) {
        record = reached_;
      } else if (IsReached(result->record, until_)) {
        record = std::make_shared<const storage::v1::SagaRecord>(std::move(result->record));
      } else {
        return;
      }
    }
    if (!ClaimAnswer()) return;
  }
  if (!result.ok()) {
    Fail(result.status());
  } else {
    AnswerWith(std::move(record), result->already_started);
  }
}

void RunCall::Compare(shard::StartResult result) {
  v1::RunSagaRequest request;
  absl::Status same = Parse(&request);
  if (same.ok()) {
    same =
        CheckSameStart(result.record, request.definition(), request.revision(), request.input(), *rooms_.definitions);
  }
  if (!same.ok()) return Refuse(same);
  if (!Rest()) return;
  result.differs = false;
  OnStarted(std::move(result));
}

void RunCall::OnPublished(const effects::WatchHub::Record& record) {
  bool already_started = false;
  {
    MutexLock lock(&mu_);
    if (answered_ || !IsReached(*record, until_)) return;
    if (!started_) {
      // Whether this saga is the one the client asked for is the start's to say.
      reached_ = record;
      return;
    }
    if (!ClaimAnswer()) return;
    already_started = already_started_;
  }
  AnswerWith(record, already_started);
}

bool RunCall::ClaimAnswer() {
  if (answered_) return false;
  answered_ = true;
  subscription_.Cancel();
  return true;
}

void RunCall::AnswerWith(effects::WatchHub::Record record, bool already_started) {
  // Off the shard's thread: it has commits to make.
  WorkerPool* const pool = IsLarge(*record) ? rooms_.large : rooms_.answers;
  pool->Post([call = shared_from_this(), record = std::move(record), already_started] {
    AnswerStart<v1::RunSagaRequest, v1::RunSagaResponse>(*record, already_started, *call->rooms_.definitions,
                                                         call.get());
  });
}

void RunCall::End(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (reading_) {
      ended_by_ = status;
      return;  // whoever reads carries it out
    }
    if (!ClaimAnswer()) return;
  }
  Fail(status);
}

void RunCall::OnCancel() {
  UnaryCall::OnCancel();
  End(absl::CancelledError("the client is gone"));
}

void RunCall::OnDone() {
  ReturnBytes();
  const std::shared_ptr<RunCall> last = std::move(self_);
  last->rooms_.waiting->Remove(last.get());
  MutexLock lock(&last->mu_);
  last->subscription_.Cancel();
}

}  // namespace tutti::api
