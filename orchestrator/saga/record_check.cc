#include "orchestrator/saga/record_check.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::saga {
namespace {

using storage::v1::CommandRecord;
using storage::v1::OpenAttempt;
using storage::v1::SagaRecord;
using storage::v1::StepRecord;

// Sums of such times and any duration of a definition fit.
bool IsTime(int64_t ms) {
  return ms >= 0 && ms < int64_t{1} << 60;
}

// What travels in headers; gRPC aborts on anything else.
bool IsHeaderText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isprint(c); });
}

bool IsCommandSound(const CommandRecord& command) {
  if (!IsHeaderText(command.key())) return false;
  if (command.attempts() < 0 || command.budget_start() < 0 || command.budget_start() > command.attempts()) return false;
  if (command.unmarked_attempt() < 0 || command.unmarked_attempt() > command.attempts()) return false;
  if (command.refusals() < 0 || !IsTime(command.born_ms()) || !IsTime(command.retry_at_ms())) return false;
  std::set<int> numbers;
  int awaited = 0;
  for (const OpenAttempt& attempt : command.open()) {
    if (attempt.number() < 1 || attempt.number() > command.attempts()) return false;
    if (!numbers.insert(attempt.number()).second) return false;
    if (attempt.phase() != storage::v1::ATTEMPT_PHASE_AWAITED &&
        attempt.phase() != storage::v1::ATTEMPT_PHASE_LINGERING) {
      return false;
    }
    awaited += attempt.phase() == storage::v1::ATTEMPT_PHASE_AWAITED ? 1 : 0;
  }
  // The next attempt is waited for only after the one before it.
  return awaited <= (command.retry_at_ms() == 0 ? 1 : 0);
}

// Recovery arms a timer for each retry, and what it finds when it fires must be a command that may be sent.
bool AreRetriesSound(v1::SagaState saga, const StepRecord& step) {
  const bool forward = saga == v1::SAGA_STATE_RUNNING && step.state() == v1::STEP_STATE_RUNNING;
  const bool back = saga == v1::SAGA_STATE_COMPENSATING && step.state() == v1::STEP_STATE_COMPENSATING;
  return (forward || step.action().retry_at_ms() == 0) && (back || step.compensation().retry_at_ms() == 0);
}

bool WasDispatched(const StepRecord& step) {
  return step.action().attempts() > 0 || step.compensation().attempts() > 0;
}

bool IsStepSound(const StepRecipe& recipe, v1::SagaState saga, const StepRecord& step) {
  if (step.name() != recipe.name) return false;
  if (!v1::StepState_IsValid(step.state()) || step.state() == v1::STEP_STATE_UNSPECIFIED) return false;
  if (step.compensation().attempts() > 0 && !recipe.compensation.has_value()) return false;
  if (!IsTime(step.started_ms()) || !IsTime(step.finished_ms())) return false;
  const bool idle = step.state() == v1::STEP_STATE_PENDING || step.state() == v1::STEP_STATE_SKIPPED;
  if ((idle && WasDispatched(step)) || !AreRetriesSound(saga, step)) return false;
  if (!IsTime(step.parking().since_ms())) return false;
  if (step.deadlines() < 0 || !IsTime(step.deadline_from_ms())) return false;
  return IsCommandSound(step.action()) && IsCommandSound(step.compensation());
}

// Past the commit point there is no way back, so all that would lead there must be behind.
bool IsCommitSound(const Recipe& recipe, const SagaRecord& record) {
  if (record.committed_ms() == 0) return record.state() != v1::SAGA_STATE_SUCCEEDED;
  if (record.state() != v1::SAGA_STATE_RUNNING && record.state() != v1::SAGA_STATE_SUCCEEDED) return false;
  for (int i = 0; i < record.steps_size(); ++i) {
    const bool precedes = recipe.steps[i].kind != v1::STEP_KIND_RETRIABLE;
    if (precedes && record.steps(i).state() != v1::STEP_STATE_SUCCEEDED) return false;
  }
  return true;
}

}  // namespace

absl::Status CheckRecord(const Recipe& recipe, const SagaRecord& record) {
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("its record does not fit revision ", recipe.revision, " of definition ",
                                            recipe.definition, ": ", what));
  };
  if (record.uid().empty()) return damaged("it has no uid");
  if (!IsHeaderText(record.uid()) || !IsHeaderText(record.traceparent()) || !IsHeaderText(record.tracestate())) {
    return damaged("its uid or its trace context is not printable ASCII");
  }
  if (!v1::SagaState_IsValid(record.state()) || record.state() == v1::SAGA_STATE_UNSPECIFIED) {
    return damaged("its state is unknown");
  }
  if (record.steps_size() != static_cast<int>(recipe.steps.size())) return damaged("it has other steps");
  for (int i = 0; i < record.steps_size(); ++i) {
    if (!IsStepSound(recipe.steps[i], record.state(), record.steps(i))) {
      return damaged(absl::StrCat("step ", recipe.steps[i].name, " cannot be continued"));
    }
  }
  if (!IsTime(record.started_ms()) || !IsTime(record.committed_ms()) || !IsTime(record.timeout_at_ms()) ||
      !IsTime(record.finished_ms()) || !IsTime(record.last_event_ms()) || !IsTime(record.last_sequence())) {
    return damaged("a time or a sequence is out of range");
  }
  if (!IsCommitSound(recipe, record)) return damaged("its state and its commit point contradict each other");
  return absl::OkStatus();
}

}  // namespace tutti::saga
