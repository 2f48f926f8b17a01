#include "orchestrator/api/run_call.h"

#include <utility>

#include "orchestrator/api/answers.h"
#include "orchestrator/api/saga_view.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::api {

bool IsReached(const storage::v1::SagaRecord& record, v1::WaitUntil until) {
  if (saga::IsTerminal(record.state())) return true;
  return until != v1::WAIT_UNTIL_FINISHED && record.committed_ms() != 0;
}

grpc::ServerUnaryReactor* RunCall::Begin(const Rooms& rooms, shard::StartRequest start,
                                         const v1::RunSagaRequest* request, v1::RunSagaResponse* response) {
  const auto call = std::make_shared<RunCall>(rooms, request, response);
  call->self_ = call;
  {
    // Before the start: the saga may be over before its start is answered.
    MutexLock lock(&call->mu_);
    call->subscription_ =
        rooms.hub->Subscribe(start.saga_id, [call](const effects::WatchHub::Record& record,
                                                   const effects::WatchHub::History&) { call->OnPublished(record); });
  }
  rooms.waiting->Add(call.get(), [call](const absl::Status& status) { call->End(status); });
  rooms.router->Start(std::move(start),
                      [call](absl::StatusOr<shard::StartResult> result) { call->OnStarted(std::move(result)); });
  return call.get();
}

void RunCall::OnStarted(absl::StatusOr<shard::StartResult> result) {
  effects::WatchHub::Record record;
  {
    MutexLock lock(&mu_);
    if (answered_) return;  // and with it the request may be gone
    if (result.ok()) {
      started_ = true;
      already_started_ = result->already_started;
      if (reached_ != nullptr) {
        record = reached_;
      } else if (IsReached(result->record, request_->wait_until())) {
        record = std::make_shared<const storage::v1::SagaRecord>(std::move(result->record));
      } else {
        return;
      }
    }
    if (!ClaimAnswer()) return;
  }
  if (!result.ok()) {
    Finish(ToAnswer(result.status()));
  } else {
    Answer(std::move(record), result->already_started);
  }
}

void RunCall::OnPublished(const effects::WatchHub::Record& record) {
  bool already_started = false;
  {
    MutexLock lock(&mu_);
    if (answered_ || !IsReached(*record, request_->wait_until())) return;
    if (!started_) {
      // Whether this saga is the one the client asked for is the start's to say.
      reached_ = record;
      return;
    }
    if (!ClaimAnswer()) return;
    already_started = already_started_;
  }
  Answer(record, already_started);
}

bool RunCall::ClaimAnswer() {
  if (answered_) return false;
  answered_ = true;
  subscription_.Cancel();
  return true;
}

void RunCall::Answer(effects::WatchHub::Record record, bool already_started) {
  // Off the shard's thread: it has commits to make.
  rooms_.pool->Post([call = shared_from_this(), record = std::move(record), already_started] {
    const auto revision = call->rooms_.definitions->Get(record->definition(), record->revision());
    v1::Saga* saga = call->response_->mutable_saga();
    *saga = ToSagaWithoutInput(*record, revision.ok() ? revision->get() : nullptr);
    // The same start has the same input as sent, so there is nothing to decode.
    *saga->mutable_input() = call->request_->input();
    call->response_->set_already_started(already_started);
    call->Finish(grpc::Status::OK);
  });
}

void RunCall::End(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (!ClaimAnswer()) return;
  }
  Finish(ToAnswer(status));
}

void RunCall::OnCancel() {
  End(absl::CancelledError("the client is gone"));
}

void RunCall::OnDone() {
  const std::shared_ptr<RunCall> last = std::move(self_);
  last->rooms_.waiting->Remove(last.get());
  MutexLock lock(&last->mu_);
  last->subscription_.Cancel();
}

}  // namespace tutti::api
