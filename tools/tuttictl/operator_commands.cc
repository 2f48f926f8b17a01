#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/input.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/requests.h"
#include "tools/tuttictl/timeline.h"
#include "tutti/tuttictl/v1/output.pb.h"

namespace tutti::ctl {
namespace {

namespace output = tutti::tuttictl::v1;
using Stub = v1::SagaService::Stub;

void AddParked(const v1::Saga& saga, output::ParkedSteps* parked) {
  for (const auto& step : saga.steps()) {
    if (!step.has_parking()) continue;
    auto* out = parked->add_parked();
    out->set_saga_id(saga.saga_id());
    out->set_definition(saga.definition());
    out->set_revision(saga.revision());
    out->set_step(step.name());
    out->set_operation(step.parking().operation());
    out->set_cause(step.parking().cause());
    out->set_message(step.parking().message());
    *out->mutable_since() = step.parking().since();
    out->set_history_sequence(step.parking().history_sequence());
  }
}

// The parkings that are meant: of the steps named, or all there are.
absl::Status FindParkings(Session* session, output::ParkedSteps* parked) {
  v1::Saga saga;
  if (absl::Status status = session->ReadSaga(&saga); !status.ok()) return status;
  output::ParkedSteps all;
  AddParked(saga, &all);
  const auto& wanted = session->options().steps;
  for (const std::string& name : wanted) {
    const bool found =
        std::any_of(all.parked().begin(), all.parked().end(), [&](const auto& step) { return step.step() == name; });
    if (!found) {
      return absl::FailedPreconditionError(absl::StrCat("step ", name, " of saga ", saga.saga_id(), " is not parked"));
    }
  }
  if (all.parked().empty()) {
    return absl::FailedPreconditionError(absl::StrCat("saga ", saga.saga_id(), " is not parked"));
  }
  for (const auto& step : all.parked()) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), step.step()) != wanted.end()) {
      *parked->add_parked() = step;
    }
  }
  return absl::OkStatus();
}

}  // namespace

