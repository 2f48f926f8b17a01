#include "tests/model/machine.h"

#include <utility>

#include "orchestrator/saga/command_key.h"
#include "orchestrator/saga/outcome.h"
#include "orchestrator/saga/record_check.h"

namespace tutti::model {
namespace {

constexpr int64_t kNowMs = 1'000'000;
constexpr int64_t kParkingSequence = 1;
constexpr saga::StatusCode kFailedPrecondition = 9;
constexpr saga::StatusCode kAborted = 10;

uint64_t CodeOf(RecordId record, const EventName& event) {
  uint64_t code = record;
  code = code << 6 | static_cast<uint64_t>(event.kind);
  code = code << 4 | event.attempt.step;
  code = code << 1 | event.attempt.undo;
  code = code << 5 | event.attempt.number;
  return code << 5 | static_cast<uint64_t>(event.answer);
}

saga::ReplyReceived MakeReply(saga::AttemptId attempt, Answer answer) {
  saga::ReplyReceived reply{.attempt = std::move(attempt)};
  switch (answer) {
    case Answer::kOk:
      break;
    case Answer::kRefused:
      reply.code = kFailedPrecondition;
      break;
    case Answer::kUnavailable:
      reply.code = saga::kUnavailable;
      break;
    case Answer::kApplied:
      reply.mark = v1::BARRIER_MARK_APPLIED;
      break;
    case Answer::kBarrierRefused:
      reply.code = kFailedPrecondition;
      reply.mark = v1::BARRIER_MARK_REFUSED;
      break;
    case Answer::kUndone:
      reply.mark = v1::BARRIER_MARK_UNDONE;
      break;
    case Answer::kEmpty:
      reply.mark = v1::BARRIER_MARK_EMPTY;
      break;
    case Answer::kTooLateUndone:
      reply.code = kAborted;
      reply.mark = v1::BARRIER_MARK_UNDONE;
      break;
    case Answer::kTooLateEmpty:
      reply.code = kAborted;
      reply.mark = v1::BARRIER_MARK_EMPTY;
      break;
  }
  if (reply.code == saga::kOk) reply.reply = "reply";
  return reply;
}

CommandFacts FactsOf(bool exists, const storage::v1::CommandRecord& command) {
  CommandFacts facts{.attempts = static_cast<uint8_t>(command.attempts()),
                     .backoffs = static_cast<uint8_t>(command.backoffs()),
                     .exists = exists};
  for (const storage::v1::OpenAttempt& open : command.open()) {
    const auto bit = static_cast<uint8_t>(1u << ((open.number() - 1) % kAttemptsMax));
    (open.phase() == storage::v1::ATTEMPT_PHASE_AWAITED ? facts.awaited : facts.lingering) |= bit;
  }
  return facts;
}

Facts FactsOf(const storage::v1::SagaRecord& record) {
  Facts facts{.state = record.state(),
              .committed = record.committed_ms() != 0,
              .parked = saga::IsParked(record),
              .active = record.steps_size() > 0 && saga::IsActive(record),
              .was_held = !record.hold_id().empty()};
  for (int i = 0; i < record.steps_size(); ++i) {
    const storage::v1::StepRecord& step = record.steps(i);
    facts.held |= step.parking().cause() == v1::PARKING_CAUSE_RESTORED;
    facts.steps[i] = {
        .state = step.state(),
        .command = {FactsOf(step.has_action(), step.action()), FactsOf(step.has_compensation(), step.compensation())},
        .parked = step.has_parking()};
  }
  return facts;
}

void NormalizeCommand(storage::v1::CommandRecord* command) {
  if (command->retry_at_ms() != 0) command->set_retry_at_ms(kNowMs);
  command->set_backoff_ms(0);
}

// The state machine never decides by these; they would only tell apart states that behave alike.
void Normalize(storage::v1::SagaRecord* record) {
  record->set_last_sequence(0);
  record->clear_last_event_ms();
  record->clear_output();
  if (record->has_abort_reason()) {
    record->mutable_abort_reason()->clear_message();
    record->mutable_abort_reason()->clear_code();
  }
  for (storage::v1::StepRecord& step : *record->mutable_steps()) {
    if (step.has_action()) NormalizeCommand(step.mutable_action());
    if (step.has_compensation()) NormalizeCommand(step.mutable_compensation());
    if (!step.has_parking()) continue;
    step.mutable_parking()->clear_message();
    step.mutable_parking()->set_history_sequence(kParkingSequence);
  }
}

}  // namespace

Machine::Machine(const Scenario& scenario)
    : recipe_(MakeRecipe(scenario)), machine_(saga::Settings{}, &traits_), records_(1), facts_(1) {}

saga::AttemptId Machine::IdOf(const AttemptName& name) const {
  return {.step = recipe_.steps[name.step].name,
          .operation = name.undo ? v1::OPERATION_COMPENSATION : v1::OPERATION_ACTION,
          .number = name.number};
}

AttemptName Machine::NameOf(const saga::AttemptId& id) const {
  AttemptName name{.undo = id.operation == v1::OPERATION_COMPENSATION, .number = static_cast<uint8_t>(id.number)};
  while (name.step < recipe_.steps.size() && recipe_.steps[name.step].name != id.step) ++name.step;
  if (id.step.empty()) name.step = 0;
  return name;
}

// The operator has read of the present parking.
saga::ParkingRef Machine::ParkingOf(const EventName& name) const {
  return {.step = recipe_.steps[name.attempt.step].name, .history_sequence = kParkingSequence};
}

saga::Event Machine::MakeEvent(const EventName& name) const {
  saga::Event event{.saga_id = "saga", .now_ms = kNowMs, .random = 42};
  const saga::AttemptId attempt = IdOf(name.attempt);
  const auto timer = [&](saga::TimerKind kind) { return saga::TimerFired{{.kind = kind, .attempt = attempt}}; };
  switch (name.kind) {
    case EventKind::kStart:
      event.body = saga::StartRequested{.uid = "uid", .fingerprint = "fingerprint"};
      break;
    case EventKind::kReply:
      event.body = MakeReply(attempt, name.answer);
      break;
    case EventKind::kNotSent:
      event.body = saga::NotSent{.attempt = attempt, .message = "not sent"};
      break;
    case EventKind::kTimedOut:
      event.body = saga::AttemptTimedOut{attempt};
      break;
    case EventKind::kGraceOver:
      event.body = timer(saga::TimerKind::kGraceOver);
      break;
    case EventKind::kBackoffOver:
      event.body = timer(saga::TimerKind::kBackoffOver);
      break;
    case EventKind::kStepDeadline:
      event.body = timer(saga::TimerKind::kStepDeadline);
      break;
    case EventKind::kSagaTimeout:
      event.body = timer(saga::TimerKind::kSagaTimeout);
      break;
    case EventKind::kCancel:
      event.body = saga::CancelRequested{.reason = "changed my mind", .by = "client"};
      break;
    case EventKind::kRetryStep:
      event.body = saga::RetryRequested{.parkings = {ParkingOf(name)}, .reason = "mended", .by = "operator"};
      break;
    case EventKind::kResolveDone:
      event.body = saga::ResolveRequested{
          .parking = ParkingOf(name), .resolution = v1::RESOLUTION_DONE, .reason = "it is there", .by = "operator"};
      break;
    case EventKind::kResolveUndone:
      event.body = saga::ResolveRequested{
          .parking = ParkingOf(name), .resolution = v1::RESOLUTION_UNDONE, .reason = "it is not", .by = "operator"};
      break;
    case EventKind::kRecovered:
      event.body = saga::Recovered{};
      break;
    case EventKind::kRecoveredHeld:
      event.body = saga::Recovered{.hold = {.id = "hold", .what = "restored"}};
      break;
  }
  return event;
}

OutcomeId Machine::Step(RecordId record, const EventName& event) {
  const auto [known, fresh] = known_.try_emplace(CodeOf(record, event), static_cast<OutcomeId>(outcomes_.size()));
  if (!fresh) return known->second;
  storage::v1::SagaRecord after = records_[record];
  const saga::Decision decision = machine_.Step(recipe_, MakeEvent(event), &after);
  outcomes_.push_back(Digest(decision, record, std::move(after)));
  return static_cast<OutcomeId>(outcomes_.size() - 1);
}

Outcome Machine::Digest(const saga::Decision& decision, RecordId before, storage::v1::SagaRecord after) {
  Outcome outcome{.record = before, .changed = decision.record_changed, .refused = !decision.answer.ok()};
  if (decision.record_changed) outcome.record = Intern(std::move(after));
  for (const v1::HistoryEvent& entry : decision.history) {
    if (entry.late_action() != v1::LATE_ACTION_ALARM) continue;
    outcome.alarmed_steps |= static_cast<uint8_t>(1u << NameOf({.step = entry.step()}).step);
  }
  for (const saga::Effect& effect : decision.effects) {
    if (const auto* send = std::get_if<saga::SendCommand>(&effect)) {
      const std::string own = saga::CommandKey(send->saga_uid, send->attempt.step, send->attempt.operation);
      outcome.sends.push_back({.attempt = NameOf(send->attempt), .first_key = send->key == own});
      outcome.endless |= send->attempt.number > kAttemptsMax;
    } else if (const auto* drop = std::get_if<saga::DropCommand>(&effect)) {
      outcome.drops.push_back(NameOf(drop->attempt));
    } else if (const auto* timer = std::get_if<saga::SetTimer>(&effect)) {
      outcome.timers.push_back({.kind = timer->timer.kind, .attempt = NameOf(timer->timer.attempt)});
      outcome.endless |= timer->timer.attempt.number > kAttemptsMax;
    }
  }
  return outcome;
}

RecordId Machine::Intern(storage::v1::SagaRecord record) {
  Normalize(&record);
  const auto [known, fresh] = ids_.try_emplace(record.SerializeAsString(), static_cast<RecordId>(records_.size()));
  if (fresh) {
    facts_.push_back(FactsOf(record));
    records_.push_back(std::move(record));
  }
  return known->second;
}

absl::Status Machine::CheckRecords() const {
  // Nothing has the first place: no saga.
  for (size_t id = 1; id < records_.size(); ++id) {
    if (absl::Status status = saga::CheckRecord(recipe_, records_[id]); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace tutti::model
