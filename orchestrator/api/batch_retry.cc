#include "orchestrator/api/batch_retry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/word_log.h"
#include "orchestrator/saga/outcome.h"

namespace tutti::api {

BatchRetry::BatchRetry(const Rooms& rooms, UnaryCall* call, v1::BatchRetrySagasRequest request)
    : rooms_(rooms),
      call_(call),
      request_(std::move(request)),
      outcomes_(static_cast<size_t>(request_.parkings_size())),
      unanswered_(request_.parkings_size()) {}

void BatchRetry::Begin(const Rooms& rooms, UnaryCall* call) {
  v1::BatchRetrySagasRequest request;
  absl::Status status = call->Parse(&request);
  if (status.ok()) status = Check(request);
  if (!status.ok()) return call->Fail(status);
  const auto batch = std::make_shared<BatchRetry>(rooms, call, std::move(request));
  if (batch->request_.validate_only()) return batch->Look();
  batch->Retry();
}

absl::Status BatchRetry::Check(const v1::BatchRetrySagasRequest& request) {
  if (request.parkings().empty() || request.parkings_size() > limits::kPageSizeMax) {
    return InvalidArgumentError("FIELD_INVALID",
                                {{"parkings", absl::StrCat("has ", request.parkings_size(), " entries; name from 1 to ",
                                                           limits::kPageSizeMax, " parkings that you have seen")}});
  }
  for (int i = 0; i < request.parkings_size(); ++i) {
    if (ValidateSagaId(request.parkings(i).saga_id()).ok()) continue;
    return InvalidArgumentError("SAGA_ID_INVALID",
                                {{absl::StrCat("parkings[", i, "].saga_id"), "is no id that a saga can have"}});
  }
  return CheckReason(request.reason(), request.by());
}

void BatchRetry::Retry() {
  const auto batch = shared_from_this();
  for (int i = 0; i < request_.parkings_size(); ++i) {
    const v1::SagaParking& parking = request_.parkings(i);
    saga::RetryRequested retry{
        .parkings = {{parking.step(), parking.history_sequence()}}, .reason = request_.reason(), .by = request_.by()};
    rooms_.router->Tell(parking.saga_id(), std::move(retry),
                        [batch, i](const absl::StatusOr<storage::v1::SagaRecord>& record) {
                          batch->LogRetry(batch->request_.parkings(i), record.status());
                          batch->outcomes_[static_cast<size_t>(i)] = record.status();
                          if (batch->unanswered_.fetch_sub(1) > 1) return;
                          batch->rooms_.answers->Post([batch] { batch->Answer(); });
                        });
  }
}

void BatchRetry::Look() {
  for (int i = 0; i < request_.parkings_size(); ++i) outcomes_[static_cast<size_t>(i)] = LookAt(request_.parkings(i));
  Answer();
}

absl::Status BatchRetry::LookAt(const v1::SagaParking& parking) const {
  const auto record = rooms_.reader->GetSaga(parking.saga_id());
  if (!record.ok()) return SagaError(record.status(), parking.saga_id());
  for (const auto& step : record->steps()) {
    if (step.name() != parking.step()) continue;
    if (step.has_parking() && step.parking().history_sequence() == parking.history_sequence()) return absl::OkStatus();
    return WithReason(absl::FailedPreconditionError("not parked so"), "PARKING_STALE");
  }
  return WithReason(absl::FailedPreconditionError("no such step"), "STEP_NOT_FOUND");
}

// As if each of them had been said by itself.
void BatchRetry::LogRetry(const v1::SagaParking& parking, const absl::Status& outcome) const {
  v1::RetrySagaRequest retry;
  retry.set_saga_id(parking.saga_id());
  retry.add_steps()->set_step(parking.step());
  retry.set_reason(request_.reason());
  retry.set_by(request_.by());
  LogWord(retry, rooms_.caller, outcome);
}

void BatchRetry::Answer() {
  v1::BatchRetrySagasResponse response;
  for (int i = 0; i < request_.parkings_size(); ++i) {
    const absl::Status& outcome = outcomes_[static_cast<size_t>(i)];
    v1::BatchResult* result = response.add_results();
    result->set_saga_id(request_.parkings(i).saga_id());
    result->set_step(request_.parkings(i).step());
    result->set_code(saga::StatusCodeName(static_cast<int>(outcome.code())));
    result->set_reason(ReasonOf(outcome));
  }
  call_->Answer(response);
}

}  // namespace tutti::api