int ListParked(Session* session) {
  const std::string& definition = session->options().definition;
  const std::string filter =
      absl::StrCat("parked = true", definition.empty() ? "" : absl::StrCat(" AND definition = \"", definition, "\""));
  v1::ListSagasResponse all;
  bool more = false;
  if (absl::Status status = ReadSagas(session, filter, &all, &more); !status.ok()) return session->Fail(status);
  if (more) session->err() << "there are more; raise --limit or name a --definition\n";
  output::ParkedSteps parked;
  for (const auto& saga : all.sagas()) AddParked(saga, &parked);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  session->Print(parked, RenderParked(parked, std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  return kExitOk;
}

int RetrySaga(Session* session) {
  const Options& options = session->options();
  v1::RetrySagaRequest request;
  request.set_saga_id(options.saga_id);
  request.set_reason(options.reason);
  request.set_by(options.by);
  if (options.parking_sequence != 0) {
    auto* step = request.add_steps();
    step->set_step(options.steps.front());
    step->set_history_sequence(options.parking_sequence);
  } else {
    output::ParkedSteps parked;
    if (absl::Status status = FindParkings(session, &parked); !status.ok()) return session->Fail(status);
    for (const auto& found : parked.parked()) {
      auto* step = request.add_steps();
      step->set_step(found.step());
      step->set_history_sequence(found.history_sequence());
    }
  }
  v1::RetrySagaResponse response;
  if (absl::Status status = session->Call(session->sagas(), &Stub::RetrySaga, request, &response); !status.ok()) {
    return session->Fail(status);
  }
  session->Print(response.saga(), RenderSaga(response.saga()));
  return kExitOk;
}

namespace {

// One request for what a page of sagas has parked by the cause. Batches are as large as a page, which a saga with
// several such steps may exceed.
class BulkRetrier {
 public:
  explicit BulkRetrier(Session* session) : session_(session) {
    request_.set_reason(session->options().reason);
    request_.set_by(session->options().by);
    request_.set_validate_only(session->options().dry_run);
  }

  absl::Status Add(const v1::Saga& saga) {
    for (const auto& step : saga.steps()) {
      if (!step.has_parking() || ShortName(step.parking().cause()) != session_->options().cause) continue;
      auto* parking = request_.add_parkings();
      parking->set_saga_id(saga.saga_id());
      parking->set_step(step.name());
      parking->set_history_sequence(step.parking().history_sequence());
      if (request_.parkings_size() < limits::kPageSizeMax) continue;
      if (absl::Status status = Send(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Send() {
    if (request_.parkings().empty()) return absl::OkStatus();
    v1::BatchRetrySagasResponse response;
    absl::Status status = session_->Call(session_->sagas(), &Stub::BatchRetrySagas, request_, &response);
    request_.clear_parkings();
    for (const auto& result : response.results()) {
      if (result.code() == "OK") {
        outcome_.set_retried(outcome_.retried() + 1);
      } else {
        outcome_.set_refused(outcome_.refused() + 1);
        *outcome_.add_refusals() = result;
      }
    }
    if (status.ok()) session_->err() << Told() << std::endl;
    return status;
  }

  const output::BulkRetry& outcome() const { return outcome_; }
  std::string Told() const {
    return absl::StrCat(session_->options().dry_run ? "would retry " : "retried ", outcome_.retried(), " steps",
                        outcome_.refused() == 0 ? "" : absl::StrCat(", refused ", outcome_.refused()));
  }

 private:
  Session* const session_;
  v1::BatchRetrySagasRequest request_;
  output::BulkRetry outcome_;
};

}  // namespace

// What parks meanwhile is newer than what was read, and left alone.
int RetryAll(Session* session) {
  const std::string& definition = session->options().definition;
  v1::ListSagasRequest request;
  request.set_filter(
      absl::StrCat("parked = true", definition.empty() ? "" : absl::StrCat(" AND definition = \"", definition, "\"")));
  request.set_page_size(limits::kPageSizeMax);
  BulkRetrier retrier(session);
  do {
    v1::ListSagasResponse page;
    absl::Status status = session->Call(session->sagas(), &Stub::ListSagas, request, &page);
    for (const auto& saga : page.sagas()) {
      if (status.ok()) status = retrier.Add(saga);
    }
    if (status.ok()) status = retrier.Send();
    if (!status.ok()) return session->Fail(status);
    WarnOfUnreadable(session, page);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  session->Print(retrier.outcome(), RenderBulkRetry(retrier.outcome(), retrier.Told()));
  return retrier.outcome().refused() == 0 ? kExitOk : kExitError;
}

int ResolveStep(Session* session) {
  const Options& options = session->options();
  v1::ResolveStepRequest request;
  request.set_saga_id(options.saga_id);
  request.set_step(options.steps.front());
  request.set_resolution(options.resolve_done ? v1::RESOLUTION_DONE : v1::RESOLUTION_UNDONE);
  request.set_reason(options.reason);
  request.set_by(options.by);
  if (!options.reply.empty()) {
    auto reply = ParseInput(options.reply);
    if (!reply.ok()) return session->Fail(reply.status());
    *request.mutable_reply() = *std::move(reply);
  }
  if (options.parking_sequence != 0) {
    request.set_history_sequence(options.parking_sequence);
  } else {
    output::ParkedSteps parked;
    if (absl::Status status = FindParkings(session, &parked); !status.ok()) return session->Fail(status);
    request.set_history_sequence(parked.parked(0).history_sequence());
  }
  v1::ResolveStepResponse response;
  if (absl::Status status = session->Call(session->sagas(), &Stub::ResolveStep, request, &response); !status.ok()) {
    return session->Fail(status);
  }
  session->Print(response.saga(), RenderSaga(response.saga()));
  return kExitOk;
}

}  // namespace tutti::ctl
