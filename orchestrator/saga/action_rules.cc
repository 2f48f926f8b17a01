// The way forward: actions, the commit point, and the abort that turns a saga round.
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/mutation.h"
#include "orchestrator/saga/transition.h"

namespace tutti::saga {
namespace {

constexpr char kUnmarkedSuccess[] =
    "the participant is declared barrier: true but answered OK without the tutti-barrier mark";

}  // namespace

using storage::v1::CommandRecord;
using storage::v1::StepRecord;

void Transition::OnActionReply(CommandRef ref, const ReplyReceived& received) {
  const Heard heard = Hear(ref, received);
  const ReplyReceived& reply = heard.instead.has_value() ? *heard.instead : received;
  const Judgement& judgement = heard.judgement;
  const bool awaited = SettleByReply(ref, reply, judgement);
  // While its action is awaited, a step of a saga that has not ended listens to every attempt.
  if (StepAt(ref.step).state() == v1::STEP_STATE_RUNNING && !IsTerminal(record_->state())) {
    OnAwaitedActionReply(ref, reply, judgement, awaited);
  } else {
    OnLateActionReply(ref, reply, judgement);
  }
}

void Transition::OnAwaitedActionReply(CommandRef ref, const ReplyReceived& reply, const Judgement& judgement,
                                      bool awaited) {
  const StepRecord& step = StepAt(ref.step);
  const bool retriable = recipe_.steps[ref.step].kind == v1::STEP_KIND_RETRIABLE;
  // Unless the answer speaks for the key, or leaves no attempt that may have an effect, a newer attempt in flight has
  // the last word on refusals. Nor does a refusal explain an unmarked success away.
  const bool newest = awaited || judgement.speaks_for_key || reply.attempt.number == step.action().attempts() ||
                      (judgement.refused_with_proof && !MayHaveEffect(step));
  const bool doubted = step.has_parking() && step.action().unmarked_success();
  const bool rejected = judgement.outcome == v1::OUTCOME_REJECTED && newest && !doubted;
  const bool unknown = judgement.outcome == v1::OUTCOME_UNKNOWN && awaited;
  if (judgement.outcome != v1::OUTCOME_SUCCEEDED && !judgement.unmarked_success && !rejected && !unknown) {
    AppendReply(v1::EVENT_TYPE_LATE_RESULT, ref, reply, judgement)
        ->set_late_action(judgement.refused_with_proof ? v1::LATE_ACTION_SETTLED : v1::LATE_ACTION_NOTHING);
    if (judgement.outcome == v1::OUTCOME_REJECTED && retriable) RefusedTooOften(ref, reply);
    return;
  }
  v1::HistoryEvent* entry = AppendReply(v1::EVENT_TYPE_ATTEMPT_FINISHED, ref, reply, judgement);
  if (!awaited) entry->set_late_action(v1::LATE_ACTION_ACCEPTED);
  if (judgement.unmarked_success) {
    LingerAwaited(ref);
    return Park(ref, v1::PARKING_CAUSE_UNMARKED_SUCCESS, kUnmarkedSuccess);
  }
  if (judgement.outcome == v1::OUTCOME_SUCCEEDED) return ActionSucceeded(ref.step, reply);
  if (rejected) return ActionRejected(ref.step, reply);
  OnSilence(ref, {.code = reply.code, .message = reply.message, .pushback_ms = reply.pushback_ms});
}

// Nobody waits for this answer any more. It changes no state, but it is recorded, and it may be needed for the undo.
void Transition::OnLateActionReply(CommandRef ref, const ReplyReceived& reply, const Judgement& judgement) {
  StepRecord* step = MutableStep(ref.step);
  const bool terminal = IsTerminal(record_->state());
  const bool undoable = recipe_.steps[ref.step].compensation.has_value();
  const bool undone = undoable && (step->has_compensation() || record_->state() == v1::SAGA_STATE_COMPENSATED);
  // A barrier that found nothing to undo cannot have applied the action.
  const bool contradicts = step->compensation().mark() == v1::BARRIER_MARK_EMPTY;
  v1::HistoryEvent* entry = AppendReply(v1::EVENT_TYPE_LATE_RESULT, ref, reply, judgement);
  if (judgement.outcome != v1::OUTCOME_SUCCEEDED && !judgement.unmarked_success) {
    entry->set_late_action(judgement.refused_with_proof ? v1::LATE_ACTION_SETTLED : v1::LATE_ACTION_NOTHING);
    // Nothing is left that the undo, whose request could not be built, would be needed for.
    if (step->parking().cause() == v1::PARKING_CAUSE_MAPPING && !MayHaveEffect(*step)) Unpark(ref.step);
    return;
  }
  if (TUTTI_MUTATE(kDropGuard, undone && (!judgement.speaks_for_key || contradicts), false)) {
    entry->set_late_action(v1::LATE_ACTION_ALARM);
    if (terminal) {
      AppendAttempt(v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL, ref, reply.attempt.number)
          ->set_message("the action succeeded after the saga was COMPENSATED; check the participant by hand");
      return;
    }
    return Park({ref.step, v1::OPERATION_COMPENSATION}, v1::PARKING_CAUSE_LATE_SUCCESS,
                "the action succeeded after its compensation was sent; check that nothing of it remains");
  }
  entry->set_late_action(step->action().succeeded() ? v1::LATE_ACTION_DUPLICATE : v1::LATE_ACTION_RECORDED);
  if (terminal) return;
  if (judgement.unmarked_success) return Park(ref, v1::PARKING_CAUSE_UNMARKED_SUCCESS, kUnmarkedSuccess);
  if (step->action().succeeded()) return;
  step->mutable_action()->set_succeeded(true);
  step->set_has_reply(true);
  step->set_reply(reply.reply);
  // The undo may have waited for just this reply.
  if (step->parking().cause() == v1::PARKING_CAUSE_MAPPING) Unpark(ref.step);
}

void Transition::ActionSucceeded(int step, const ReplyReceived& reply) {
  const CommandRef ref{step, v1::OPERATION_ACTION};
  CommandRecord* action = Command(ref);
  action->set_succeeded(true);
  action->set_retry_at_ms(0);
  MutableStep(step)->set_has_reply(true);
  MutableStep(step)->set_reply(reply.reply);
  LingerAwaited(ref);
  // The mark speaks for the inbox; what answered without one may have its effect beside it.
  if (!action->unmarked_success()) Unpark(step);
  SetStepState(step, v1::STEP_STATE_SUCCEEDED, v1::EVENT_TYPE_STEP_SUCCEEDED);
}

void Transition::ActionRejected(int step, const ReplyReceived& reply) {
  const CommandRef ref{step, v1::OPERATION_ACTION};
  CommandRecord* action = Command(ref);
  action->set_retry_at_ms(0);
  const v1::StepKind kind = recipe_.steps[step].kind;
  const bool aborting = record_->state() == v1::SAGA_STATE_COMPENSATING;
  if (kind == v1::STEP_KIND_RETRIABLE) {
    if (RefusedTooOften(ref, reply)) return;
    return OnSilence(ref, {.code = reply.code, .message = reply.message, .pushback_ms = reply.pushback_ms});
  }
  // A pivot that one attempt may yet carry through is not refused, whatever this attempt heard.
  if (TUTTI_MUTATE(kPivotRefusedByNewest, kind == v1::STEP_KIND_PIVOT && MayHaveEffect(StepAt(step)), false)) {
    return OnSilence(ref, {.code = reply.code, .message = reply.message, .pushback_ms = reply.pushback_ms});
  }
  Unpark(step);
  SetStepState(step, v1::STEP_STATE_REJECTED, v1::EVENT_TYPE_STEP_REJECTED, StatusCodeName(reply.code), reply.message);
  if (aborting) return;
  v1::AbortReason reason;
  reason.set_cause(v1::ABORT_CAUSE_STEP_REJECTED);
  reason.set_step(StepAt(step).name());
  reason.set_code(StatusCodeName(reply.code));
  reason.set_message(reply.message);
  Abort(std::move(reason));
}

void Transition::ActionUnknown(int step, const Silence& silence) {
  const CommandRef ref{step, v1::OPERATION_ACTION};
  if (StepAt(step).state() != v1::STEP_STATE_RUNNING) return;
  const std::string code = StatusCodeName(silence.code);
  if (record_->state() == v1::SAGA_STATE_COMPENSATING) {
    return SetStepState(step, v1::STEP_STATE_UNKNOWN, v1::EVENT_TYPE_STEP_UNKNOWN, code, silence.message);
  }
  const v1::StepKind kind = recipe_.steps[step].kind;
  const bool told_to_stop = silence.pushback_ms.value_or(0) < 0 && kind != v1::STEP_KIND_RETRIABLE;
  if (!AttemptsSpent(ref) && !told_to_stop) return ScheduleRetry(ref, silence);
  // A pivot of which no attempt can have had an effect is as good as refused.
  const bool may_abort =
      kind == v1::STEP_KIND_COMPENSATABLE || (kind == v1::STEP_KIND_PIVOT && !MayHaveEffect(StepAt(step)));
  if (may_abort) return AbortUnanswered(step, silence);
  Park(ref, v1::PARKING_CAUSE_ATTEMPTS_SPENT,
       absl::StrCat("attempts are spent, last with ", code, ": ", silence.message));
}

void Transition::AbortUnanswered(int step, const Silence& silence) {
  const std::string code = StatusCodeName(silence.code);
  SetStepState(step, v1::STEP_STATE_UNKNOWN, v1::EVENT_TYPE_STEP_UNKNOWN, code, silence.message);
  v1::AbortReason reason;
  reason.set_cause(v1::ABORT_CAUSE_STEP_UNKNOWN);
  reason.set_step(StepAt(step).name());
  reason.set_code(code);
  reason.set_message(silence.message);
  Abort(std::move(reason));
}

void Transition::OnStepDeadline(int step) {
  if (StepAt(step).state() != v1::STEP_STATE_RUNNING || StepAt(step).has_parking()) return;
  if (record_->state() != v1::SAGA_STATE_RUNNING) return;
  const CommandRef ref{step, v1::OPERATION_ACTION};
  LingerAwaited(ref);
  Command(ref)->set_retry_at_ms(0);
  AppendStep(v1::EVENT_TYPE_STEP_DEADLINE_PASSED, step)->set_duration_ms(recipe_.steps[step].deadline_ms);
  // No attempt is left to a step whose time is over.
  ActionUnknown(step,
                {.code = kDeadlineExceeded,
                 .message = absl::StrCat("the step's deadline of ", recipe_.steps[step].deadline_ms, " ms passed"),
                 .pushback_ms = -1});
}

void Transition::OnSagaTimeout() {
  if (record_->state() != v1::SAGA_STATE_RUNNING || record_->committed_ms() != 0 || PivotIsOpen()) return;
  if (record_->timeout_at_ms() == 0) return;  // it stands still
  v1::AbortReason reason;
  reason.set_cause(v1::ABORT_CAUSE_SAGA_TIMEOUT);
  reason.set_message(absl::StrCat("the saga did not reach its commit point within ", recipe_.timeout_ms, " ms"));
  Abort(std::move(reason));
}

void Transition::Advance() {
  if (record_->state() == v1::SAGA_STATE_RUNNING) AdvanceForward();
  // Not an else: going forward may have ended in an abort.
  if (record_->state() == v1::SAGA_STATE_COMPENSATING) AdvanceCompensation();
}

void Transition::AdvanceForward() {
  CommitIfReached();
  for (int step = 0; step < step_count() && record_->state() == v1::SAGA_STATE_RUNNING; ++step) {
    if (ReadyToStart(step)) StartAction(step);
  }
  const bool all_succeeded = std::all_of(record_->steps().begin(), record_->steps().end(), [](const StepRecord& step) {
    return step.state() == v1::STEP_STATE_SUCCEEDED && !step.has_parking();
  });
  if (record_->state() != v1::SAGA_STATE_RUNNING || !all_succeeded) return;
  MapOutput();
  Finish(v1::SAGA_STATE_SUCCEEDED, v1::EVENT_TYPE_SAGA_SUCCEEDED);
}

bool Transition::ReadyToStart(int step) const {
  if (StepAt(step).state() != v1::STEP_STATE_PENDING || StepAt(step).has_parking()) return false;
  const std::vector<int>& dependencies = recipe_.steps[step].dependencies;
  if (TUTTI_MUTATE(kRetriableTooEarly, false, recipe_.steps[step].kind == v1::STEP_KIND_RETRIABLE)) return true;
  return std::all_of(dependencies.begin(), dependencies.end(),
                     [this](int before) { return StepAt(before).state() == v1::STEP_STATE_SUCCEEDED; });
}

void Transition::StartAction(int step) {
  const CommandRef ref{step, v1::OPERATION_ACTION};
  const StepRecipe& recipe = recipe_.steps[step];
  if (!MapCommand(ref)) {
    const std::string message = decision_.history.back().message();
    if (recipe.kind == v1::STEP_KIND_RETRIABLE) return Park(ref, v1::PARKING_CAUSE_MAPPING, message);
    // Nothing was sent, which is the best proof of a refusal there is.
    SetStepState(step, v1::STEP_STATE_REJECTED, v1::EVENT_TYPE_STEP_REJECTED, "INVALID_ARGUMENT", message);
    v1::AbortReason reason;
    reason.set_cause(v1::ABORT_CAUSE_STEP_REJECTED);
    reason.set_step(recipe.name);
    reason.set_code("INVALID_ARGUMENT");
    reason.set_message(message);
    return Abort(std::move(reason));
  }
  const ParticipantTraits traits = traits_.TraitsOf(recipe.participant);
  MutableStep(step)->set_barrier(traits.barrier);
  MutableStep(step)->set_refusals_open(traits.refusals_open);
  SetStepState(step, v1::STEP_STATE_RUNNING, v1::EVENT_TYPE_UNSPECIFIED);
  StartAttempt(ref);
  if (recipe.deadline_ms > 0) SetDeadlineTimer(step, recipe.deadline_ms);
}

void Transition::CommitIfReached() {
  if (record_->committed_ms() != 0) return;
  bool has_pivot = false;
  bool pivot_succeeded = false;
  bool compensatables_succeeded = true;
  for (int step = 0; step < step_count(); ++step) {
    const bool succeeded = StepAt(step).state() == v1::STEP_STATE_SUCCEEDED;
    if (recipe_.steps[step].kind == v1::STEP_KIND_PIVOT) {
      has_pivot = true;
      pivot_succeeded = succeeded;
    } else if (recipe_.steps[step].kind == v1::STEP_KIND_COMPENSATABLE) {
      compensatables_succeeded &= succeeded;
    }
  }
  const bool reached = has_pivot ? pivot_succeeded : compensatables_succeeded;
  if (!TUTTI_MUTATE(kCommitTooEarly, reached, true)) return;
  // 0 means "not committed", so a clock at the epoch still counts.
  record_->set_committed_ms(std::max<int64_t>(HistoryMs(), 1));
  MapOutput();
  Append(v1::EVENT_TYPE_SAGA_COMMITTED)->set_duration_ms(HistoryMs() - record_->started_ms());
}

void Transition::MapOutput() {
  MappedOutput output = recipe_.mapper->MapOutput(*record_);
  record_->set_output(std::move(output.bytes));
  for (std::string& failure : output.failures) {
    // What failed at the commit point fails at the end as well.
    const auto& told = record_->output_failures();
    if (std::find(told.begin(), told.end(), failure) != told.end()) continue;
    Append(v1::EVENT_TYPE_OUTPUT_FAILED)->set_message(failure);
    record_->add_output_failures(std::move(failure));
  }
}

bool Transition::PivotIsOpen() const {
  for (int step = 0; step < step_count(); ++step) {
    if (TUTTI_MUTATE(kAbortWithPivotOpen, false, true)) break;
    if (recipe_.steps[step].kind == v1::STEP_KIND_PIVOT && StepAt(step).has_action()) return true;
  }
  return false;
}

void Transition::Abort(v1::AbortReason reason) {
  TUTTI_CHECK(record_->state() == v1::SAGA_STATE_RUNNING && record_->committed_ms() == 0,
              "only a running saga before its commit point aborts");
  for (int step = 0; step < step_count(); ++step) {
    TUTTI_CHECK(recipe_.steps[step].kind != v1::STEP_KIND_PIVOT || !MayHaveEffect(StepAt(step)),
                "a saga never aborts while its pivot may have an effect");
  }
  record_->set_state(v1::SAGA_STATE_COMPENSATING);
  *record_->mutable_abort_reason() = reason;
  *Append(v1::EVENT_TYPE_SAGA_ABORTED)->mutable_abort_reason() = std::move(reason);
  for (int step = 0; step < step_count(); ++step) AbortStep(step);
}

void Transition::AbortStep(int step) {
  const CommandRef ref{step, v1::OPERATION_ACTION};
  if (StepAt(step).state() == v1::STEP_STATE_PENDING) {
    return SetStepState(step, v1::STEP_STATE_SKIPPED, v1::EVENT_TYPE_STEP_SKIPPED);
  }
  if (StepAt(step).state() != v1::STEP_STATE_RUNNING) return;
  if (TUTTI_MUTATE(kActionAfterAbort, true, false)) Command(ref)->set_retry_at_ms(0);
  // An attempt in flight is heard out; one that still queues never leaves.
  for (const storage::v1::OpenAttempt& open : Command(ref)->open()) {
    if (TUTTI_MUTATE(kQueuedSurvivesAbort, true, false)) DropIfQueued(ref, open.number());
  }
  if (HasAwaitedAttempt(*Command(ref))) return;
  SetStepState(step, v1::STEP_STATE_UNKNOWN, v1::EVENT_TYPE_STEP_UNKNOWN, "ABORTED",
               "the saga aborted before an answer came");
}

}  // namespace tutti::saga
