#include "orchestrator/api/saga_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/filter.h"
#include "orchestrator/api/page_token.h"
#include "orchestrator/api/run_call.h"
#include "orchestrator/api/saga_view.h"
#include "orchestrator/api/start_check.h"
#include "orchestrator/api/trace_context.h"
#include "orchestrator/api/watch_call.h"

namespace tutti::api {
namespace {

constexpr int kListPageDefault = 50;
constexpr int kHistoryPageDefault = 1000;
// Sagas read at a time, so that a page can end where its bytes do.
constexpr int kListChunk = 100;

grpc::ServerUnaryReactor* AnswerNow(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToAnswer(status));
  return reactor;
}

// The store says that something is missing; a client wants to know that it was the saga.
absl::Status SagaError(const absl::Status& status, absl::string_view saga_id) {
  if (!absl::IsNotFound(status)) return status;
  return WithReason(absl::NotFoundError(absl::StrCat("saga_id: there is no saga ", saga_id)), "SAGA_NOT_FOUND");
}

absl::Status CheckFromSequence(int64_t from_sequence) {
  if (from_sequence >= 0) return absl::OkStatus();
  return InvalidArgumentError("FIELD_INVALID",
                              {{"from_sequence", "must not be negative; 0 and 1 mean from the beginning"}});
}

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return absl::OkStatus();
  return InvalidArgumentError("FIELD_INVALID",
                              {{std::string(field), absl::StrCat("has ", text.size(), " bytes; at most ", bytes_max)}});
}

// What every word to a saga carries: its id, a reason, and who says it.
template <typename Request>
absl::Status CheckWord(const Request& request) {
  absl::Status status = ValidateSagaId(request.saga_id());
  if (status.ok()) status = CheckText("reason", request.reason(), limits::kStatusMessageBytesMax);
  if (status.ok()) status = CheckText("by", request.by(), limits::kLabelBytesMax);
  return status;
}

void CarryTrace(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata, shard::StartRequest* start) {
  TraceContext trace = ReadTraceContext(metadata);
  start->traceparent = std::move(trace.traceparent);
  start->tracestate = std::move(trace.tracestate);
}

