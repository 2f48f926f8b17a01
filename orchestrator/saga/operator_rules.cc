// An operator's words on parked steps. They rest on the grace and on the operator's truth; neither skips a
// compensation.
#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/transition.h"

namespace tutti::saga {

using storage::v1::StepRecord;

void Transition::Refuse(const char* reason, std::string message) {
  decision_.answer = absl::FailedPreconditionError(std::move(message));
  decision_.reason = reason;
}

std::optional<int> Transition::FindParked(const ParkingRef& parking) {
  const std::optional<int> step = FindStep(parking.step);
  if (!step.has_value()) {
    Refuse("STEP_NOT_FOUND", absl::StrCat("step: the saga has no step ", parking.step));
    return std::nullopt;
  }
  const StepRecord& record = StepAt(*step);
  if (!record.has_parking()) {
    Refuse("PARKING_STALE", absl::StrCat("step ", parking.step, " is not parked (any more); read the saga again"));
    return std::nullopt;
  }
  if (record.parking().history_sequence() != parking.history_sequence) {
    Refuse("PARKING_STALE", absl::StrCat("step ", parking.step, " is parked since history sequence ",
                                         record.parking().history_sequence(), ", not ", parking.history_sequence,
                                         "; read the saga again"));
    return std::nullopt;
  }
  return step;
}

void Transition::On(const RetryRequested& retry) {
  std::vector<int> steps;
  for (const ParkingRef& parking : retry.parkings) {
    const std::optional<int> step = FindParked(parking);
    if (!step.has_value()) return;
    if (StepAt(*step).parking().cause() == v1::PARKING_CAUSE_LATE_SUCCESS) {
      return Refuse("STEP_NOT_RETRIABLE",
                    absl::StrCat("step ", parking.step,
                                 " was undone before its action succeeded; make sure by hand that nothing of it "
                                 "remains, then resolve it as UNDONE"));
    }
    steps.push_back(*step);
  }
  for (const int step : steps) {
    // Named twice, it is no longer parked the second time.
    if (StepAt(step).has_parking()) RetryStep(step, retry);
  }
  ResumeTimeout();
}

void Transition::RetryStep(int step, const RetryRequested& retry) {
  const CommandRef ref{step, StepAt(step).parking().operation()};
  MutableStep(step)->clear_parking();
  v1::HistoryEvent* entry = AppendStep(v1::EVENT_TYPE_STEP_RETRIED, step);
  entry->set_operation(ref.operation);
  entry->set_message(retry.reason);
  entry->set_by(retry.by);
  // Without a command the request could not be built: going on builds it anew.
  if (!HasCommand(ref)) return;
  Command(ref)->set_budget_start(Command(ref)->attempts());
  Command(ref)->set_refusals(0);
  const bool awaited_operation =
      ref.operation == v1::OPERATION_ACTION
          ? record_->state() == v1::SAGA_STATE_RUNNING && StepAt(step).state() == v1::STEP_STATE_RUNNING
          : StepAt(step).state() == v1::STEP_STATE_COMPENSATING;
  if (awaited_operation && ref.operation == v1::OPERATION_ACTION) RenewDeadline(step);
  if (awaited_operation && !HasAwaitedAttempt(*Command(ref))) StartAttempt(ref);
}

void Transition::RenewDeadline(int step) {
  if (recipe_.steps[step].deadline_ms == 0) return;
  MutableStep(step)->set_deadline_from_ms(event_.now_ms);
  MutableStep(step)->set_deadlines(StepAt(step).deadlines() + 1);
  SetDeadlineTimer(step, recipe_.steps[step].deadline_ms);
}

void Transition::On(const ResolveRequested& resolve) {
  const std::optional<int> step = FindParked(resolve.parking);
  if (!step.has_value()) return;
  const StepRecord& record = StepAt(*step);
  if (record.action().open_size() > 0 || record.compensation().open_size() > 0) {
    return Refuse("STEP_NOT_SETTLED", absl::StrCat("an attempt of step ", resolve.parking.step,
                                                   " may still land; try again when its grace is over, within ",
                                                   FullGraceMs({*step, record.parking().operation()}), " ms"));
  }
  if (resolve.resolution == v1::RESOLUTION_DONE) return ResolveDone(*step, resolve);
  ResolveUndone(*step, resolve);
}

bool Transition::PivotOtherThanMayHaveEffect(int step) const {
  for (int other = 0; other < step_count(); ++other) {
    const bool pivot = recipe_.steps[other].kind == v1::STEP_KIND_PIVOT;
    if (pivot && other != step && MayHaveEffect(StepAt(other))) return true;
  }
  return false;
}

v1::HistoryEvent* Transition::AppendResolved(int step, const ResolveRequested& resolve) {
  v1::HistoryEvent* entry = AppendStep(v1::EVENT_TYPE_STEP_RESOLVED, step);
  entry->set_resolution(resolve.resolution);
  entry->set_message(resolve.reason);
  entry->set_by(resolve.by);
  return entry;
}

void Transition::ResolveDone(int step, const ResolveRequested& resolve) {
  if (record_->state() != v1::SAGA_STATE_RUNNING) {
    return Refuse("RESOLUTION_IMPOSSIBLE",
                  "the saga is being undone, so a step cannot be resolved as DONE; undo it by hand, then resolve it as "
                  "UNDONE");
  }
  AppendResolved(step, resolve);
  MutableStep(step)->clear_parking();
  storage::v1::CommandRecord* action = Command({step, v1::OPERATION_ACTION});
  action->set_succeeded(true);
  action->set_unmarked_success(false);
  action->set_retry_at_ms(0);
  if (resolve.reply.has_value()) {
    MutableStep(step)->set_has_reply(true);
    MutableStep(step)->set_reply(*resolve.reply);
  }
  SetStepState(step, v1::STEP_STATE_SUCCEEDED, v1::EVENT_TYPE_STEP_SUCCEEDED);
  ResumeTimeout();
}

void Transition::ResolveUndone(int step, const ResolveRequested& resolve) {
  if (record_->committed_ms() != 0) {
    return Refuse("RESOLUTION_IMPOSSIBLE",
                  "the saga is past its commit point and only goes forward; bring the step about by hand, then resolve "
                  "it as DONE, or retry it");
  }
  if (record_->state() == v1::SAGA_STATE_RUNNING && PivotOtherThanMayHaveEffect(step)) {
    return Refuse("RESOLUTION_IMPOSSIBLE",
                  "the pivot was sent and may have taken effect, so the saga cannot be undone; bring the step about by "
                  "hand, then resolve it as DONE, or retry it");
  }
  AppendResolved(step, resolve);
  MutableStep(step)->clear_parking();
  if (HasCommand({step, v1::OPERATION_ACTION})) {
    storage::v1::CommandRecord* action = Command({step, v1::OPERATION_ACTION});
    action->set_succeeded(false);
    action->set_effect_possible(false);
    action->set_unmarked_success(false);
    action->set_retry_at_ms(0);
  }
  if (record_->state() == v1::SAGA_STATE_COMPENSATING) {
    return SetStepState(step, v1::STEP_STATE_COMPENSATED, v1::EVENT_TYPE_STEP_COMPENSATED);
  }
  SetStepState(step, v1::STEP_STATE_REJECTED, v1::EVENT_TYPE_STEP_REJECTED, "ABORTED", resolve.reason);
  v1::AbortReason reason;
  reason.set_cause(v1::ABORT_CAUSE_RESOLVED);
  reason.set_step(StepAt(step).name());
  reason.set_message(resolve.reason);
  reason.set_by(resolve.by);
  Abort(std::move(reason));
}

}  // namespace tutti::saga
