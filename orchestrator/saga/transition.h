// One event's passage through one saga. Internal to the state machine; lives for a single StateMachine::Step.
//
// The rules are spread by idea: transition.cc carries what every command shares (attempts, retries, parking, history),
// action_rules.cc the way forward and the abort, compensation_rules.cc the way back, operator_rules.cc the words of
// those who mend what is parked, hold_rules.cc what a store that was restored from a backup begins with.
#ifndef TUTTI_ORCHESTRATOR_SAGA_TRANSITION_H_
#define TUTTI_ORCHESTRATOR_SAGA_TRANSITION_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "orchestrator/saga/outcome.h"
#include "orchestrator/saga/state_machine.h"

namespace tutti::saga {

class Transition {
 public:
  // All references must outlive the transition.
  Transition(const Settings& settings, const ParticipantTraitsSource& traits, const Recipe& recipe, const Event& event,
             storage::v1::SagaRecord* record);

  Decision Run();

 private:
  // One command of one step, found again in recipe and record.
  struct CommandRef {
    int step = 0;
    v1::Operation operation = v1::OPERATION_UNSPECIFIED;
  };

  // Why an attempt, or all of them, did not bring an answer.
  struct Silence {
    StatusCode code = kUnavailable;
    std::string message;
    std::optional<int64_t> pushback_ms;
  };

  void On(const StartRequested& start);
  void On(const ReplyReceived& reply);
  void On(const NotSent& not_sent);
  void On(const AttemptTimedOut& timed_out);
  void On(const TimerFired& fired);
  void On(const CancelRequested& cancel);
  void On(const RetryRequested& retry);
  void On(const ResolveRequested& resolve);
  void On(const Recovered& recovered);

  // Attempts and retries, for actions and compensations alike (transition.cc).
  bool MapCommand(CommandRef ref);
  void StartAttempt(CommandRef ref);
  void ScheduleRetry(CommandRef ref, const Silence& silence);
  bool AttemptsSpent(CommandRef ref) const;
  void OnSilence(CommandRef ref, const Silence& silence);
  void OnBackoffOver(CommandRef ref, int backoff);
  void OnGraceOver(CommandRef ref, int attempt);
  // The attempt's reply decides nothing any more, but it may still land for `grace_ms` from now.
  void Linger(CommandRef ref, storage::v1::OpenAttempt* attempt, int64_t grace_ms);
  void LingerAwaited(CommandRef ref);
  int64_t FullGraceMs(CommandRef ref) const;
  // Removes what the reply settled; true when its attempt was still awaited.
  bool SettleByReply(CommandRef ref, const ReplyReceived& reply, const Judgement& judgement);
  // What a reply says, by its code, its mark, and the content of an OK.
  struct Heard {
    Judgement judgement;
    // Stands for an OK that its content made something else, and says what: OK alone explains nothing.
    std::optional<ReplyReceived> instead;
  };
  Heard Hear(CommandRef ref, const ReplyReceived& reply) const;
  void RecoverCommand(CommandRef ref);
  void Park(CommandRef ref, v1::ParkingCause cause, absl::string_view message);
  void Unpark(int step);

  // The way forward (action_rules.cc).
  void OnActionReply(CommandRef ref, const ReplyReceived& received);
  void OnAwaitedActionReply(CommandRef ref, const ReplyReceived& reply, const Judgement& judgement, bool awaited);
  void OnLateActionReply(CommandRef ref, const ReplyReceived& reply, const Judgement& judgement);
  void ActionSucceeded(int step, const ReplyReceived& reply);
  void ActionRejected(int step, const ReplyReceived& reply);
  // Counts towards the limit that parks what has no other end; true when that was the last.
  bool RefusedTooOften(CommandRef ref, const ReplyReceived& reply);
  void ActionUnknown(int step, const Silence& silence);
  void OnStepDeadline(int step);
  void OnSagaTimeout();
  void Advance();
  void AdvanceForward();
  bool ReadyToStart(int step) const;
  void StartAction(int step);
  void CommitIfReached();
  void MapOutput();
  bool PivotIsOpen() const;
  void Abort(v1::AbortReason reason);
  void AbortStep(int step);
  void AbortUnanswered(int step, const Silence& silence);

  // The way back (compensation_rules.cc).
  void OnCompensationReply(CommandRef ref, const ReplyReceived& received);
  void CompensationSucceeded(int step, const ReplyReceived& reply);
  void CompensationRejected(int step, const ReplyReceived& reply);
  void CompensationUnknown(int step, const Silence& silence);
  void AdvanceCompensation();
  bool NeedsCompensation(int step) const;
  bool MayCompensateNow(int step) const;
  void StartCompensation(int step);
  void FinishCompensated();

  // An operator's words (operator_rules.cc).
  void Refuse(const char* reason, std::string message);
  // Unset, and the request refused, unless the step is parked by just this parking.
  std::optional<int> FindParked(const ParkingRef& parking);
  void RetryStep(int step, const RetryRequested& retry);
  void RenewDeadline(int step);
  bool PivotOtherThanMayHaveEffect(int step) const;
  void ResolveDone(int step, const ResolveRequested& resolve);
  void ResolveUndone(int step, const ResolveRequested& resolve);
  v1::HistoryEvent* AppendResolved(int step, const ResolveRequested& resolve);

  // A restored store (hold_rules.cc).
  void HoldWhatIsUnderWay(const Hold& hold);
  void HoldWhatIsNext(const Hold& hold);
  void ParkRestored(CommandRef ref, const Hold& hold);
  bool IsHeld() const;
  void ResumeTimeout();

  // History and look-ups.
  // What the history says it is now: the time of the event, but no earlier than what the history holds already, since
  // the wall clock may be set back. What timers are reckoned by is the event's own time.
  int64_t HistoryMs() const;
  v1::HistoryEvent* Append(v1::EventType type);
  v1::HistoryEvent* AppendStep(v1::EventType type, int step);
  v1::HistoryEvent* AppendAttempt(v1::EventType type, CommandRef ref, int attempt);
  v1::HistoryEvent* AppendReply(v1::EventType type, CommandRef ref, const ReplyReceived& reply,
                                const Judgement& judgement);
  void SetStepState(int step, v1::StepState state, v1::EventType type, absl::string_view code = {},
                    absl::string_view message = {});
  void Finish(v1::SagaState state, v1::EventType type);
  std::optional<CommandRef> Find(const AttemptId& attempt) const;
  std::optional<int> FindStep(absl::string_view name) const;
  bool HasCommand(CommandRef ref) const;
  storage::v1::CommandRecord* Command(CommandRef ref);
  const CommandRecipe& RecipeOf(CommandRef ref) const;
  storage::v1::OpenAttempt* FindOpen(CommandRef ref, int attempt);
  void RemoveOpen(CommandRef ref, int attempt);
  AttemptId IdOf(CommandRef ref, int attempt) const;
  void SetTimer(TimerKind kind, AttemptId attempt, int64_t delay_ms);
  void SetDeadlineTimer(int step, int64_t delay_ms);
  void DropIfQueued(CommandRef ref, int attempt);
  storage::v1::StepRecord* MutableStep(int step) { return record_->mutable_steps(step); }
  const storage::v1::StepRecord& StepAt(int step) const { return record_->steps(step); }
  int step_count() const { return record_->steps_size(); }

  const Settings& settings_;
  const ParticipantTraitsSource& traits_;
  const Recipe& recipe_;
  const Event& event_;
  storage::v1::SagaRecord* const record_;
  Decision decision_;
};

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_TRANSITION_H_
