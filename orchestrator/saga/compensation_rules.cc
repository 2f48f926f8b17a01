// The way back: what was done is undone, in reverse order, and only once nothing of it can still arrive.
#include <algorithm>
#include <utility>

#include "common/mutation.h"
#include "orchestrator/saga/transition.h"

namespace tutti::saga {

using storage::v1::CommandRecord;
using storage::v1::StepRecord;

void Transition::OnCompensationReply(CommandRef ref, const ReplyReceived& received) {
  const Heard heard = Hear(ref, received);
  const ReplyReceived& reply = heard.instead.has_value() ? *heard.instead : received;
  const Judgement& judgement = heard.judgement;
  const bool awaited = SettleByReply(ref, reply, judgement);
  const bool decides = awaited || judgement.outcome == v1::OUTCOME_SUCCEEDED || judgement.unmarked_success;
  if (StepAt(ref.step).state() != v1::STEP_STATE_COMPENSATING || !decides) {
    v1::LateAction late = judgement.refused_with_proof ? v1::LATE_ACTION_SETTLED : v1::LATE_ACTION_NOTHING;
    if (judgement.outcome == v1::OUTCOME_SUCCEEDED) late = v1::LATE_ACTION_DUPLICATE;
    AppendReply(v1::EVENT_TYPE_LATE_RESULT, ref, reply, judgement)->set_late_action(late);
    const bool counts = StepAt(ref.step).state() == v1::STEP_STATE_COMPENSATING;
    if (judgement.outcome == v1::OUTCOME_REJECTED && counts) RefusedTooOften(ref, reply);
    return;
  }
  v1::HistoryEvent* entry = AppendReply(v1::EVENT_TYPE_ATTEMPT_FINISHED, ref, reply, judgement);
  if (!awaited) entry->set_late_action(v1::LATE_ACTION_ACCEPTED);
  if (judgement.unmarked_success) {
    LingerAwaited(ref);
    return Park(ref, v1::PARKING_CAUSE_UNMARKED_SUCCESS,
                "the participant is declared barrier: true but answered without the tutti-barrier mark");
  }
  if (judgement.outcome == v1::OUTCOME_SUCCEEDED) return CompensationSucceeded(ref.step, reply);
  if (judgement.outcome == v1::OUTCOME_REJECTED) return CompensationRejected(ref.step, reply);
  OnSilence(ref, {.code = reply.code, .message = reply.message, .pushback_ms = reply.pushback_ms});
}

void Transition::CompensationSucceeded(int step, const ReplyReceived& reply) {
  const CommandRef ref{step, v1::OPERATION_COMPENSATION};
  LingerAwaited(ref);
  // Whatever was declared: a service that took up the barrier since then finds no row of what it did before.
  const bool empty = reply.mark == v1::BARRIER_MARK_EMPTY;
  if (empty && MutableStep(step)->action().succeeded()) {
    return Park(ref, v1::PARKING_CAUSE_EMPTY_AFTER_SUCCESS,
                "the participant found nothing to undo although it had answered the action with success");
  }
  Command(ref)->set_succeeded(true);
  Command(ref)->set_retry_at_ms(0);
  // What undid it without a mark may have undone it a second time.
  if (!Command(ref)->unmarked_success()) Unpark(step);
  SetStepState(step, v1::STEP_STATE_COMPENSATED, v1::EVENT_TYPE_STEP_COMPENSATED);
}

void Transition::CompensationRejected(int step, const ReplyReceived& reply) {
  const CommandRef ref{step, v1::OPERATION_COMPENSATION};
  if (RefusedTooOften(ref, reply)) return;
  OnSilence(ref, {.code = reply.code, .message = reply.message, .pushback_ms = reply.pushback_ms});
}

void Transition::CompensationUnknown(int step, const Silence& silence) {
  const CommandRef ref{step, v1::OPERATION_COMPENSATION};
  if (StepAt(step).state() != v1::STEP_STATE_COMPENSATING) return;
  if (!AttemptsSpent(ref)) return ScheduleRetry(ref, silence);
  Park(ref, v1::PARKING_CAUSE_ATTEMPTS_SPENT,
       absl::StrCat("attempts are spent, last with ", StatusCodeName(silence.code), ": ", silence.message));
}

bool Transition::NeedsCompensation(int step) const {
  const StepRecord& record = StepAt(step);
  if (!recipe_.steps[step].compensation.has_value() || record.state() == v1::STEP_STATE_COMPENSATED) return false;
  // Once sent it is seen through, even when the action turns out to have been refused.
  return record.has_compensation() || MayHaveEffect(record);
}

bool Transition::MayCompensateNow(int step) const {
  const StepRecord& record = StepAt(step);
  if (!NeedsCompensation(step) || record.has_compensation() || record.has_parking()) return false;
  // Only a barrier can tell an action that arrives after its own compensation from one that does not.
  const bool unsettled = !record.barrier() && record.action().open_size() > 0;
  if (TUTTI_MUTATE(kCompensateUnsettled, unsettled, false)) return false;
  if (TUTTI_MUTATE(kCompensateOutOfOrder, false, true)) return true;
  const std::vector<int>& after = recipe_.steps[step].transitive_dependents;
  return std::none_of(after.begin(), after.end(), [&](int later) {
    return NeedsCompensation(later) &&
           TUTTI_MUTATE(kOrderStopsAtNone, true, std::ranges::count(recipe_.steps[later].dependencies, step) > 0);
  });
}

void Transition::AdvanceCompensation() {
  for (int step = 0; step < step_count(); ++step) {
    if (MayCompensateNow(step)) StartCompensation(step);
  }
  for (int step = 0; step < step_count(); ++step) {
    if (NeedsCompensation(step) || StepAt(step).has_parking()) return;
  }
  FinishCompensated();
}

void Transition::StartCompensation(int step) {
  const CommandRef action{step, v1::OPERATION_ACTION};
  const CommandRef ref{step, v1::OPERATION_COMPENSATION};
  if (!MapCommand(ref)) {
    const std::string message = decision_.history.back().message();
    return Park(ref, v1::PARKING_CAUSE_MAPPING, message);
  }
  if (StepAt(step).state() == v1::STEP_STATE_RUNNING) {
    SetStepState(step, v1::STEP_STATE_UNKNOWN, v1::EVENT_TYPE_STEP_UNKNOWN, "ABORTED",
                 "the saga aborted before an answer came");
    LingerAwaited(action);
  }
  SetStepState(step, v1::STEP_STATE_COMPENSATING, v1::EVENT_TYPE_STEP_COMPENSATING);
  StartAttempt(ref);
}

void Transition::FinishCompensated() {
  for (int step = 0; step < step_count(); ++step) {
    if (StepAt(step).state() != v1::STEP_STATE_RUNNING) continue;
    // Without an effect, or without a compensation: the saga need not wait for its answer.
    LingerAwaited({step, v1::OPERATION_ACTION});
    SetStepState(step, v1::STEP_STATE_UNKNOWN, v1::EVENT_TYPE_STEP_UNKNOWN, "ABORTED",
                 "the saga aborted before an answer came");
  }
  Finish(v1::SAGA_STATE_COMPENSATED, v1::EVENT_TYPE_SAGA_COMPENSATED);
}

}  // namespace tutti::saga