// A stream that ends before it begins.
class RefusedWatch final : public grpc::ServerWriteReactor<v1::WatchSagaResponse> {
 public:
  explicit RefusedWatch(const absl::Status& status) { Finish(ToAnswer(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

std::shared_ptr<const catalog::Revision> SagaService::RevisionOf(const storage::v1::SagaRecord& record) const {
  auto revision = rooms_.definitions->Get(record.definition(), record.revision());
  return revision.ok() ? *std::move(revision) : nullptr;
}

grpc::ServerUnaryReactor* SagaService::StartSaga(grpc::CallbackServerContext* context,
                                                 const v1::StartSagaRequest* request, v1::StartSagaResponse* response) {
  auto start =
      CheckStart(request->saga_id(), request->definition(), request->revision(), request->input(), *rooms_.definitions);
  if (!start.ok()) return AnswerNow(context, start.status());
  CarryTrace(context->client_metadata(), &*start);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  rooms_.router->Start(*std::move(start), [=, this](absl::StatusOr<shard::StartResult> result) {
    pool_.Post([=, this, result = std::move(result)] {
      if (!result.ok()) return reactor->Finish(ToAnswer(result.status()));
      *response->mutable_saga() = ToSagaWithoutInput(result->record, RevisionOf(result->record).get());
      // The same start has the same input as sent, so there is nothing to decode.
      *response->mutable_saga()->mutable_input() = request->input();
      response->set_already_started(result->already_started);
      reactor->Finish(grpc::Status::OK);
    });
  });
  return reactor;
}

grpc::ServerUnaryReactor* SagaService::RunSaga(grpc::CallbackServerContext* context, const v1::RunSagaRequest* request,
                                               v1::RunSagaResponse* response) {
  if (!v1::WaitUntil_IsValid(request->wait_until())) {
    return AnswerNow(context, InvalidArgumentError("FIELD_INVALID", {{"wait_until", "must be COMMITTED or FINISHED"}}));
  }
  auto start =
      CheckStart(request->saga_id(), request->definition(), request->revision(), request->input(), *rooms_.definitions);
  if (!start.ok()) return AnswerNow(context, start.status());
  CarryTrace(context->client_metadata(), &*start);
  return RunCall::Begin({rooms_.router, rooms_.hub, rooms_.definitions, &pool_, &waiting_}, *std::move(start), request,
                        response);
}

grpc::ServerUnaryReactor* SagaService::GetSaga(grpc::CallbackServerContext* context, const v1::GetSagaRequest* request,
                                               v1::GetSagaResponse* response) {
  if (absl::Status status = ValidateSagaId(request->saga_id()); !status.ok()) return AnswerNow(context, status);
  const auto record = rooms_.reader->GetSaga(request->saga_id());
  if (!record.ok()) return AnswerNow(context, SagaError(record.status(), request->saga_id()));
  *response->mutable_saga() = ToSaga(*record, RevisionOf(*record).get());
  return AnswerNow(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SagaService::ListSagas(grpc::CallbackServerContext* context,
                                                 const v1::ListSagasRequest* request, v1::ListSagasResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  pool_.Post([=, this] { reactor->Finish(ToAnswer(List(*request, response))); });
  return reactor;
}

absl::Status SagaService::List(const v1::ListSagasRequest& request, v1::ListSagasResponse* response) const {
  auto query = ParseFilter(request.filter());
  if (!query.ok()) return query.status();
  const auto page_size = PageSize(request.page_size(), kListPageDefault);
  if (!page_size.ok()) return page_size.status();
  const std::string bound_to = absl::StrCat("sagas|", request.filter());
  auto cursor = DecodePageToken(bound_to, request.page_token());
  if (!cursor.ok()) return cursor.status();
  query->cursor = *std::move(cursor);
  size_t bytes = 0;
  bool full = true;  // a chunk that is not has reached the end, or as far as the store looks in one go
  do {
    query->page_size = std::min(kListChunk, *page_size - response->sagas_size());
    auto page = rooms_.reader->ListSagas(*query);
    if (!page.ok()) return absl::IsInvalidArgument(page.status()) ? PageTokenError() : page.status();
    for (const storage::v1::SagaRecord& record : page->sagas) {
      v1::Saga* saga = response->add_sagas();
      *saga = ToSagaWithoutInput(record, RevisionOf(record).get());
      saga->clear_output();
      bytes += saga->ByteSizeLong();
    }
    full = static_cast<int>(page->sagas.size()) == query->page_size;
    query->cursor = std::move(page->next_cursor);
  } while (full && !query->cursor.empty() && response->sagas_size() < *page_size && bytes < limits::kPageBytesMax);
  response->set_next_page_token(EncodePageToken(bound_to, query->cursor));
  return absl::OkStatus();
}

grpc::ServerWriteReactor<v1::WatchSagaResponse>* SagaService::WatchSaga(grpc::CallbackServerContext*,
                                                                        const v1::WatchSagaRequest* request) {
  absl::Status status = ValidateSagaId(request->saga_id());
  if (status.ok()) status = CheckFromSequence(request->from_sequence());
  if (!status.ok()) return new RefusedWatch(status);
  const auto record = rooms_.reader->GetSaga(request->saga_id());
  if (!record.ok()) return new RefusedWatch(SagaError(record.status(), request->saga_id()));
  return WatchCall::Begin({rooms_.reader, rooms_.hub, &pool_, &waiting_}, request->saga_id(), request->from_sequence());
}

grpc::ServerUnaryReactor* SagaService::GetSagaHistory(grpc::CallbackServerContext* context,
                                                      const v1::GetSagaHistoryRequest* request,
                                                      v1::GetSagaHistoryResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  pool_.Post([=, this] { reactor->Finish(ToAnswer(ReadHistory(*request, response))); });
  return reactor;
}

absl::Status SagaService::ReadHistory(const v1::GetSagaHistoryRequest& request,
                                      v1::GetSagaHistoryResponse* response) const {
  if (absl::Status status = ValidateSagaId(request.saga_id()); !status.ok()) return status;
  if (absl::Status status = CheckFromSequence(request.from_sequence()); !status.ok()) return status;
  const auto page_size = PageSize(request.page_size(), kHistoryPageDefault);
  if (!page_size.ok()) return page_size.status();
  const std::string bound_to = absl::StrCat("history|", request.saga_id(), "|", request.from_sequence());
  const auto cursor = DecodePageToken(bound_to, request.page_token());
  if (!cursor.ok()) return cursor.status();
  int64_t from = request.from_sequence();
  if (!cursor->empty() && !absl::SimpleAtoi(*cursor, &from)) return PageTokenError();

  const auto record = rooms_.reader->GetSaga(request.saga_id());
  if (!record.ok()) return SagaError(record.status(), request.saga_id());
  auto events = rooms_.reader->GetHistory(request.saga_id(), from, *page_size);
  if (!events.ok()) return events.status();
  if (events->empty() && from <= record->last_sequence()) {
    // It expired between the two readings.
    return SagaError(absl::NotFoundError("expired"), request.saga_id());
  }
  size_t bytes = 0;
  int64_t last = record->last_sequence();
  for (v1::HistoryEvent& event : *events) {
    if (bytes >= limits::kPageBytesMax) break;
    bytes += event.ByteSizeLong();
    last = event.sequence();
    *response->add_events() = std::move(event);
  }
  if (last < record->last_sequence()) response->set_next_page_token(EncodePageToken(bound_to, absl::StrCat(last + 1)));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* SagaService::CancelSaga(grpc::CallbackServerContext* context,
                                                  const v1::CancelSagaRequest* request,
                                                  v1::CancelSagaResponse* response) {
  if (absl::Status status = CheckWord(*request); !status.ok()) return AnswerNow(context, status);
  return Tell(context, request->saga_id(), saga::CancelRequested{.reason = request->reason(), .by = request->by()},
              response->mutable_saga());
}

grpc::ServerUnaryReactor* SagaService::RetrySaga(grpc::CallbackServerContext* context,
                                                 const v1::RetrySagaRequest* request, v1::RetrySagaResponse* response) {
  absl::Status status = CheckWord(*request);
  if (status.ok() && (request->steps().empty() || request->steps_size() > limits::kStepsMax)) {
    status = InvalidArgumentError(
        "FIELD_INVALID", {{"steps", "must name the parked steps to retry, each with its parking.history_sequence"}});
  }
  if (!status.ok()) return AnswerNow(context, status);
  saga::RetryRequested retry{.reason = request->reason(), .by = request->by()};
  for (const v1::ParkedStep& step : request->steps()) retry.parkings.push_back({step.step(), step.history_sequence()});
  return Tell(context, request->saga_id(), std::move(retry), response->mutable_saga());
}

grpc::ServerUnaryReactor* SagaService::ResolveStep(grpc::CallbackServerContext* context,
                                                   const v1::ResolveStepRequest* request,
                                                   v1::ResolveStepResponse* response) {
  auto resolve = CheckResolve(*request);
  if (!resolve.ok()) return AnswerNow(context, resolve.status());
  return Tell(context, request->saga_id(), *std::move(resolve), response->mutable_saga());
}

absl::StatusOr<saga::ResolveRequested> SagaService::CheckResolve(const v1::ResolveStepRequest& request) const {
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
  const auto record = rooms_.reader->GetSaga(request.saga_id());
  if (!record.ok()) return SagaError(record.status(), request.saga_id());
  const auto revision = RevisionOf(*record);
  if (revision == nullptr) return absl::InternalError("the saga's definition revision is missing");
  auto reply = revision->compiled->EncodeReply(request.step(),
                                               request.has_reply() ? std::optional(request.reply()) : std::nullopt);
  if (!reply.ok()) return reply.status();
  resolve.reply = *std::move(reply);
  return resolve;
}

grpc::ServerUnaryReactor* SagaService::Tell(grpc::CallbackServerContext* context, const std::string& saga_id,
                                            shard::SagaWord word, v1::Saga* answer) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  rooms_.router->Tell(saga_id, std::move(word), [=, this](absl::StatusOr<storage::v1::SagaRecord> record) {
    pool_.Post([=, this, record = std::move(record)] {
      if (record.ok()) *answer = ToSaga(*record, RevisionOf(*record).get());
      reactor->Finish(ToAnswer(record.status()));
    });
  });
  return reactor;
}

}  // namespace tutti::api
