#include "orchestrator/saga/transition.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/mutation.h"
#include "orchestrator/saga/backoff.h"
#include "orchestrator/saga/command_key.h"

namespace tutti::saga {

using storage::v1::ATTEMPT_PHASE_AWAITED;
using storage::v1::ATTEMPT_PHASE_LINGERING;
using storage::v1::CommandRecord;
using storage::v1::OpenAttempt;
using storage::v1::SagaRecord;
using storage::v1::StepRecord;

Transition::Transition(const Settings& settings, const ParticipantTraitsSource& traits, const Recipe& recipe,
                       const Event& event, SagaRecord* record)
    : settings_(settings), traits_(traits), recipe_(recipe), event_(event), record_(record) {}

Decision Transition::Run() {
  std::visit([this](const auto& body) { On(body); }, event_.body);
  if (decision_.record_changed) Advance();
  return std::move(decision_);
}

void Transition::On(const StartRequested& start) {
  record_->set_version(kRecordVersion);
  record_->set_saga_id(event_.saga_id);
  record_->set_uid(start.uid);
  record_->set_definition(recipe_.definition);
  record_->set_revision(recipe_.revision);
  record_->set_start_fingerprint(start.fingerprint);
  record_->set_asked_revision(start.asked_revision);
  record_->set_state(v1::SAGA_STATE_RUNNING);
  record_->set_input(start.input);
  record_->mutable_labels()->insert(start.labels.begin(), start.labels.end());
  record_->set_traceparent(start.traceparent);
  record_->set_tracestate(start.tracestate);
  record_->set_started_ms(HistoryMs());
  for (const StepRecipe& step : recipe_.steps) {
    StepRecord* added = record_->add_steps();
    added->set_name(step.name);
    added->set_state(v1::STEP_STATE_PENDING);
  }
  Append(v1::EVENT_TYPE_SAGA_STARTED);
  if (recipe_.timeout_ms > 0) {
    record_->set_timeout_at_ms(event_.now_ms + recipe_.timeout_ms);
    SetTimer(TimerKind::kSagaTimeout, {}, recipe_.timeout_ms);
  }
}

void Transition::On(const ReplyReceived& reply) {
  const std::optional<CommandRef> ref = Find(reply.attempt);
  if (!ref.has_value()) return;
  if (ref->operation == v1::OPERATION_ACTION) {
    OnActionReply(*ref, reply);
  } else {
    OnCompensationReply(*ref, reply);
  }
}

void Transition::On(const NotSent& not_sent) {
  const std::optional<CommandRef> ref = Find(not_sent.attempt);
  OpenAttempt* open = ref.has_value() ? FindOpen(*ref, not_sent.attempt.number) : nullptr;
  if (open == nullptr) return;
  const bool awaited = open->phase() == ATTEMPT_PHASE_AWAITED;
  // What never left proves as much as a refusal does: this attempt can have no effect.
  RemoveOpen(*ref, not_sent.attempt.number);
  v1::HistoryEvent* entry = AppendAttempt(v1::EVENT_TYPE_ATTEMPT_NOT_SENT, *ref, not_sent.attempt.number);
  entry->set_message(not_sent.message);
  entry->set_code(StatusCodeName(kUnavailable));
  entry->set_outcome(v1::OUTCOME_UNKNOWN);
  if (awaited) OnSilence(*ref, {.code = kUnavailable, .message = not_sent.message});
}

void Transition::On(const AttemptTimedOut& timed_out) {
  const std::optional<CommandRef> ref = Find(timed_out.attempt);
  OpenAttempt* open = ref.has_value() ? FindOpen(*ref, timed_out.attempt.number) : nullptr;
  if (open == nullptr || open->phase() != ATTEMPT_PHASE_AWAITED) return;
  Linger(*ref, open, settings_.late_reply_grace_ms);
  const int64_t timeout_ms = RecipeOf(*ref).attempt_timeout_ms;
  v1::HistoryEvent* entry = AppendAttempt(v1::EVENT_TYPE_ATTEMPT_TIMED_OUT, *ref, timed_out.attempt.number);
  entry->set_duration_ms(timeout_ms);
  entry->set_code(StatusCodeName(kDeadlineExceeded));
  entry->set_outcome(v1::OUTCOME_UNKNOWN);
  OnSilence(*ref, {.code = kDeadlineExceeded, .message = absl::StrCat("no answer within ", timeout_ms, " ms")});
}

void Transition::On(const TimerFired& fired) {
  const TimerId& timer = fired.timer;
  if (timer.kind == TimerKind::kSagaTimeout) return OnSagaTimeout();
  if (timer.kind == TimerKind::kStepDeadline) {
    const std::optional<int> step = FindStep(timer.attempt.step);
    if (step.has_value() && timer.attempt.number == StepAt(*step).deadlines()) OnStepDeadline(*step);
    return;
  }
  const std::optional<CommandRef> ref = Find(timer.attempt);
  if (!ref.has_value()) return;
  if (timer.kind == TimerKind::kGraceOver) {
    OnGraceOver(*ref, timer.attempt.number);
  } else {
    OnBackoffOver(*ref, timer.attempt.number);
  }
}

void Transition::On(const CancelRequested& cancel) {
  if (record_->state() == v1::SAGA_STATE_COMPENSATING || record_->state() == v1::SAGA_STATE_COMPENSATED) return;
  const bool committed = record_->state() == v1::SAGA_STATE_SUCCEEDED || record_->committed_ms() != 0;
  if (TUTTI_MUTATE(kCancelAfterTheEnd, committed, false)) {
    return Refuse("SAGA_NOT_CANCELLABLE",
                  "the saga is past its commit point and only goes forward; it can no longer be cancelled");
  }
  if (IsHeld()) {
    return Refuse(
        "SAGA_NOT_CANCELLABLE",
        "the saga comes from a backup, and its pivot may have taken effect since then; an operator retries its "
        "parked steps or resolves them");
  }
  if (PivotIsOpen()) {
    return Refuse("SAGA_NOT_CANCELLABLE",
                  "the pivot has been sent and may have taken effect; the saga can no longer be cancelled");
  }
  v1::AbortReason reason;
  reason.set_cause(v1::ABORT_CAUSE_CANCELLED);
  reason.set_message(cancel.reason);
  reason.set_by(cancel.by);
  Abort(std::move(reason));
}

// Everything the crash took from memory is derived anew: grace in full, other timers for what is left of them but never
// longer than configured, whatever the wall clock says now.
void Transition::On(const Recovered& recovered) {
  const auto remaining = [this](int64_t at_ms, int64_t length_ms) {
    return std::clamp<int64_t>(at_ms - event_.now_ms, 0, length_ms);
  };
  if (!IsTerminal(record_->state())) Append(v1::EVENT_TYPE_SAGA_RECOVERED);
  const bool holds =
      !recovered.hold.id.empty() && recovered.hold.id != record_->hold_id() && !IsTerminal(record_->state());
  if (holds) HoldWhatIsUnderWay(recovered.hold);
  if (record_->state() == v1::SAGA_STATE_RUNNING && record_->committed_ms() == 0 && record_->timeout_at_ms() != 0) {
    SetTimer(TimerKind::kSagaTimeout, {}, remaining(record_->timeout_at_ms(), recipe_.timeout_ms));
  }
  for (int step = 0; step < step_count(); ++step) {
    const int64_t deadline_ms = recipe_.steps[step].deadline_ms;
    if (StepAt(step).state() == v1::STEP_STATE_RUNNING && deadline_ms > 0) {
      const int64_t from_ms =
          StepAt(step).deadlines() > 0 ? StepAt(step).deadline_from_ms() : StepAt(step).started_ms();
      SetDeadlineTimer(step, remaining(from_ms + deadline_ms, deadline_ms));
    }
    for (const v1::Operation operation : {v1::OPERATION_ACTION, v1::OPERATION_COMPENSATION}) {
      const CommandRef ref{step, operation};
      if (!HasCommand(ref)) continue;
      const CommandRecord& command = *Command(ref);
      if (command.retry_at_ms() != 0) {
        SetTimer(TimerKind::kBackoffOver, IdOf(ref, command.backoffs()),
                 remaining(command.retry_at_ms(), command.backoff_ms()));
      }
      RecoverCommand(ref);
    }
  }
  if (holds) HoldWhatIsNext(recovered.hold);
}

void Transition::RecoverCommand(CommandRef ref) {
  bool was_awaited = false;
  for (OpenAttempt& open : *Command(ref)->mutable_open()) {
    if (open.phase() == ATTEMPT_PHASE_AWAITED) {
      was_awaited = true;
      v1::HistoryEvent* entry = AppendAttempt(v1::EVENT_TYPE_ATTEMPT_LOST, ref, open.number());
      entry->set_outcome(v1::OUTCOME_UNKNOWN);
    }
    Linger(ref, &open, FullGraceMs(ref));
  }
  if (TUTTI_MUTATE(kForgetOpenAtCrash, false, true)) Command(ref)->clear_open();
  if (TUTTI_MUTATE(kRecoveryForgetsToRetry, was_awaited, false) && !IsTerminal(record_->state())) {
    OnSilence(ref, {.code = kUnavailable, .message = "the orchestrator restarted before an answer came"});
  }
}

bool Transition::MapCommand(CommandRef ref) {
  const std::string key = CommandKey(record_->uid(), StepAt(ref.step).name(), ref.operation);
  absl::StatusOr<MappedRequest> mapped = recipe_.mapper->MapRequest(ref.step, ref.operation, key, *record_);
  if (!mapped.ok()) {
    v1::HistoryEvent* entry = AppendAttempt(v1::EVENT_TYPE_MAPPING_FAILED, ref, 0);
    entry->set_message(std::string(mapped.status().message()));
    return false;
  }
  CommandRecord* command = Command(ref);
  command->set_key(key);
  command->set_born_ms(event_.now_ms);
  command->set_request(std::move(mapped->bytes));
  command->mutable_metadata()->insert(mapped->metadata.begin(), mapped->metadata.end());
  return true;
}

void Transition::StartAttempt(CommandRef ref) {
  StepRecord* step = MutableStep(ref.step);
  CommandRecord* command = Command(ref);
  TUTTI_CHECK(ref.operation == v1::OPERATION_COMPENSATION || record_->state() == v1::SAGA_STATE_RUNNING,
              "no action leaves after the abort");
  TUTTI_CHECK(!IsTerminal(record_->state()), "nothing is sent after the end");
  TUTTI_CHECK(!HasAwaitedAttempt(*command), "one attempt of a command is awaited at a time");
  if (event_.now_ms - command->born_ms() > settings_.command_horizon_ms) {
    return Park(ref, v1::PARKING_CAUSE_HORIZON,
                "the key is older than command_horizon; participants may have forgotten it");
  }
  const int number = command->attempts() + 1;
  command->set_attempts(number);
  command->set_retry_at_ms(0);
  command->set_backoff_ms(0);
  OpenAttempt* open = command->add_open();
  open->set_number(number);
  open->set_intent_ms(event_.now_ms);
  open->set_phase(ATTEMPT_PHASE_AWAITED);
  AppendAttempt(v1::EVENT_TYPE_ATTEMPT_STARTED, ref, number);

  const StepRecipe& recipe = recipe_.steps[ref.step];
  const CommandRecipe& command_recipe = RecipeOf(ref);
  decision_.effects.push_back(SendCommand{
      .saga_id = record_->saga_id(),
      .saga_uid = record_->uid(),
      .participant = recipe.participant,
      .method = command_recipe.method,
      .kind = recipe.kind,
      .attempt = {.step = step->name(), .operation = ref.operation, .number = number},
      .key = TUTTI_MUTATE(kSecondCompensationKey, command->key(),
                          absl::StrCat(command->key(), number > 1 ? "/again" : "")),
      .key_born_ms = command->born_ms(),
      .step_born_ms = step->action().born_ms(),
      .request = command->request(),
      .metadata = {command->metadata().begin(), command->metadata().end()},
      .traceparent = record_->traceparent(),
      .tracestate = record_->tracestate(),
      .timeout_ms = command_recipe.attempt_timeout_ms,
      .grace_ms = settings_.late_reply_grace_ms,
  });
}

bool Transition::AttemptsSpent(CommandRef ref) const {
  const CommandRecord& command = *const_cast<Transition*>(this)->Command(ref);
  const int limit = RecipeOf(ref).retry.max_attempts;
  return limit > 0 && command.attempts() - command.budget_start() >= limit;
}

void Transition::OnSilence(CommandRef ref, const Silence& silence) {
  // A parked step leaves only by an operator's word or by a reply that settles it.
  if (StepAt(ref.step).has_parking()) return;
  if (ref.operation == v1::OPERATION_ACTION) {
    ActionUnknown(ref.step, silence);
  } else {
    CompensationUnknown(ref.step, silence);
  }
}

void Transition::ScheduleRetry(CommandRef ref, const Silence& silence) {
  CommandRecord* command = Command(ref);
  const RetryPolicy& policy = RecipeOf(ref).retry;
  const uint64_t salt = static_cast<uint64_t>(ref.step) * 2 + (ref.operation == v1::OPERATION_COMPENSATION ? 1 : 0);
  int64_t delay_ms = BackoffMs(policy, command->attempts() - command->budget_start(), Mix(event_.random, salt));
  if (silence.pushback_ms.has_value()) {
    // Negative ends the attempts where they have an end; what must go on goes on as slowly as it may.
    delay_ms =
        *silence.pushback_ms < 0 ? policy.max_backoff_ms : std::min(*silence.pushback_ms, settings_.pushback_ms_max);
  }
  command->set_retry_at_ms(event_.now_ms + delay_ms);
  command->set_backoff_ms(delay_ms);
  command->set_backoffs(command->backoffs() + 1);
  SetTimer(TimerKind::kBackoffOver, IdOf(ref, command->backoffs()), delay_ms);
  v1::HistoryEvent* entry = AppendAttempt(v1::EVENT_TYPE_RETRY_SCHEDULED, ref, command->attempts() + 1);
  entry->set_duration_ms(delay_ms);
}

void Transition::OnBackoffOver(CommandRef ref, int backoff) {
  const CommandRecord& command = *Command(ref);
  if (command.retry_at_ms() == 0 || command.backoffs() != backoff || StepAt(ref.step).has_parking()) return;
  StartAttempt(ref);
}

void Transition::OnGraceOver(CommandRef ref, int attempt) {
  const OpenAttempt* open = FindOpen(ref, attempt);
  if (open == nullptr || open->phase() != ATTEMPT_PHASE_LINGERING) return;
  RemoveOpen(ref, attempt);
  Command(ref)->set_effect_possible(TUTTI_MUTATE(kSilenceIsProof, true, false));
}

void Transition::Linger(CommandRef ref, OpenAttempt* attempt, int64_t grace_ms) {
  attempt->set_phase(ATTEMPT_PHASE_LINGERING);
  decision_.record_changed = true;
  SetTimer(TimerKind::kGraceOver, IdOf(ref, attempt->number()), grace_ms);
}

void Transition::LingerAwaited(CommandRef ref) {
  for (OpenAttempt& open : *Command(ref)->mutable_open()) {
    if (open.phase() != ATTEMPT_PHASE_AWAITED) continue;
    DropIfQueued(ref, open.number());
    Linger(ref, &open, FullGraceMs(ref));
  }
}

int64_t Transition::FullGraceMs(CommandRef ref) const {
  return RecipeOf(ref).attempt_timeout_ms + settings_.late_reply_grace_ms;
}

Transition::Heard Transition::Hear(CommandRef ref, const ReplyReceived& reply) const {
  JudgedReply judged;
  if (reply.code == kOk) judged = recipe_.mapper->JudgeReply(ref.step, ref.operation, reply.reply);
  Heard heard{.judgement = Judge(RecipeOf(ref), ref.operation, StepAt(ref.step), reply, judged.verdict),
              .instead = std::nullopt};
  const v1::Outcome outcome = heard.judgement.unmarked_success ? v1::OUTCOME_SUCCEEDED : heard.judgement.outcome;
  const bool unreadable = judged.verdict == ReplyVerdict::kUndecodable && outcome == v1::OUTCOME_UNKNOWN;
  const bool rejected = judged.verdict == ReplyVerdict::kRejected && outcome == v1::OUTCOME_REJECTED;
  if (unreadable || rejected) {
    heard.instead = ReplyReceived{.attempt = reply.attempt,
                                  .code = unreadable ? kInternal : kOk,
                                  .message = std::move(judged.reason),
                                  .mark = reply.mark,
                                  .elapsed_ms = reply.elapsed_ms};
  }
  return heard;
}

bool Transition::SettleByReply(CommandRef ref, const ReplyReceived& reply, const Judgement& judgement) {
  CommandRecord* command = Command(ref);
  OpenAttempt* open = FindOpen(ref, reply.attempt.number);
  const bool awaited = open != nullptr && open->phase() == ATTEMPT_PHASE_AWAITED;
  if (TUTTI_MUTATE(kRefusalSpeaksForAll, judgement.speaks_for_key,
                   judgement.speaks_for_key || judgement.refused_with_proof)) {
    for (const OpenAttempt& other : command->open()) {
      if (other.number() != reply.attempt.number) DropIfQueued(ref, other.number());
    }
    command->clear_open();
    if (judgement.refused_with_proof) command->set_effect_possible(false);
    if (judgement.outcome == v1::OUTCOME_SUCCEEDED) {
      command->set_mark(reply.mark);
      // An operator who knows of the unmarked answer asked again, and this is the answer.
      const bool asked_again =
          reply.attempt.number > command->budget_start() && command->budget_start() >= command->unmarked_attempt();
      if (asked_again) command->set_unmarked_success(false);
    }
  } else if (judgement.outcome == v1::OUTCOME_SUCCEEDED || judgement.refused_with_proof) {
    RemoveOpen(ref, reply.attempt.number);
  } else if (awaited) {
    Linger(ref, open, FullGraceMs(ref));
  }
  if (judgement.unmarked_success) {
    command->set_unmarked_success(true);
    command->set_unmarked_attempt(std::max(command->unmarked_attempt(), reply.attempt.number));
  }
  decision_.record_changed = true;
  return awaited;
}

bool Transition::RefusedTooOften(CommandRef ref, const ReplyReceived& reply) {
  CommandRecord* command = Command(ref);
  command->set_refusals(command->refusals() + 1);
  if (StepAt(ref.step).has_parking()) return true;
  if (command->refusals() < RecipeOf(ref).retry.max_refusals) return false;
  Park(ref, v1::PARKING_CAUSE_REFUSED,
       absl::StrCat("refused ", command->refusals(), " times, last with ", StatusCodeName(reply.code), ": ",
                    reply.message));
  return true;
}

void Transition::Park(CommandRef ref, v1::ParkingCause cause, absl::string_view message) {
  StepRecord* step = MutableStep(ref.step);
  if (step->has_parking() && step->parking().cause() == v1::PARKING_CAUSE_LATE_SUCCESS) return;
  // More of the same is no new parking: an operator's word about it stays good.
  if (step->has_parking() && step->parking().cause() == cause && step->parking().operation() == ref.operation) return;
  Unpark(ref.step);  // a new cause is a new parking, with a sequence of its own
  if (HasCommand(ref)) Command(ref)->set_retry_at_ms(0);
  v1::HistoryEvent* entry = AppendStep(v1::EVENT_TYPE_STEP_PARKED, ref.step);
  entry->set_operation(ref.operation);
  entry->set_parking_cause(cause);
  entry->set_message(std::string(message));
  storage::v1::ParkingRecord* parking = step->mutable_parking();
  parking->set_cause(cause);
  parking->set_operation(ref.operation);
  parking->set_message(std::string(message));
  parking->set_since_ms(HistoryMs());
  parking->set_history_sequence(entry->sequence());
}

void Transition::Unpark(int step) {
  if (!StepAt(step).has_parking() || StepAt(step).parking().cause() == v1::PARKING_CAUSE_LATE_SUCCESS) return;
  MutableStep(step)->clear_parking();
  AppendStep(v1::EVENT_TYPE_STEP_UNPARKED, step);
}

int64_t Transition::HistoryMs() const {
  return std::max({event_.now_ms, record_->last_event_ms(), record_->started_ms()});
}

v1::HistoryEvent* Transition::Append(v1::EventType type) {
  decision_.record_changed = true;
  const int64_t now_ms = HistoryMs();
  record_->set_last_sequence(record_->last_sequence() + 1);
  record_->set_last_event_ms(now_ms);
  v1::HistoryEvent& entry = decision_.history.emplace_back();
  entry.set_sequence(record_->last_sequence());
  entry.mutable_time()->set_seconds(now_ms / 1000);
  entry.mutable_time()->set_nanos(static_cast<int32_t>(now_ms % 1000) * 1'000'000);
  entry.set_type(type);
  entry.set_saga_state(record_->state());
  return &entry;
}

v1::HistoryEvent* Transition::AppendStep(v1::EventType type, int step) {
  v1::HistoryEvent* entry = Append(type);
  entry->set_step(StepAt(step).name());
  return entry;
}

v1::HistoryEvent* Transition::AppendAttempt(v1::EventType type, CommandRef ref, int attempt) {
  v1::HistoryEvent* entry = AppendStep(type, ref.step);
  entry->set_operation(ref.operation);
  entry->set_attempt(attempt);
  return entry;
}

v1::HistoryEvent* Transition::AppendReply(v1::EventType type, CommandRef ref, const ReplyReceived& reply,
                                          const Judgement& judgement) {
  v1::HistoryEvent* entry = AppendAttempt(type, ref, reply.attempt.number);
  entry->set_code(StatusCodeName(reply.code));
  entry->set_message(reply.message);
  entry->set_outcome(judgement.outcome);
  entry->set_mark(reply.mark);
  entry->set_duration_ms(std::max<int64_t>(reply.elapsed_ms, 0));
  return entry;
}

void Transition::SetStepState(int step, v1::StepState state, v1::EventType type, absl::string_view code,
                              absl::string_view message) {
  StepRecord* record = MutableStep(step);
  record->set_state(state);
  if (state == v1::STEP_STATE_RUNNING) record->set_started_ms(HistoryMs());
  const bool rests = state != v1::STEP_STATE_RUNNING && state != v1::STEP_STATE_COMPENSATING;
  if (rests) record->set_finished_ms(HistoryMs());
  if (type == v1::EVENT_TYPE_UNSPECIFIED) return;
  v1::HistoryEvent* entry = AppendStep(type, step);
  entry->set_code(std::string(code));
  entry->set_message(std::string(message));
  if (rests && record->started_ms() != 0) entry->set_duration_ms(HistoryMs() - record->started_ms());
}

void Transition::Finish(v1::SagaState state, v1::EventType type) {
  record_->set_state(state);
  record_->set_finished_ms(HistoryMs());
  Append(type)->set_duration_ms(HistoryMs() - record_->started_ms());
}

std::optional<Transition::CommandRef> Transition::Find(const AttemptId& attempt) const {
  const std::optional<int> step = FindStep(attempt.step);
  if (!step.has_value()) return std::nullopt;
  const CommandRef ref{*step, attempt.operation};
  return HasCommand(ref) ? std::optional<CommandRef>(ref) : std::nullopt;
}

std::optional<int> Transition::FindStep(absl::string_view name) const {
  for (int step = 0; step < step_count(); ++step) {
    if (StepAt(step).name() == name) return step;
  }
  return std::nullopt;
}

bool Transition::HasCommand(CommandRef ref) const {
  const StepRecord& step = StepAt(ref.step);
  return ref.operation == v1::OPERATION_COMPENSATION ? step.has_compensation() : step.has_action();
}

CommandRecord* Transition::Command(CommandRef ref) {
  StepRecord* step = MutableStep(ref.step);
  return ref.operation == v1::OPERATION_COMPENSATION ? step->mutable_compensation() : step->mutable_action();
}

const CommandRecipe& Transition::RecipeOf(CommandRef ref) const {
  const StepRecipe& step = recipe_.steps[ref.step];
  return ref.operation == v1::OPERATION_COMPENSATION ? *step.compensation : step.action;
}

OpenAttempt* Transition::FindOpen(CommandRef ref, int attempt) {
  for (OpenAttempt& open : *Command(ref)->mutable_open()) {
    if (open.number() == attempt) return &open;
  }
  return nullptr;
}

void Transition::RemoveOpen(CommandRef ref, int attempt) {
  auto* open = Command(ref)->mutable_open();
  open->erase(std::remove_if(open->begin(), open->end(),
                             [attempt](const OpenAttempt& candidate) { return candidate.number() == attempt; }),
              open->end());
  decision_.record_changed = true;
}

AttemptId Transition::IdOf(CommandRef ref, int attempt) const {
  return {.step = StepAt(ref.step).name(), .operation = ref.operation, .number = attempt};
}

void Transition::SetTimer(TimerKind kind, AttemptId attempt, int64_t delay_ms) {
  decision_.effects.push_back(saga::SetTimer{.saga_id = record_->saga_id(),
                                             .saga_uid = record_->uid(),
                                             .timer = {.kind = kind, .attempt = std::move(attempt)},
                                             .delay_ms = delay_ms});
}

void Transition::SetDeadlineTimer(int step, int64_t delay_ms) {
  SetTimer(TimerKind::kStepDeadline, {.step = StepAt(step).name(), .number = StepAt(step).deadlines()}, delay_ms);
}

void Transition::DropIfQueued(CommandRef ref, int attempt) {
  decision_.effects.push_back(DropCommand{.saga_id = record_->saga_id(),
                                          .saga_uid = record_->uid(),
                                          .participant = recipe_.steps[ref.step].participant,
                                          .attempt = IdOf(ref, attempt)});
}

}  // namespace tutti::saga
