// The shipped state machine, remembered: it is pure, so one (record, event) is stepped once and records are kept once.
// Time stands still and numbers that only grow are taken out, so that states that behave alike are one state.
#ifndef TUTTI_TESTS_MODEL_MACHINE_H_
#define TUTTI_TESTS_MODEL_MACHINE_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "orchestrator/saga/state_machine.h"
#include "tests/model/scenario.h"

namespace tutti::model {

using RecordId = uint32_t;  // 0: there is no such saga
using OutcomeId = uint32_t;

inline constexpr int kAttemptsMax = 8;

// One attempt of one command. `undo` is the operation.
struct AttemptName {
  uint8_t step = 0;
  uint8_t undo = 0;
  uint8_t number = 0;

  friend bool operator==(const AttemptName&, const AttemptName&) = default;
};

// What a reply can say.
enum class Answer : uint8_t {
  kOk,              // unmarked
  kRefused,         // FAILED_PRECONDITION, unmarked
  kUnavailable,     // unmarked
  kApplied,         // OK, marked
  kBarrierRefused,  // FAILED_PRECONDITION, marked refused
  kUndone,          // OK, marked
  kEmpty,           // OK, marked
  kTooLateUndone,   // ABORTED, marked undone: an action after its own compensation
  kTooLateEmpty,    // ABORTED, marked empty
};

enum class EventKind : uint8_t {
  kStart,
  kReply,
  kNotSent,
  kTimedOut,
  kGraceOver,
  kBackoffOver,
  kStepDeadline,
  kSagaTimeout,
  kCancel,
  kRetryStep,
  kResolveDone,
  kResolveUndone,
  kRecovered,
  kRecoveredHeld,  // from a backup
};

struct EventName {
  EventKind kind = EventKind::kStart;
  AttemptName attempt;
  Answer answer = Answer::kOk;
};

struct SentCommand {
  AttemptName attempt;
  bool first_key = true;  // false: another key than the command's own
};

struct ArmedTimer {
  saga::TimerKind kind = saga::TimerKind::kGraceOver;
  AttemptName attempt;
};

struct Outcome {
  RecordId record = 0;
  bool changed = false;
  bool refused = false;
  bool endless = false;  // an attempt or backoff numbered beyond kAttemptsMax: more than the bounds can have caused
  uint8_t alarmed_steps = 0;  // bit per step: history raised the alarm of a late success
  std::vector<SentCommand> sends;
  std::vector<AttemptName> drops;
  std::vector<ArmedTimer> timers;
};

struct CommandFacts {
  uint8_t attempts = 0;
  uint8_t backoffs = 0;
  uint8_t awaited = 0;  // bit per attempt number - 1
  uint8_t lingering = 0;
  bool exists = false;
};

struct StepFacts {
  v1::StepState state = v1::STEP_STATE_UNSPECIFIED;
  CommandFacts command[2];  // action, compensation
  bool parked = false;
};

// A record in the few words that the world and the invariants ask for.
struct Facts {
  v1::SagaState state = v1::SAGA_STATE_UNSPECIFIED;
  bool committed = false;
  bool parked = false;
  bool active = false;
  bool was_held = false;  // comes from a backup
  bool held = false;      // and some step waits for an operator for that
  StepFacts steps[kStepsMax];

  bool terminal() const { return saga::IsTerminal(state); }
  bool aborted() const { return state == v1::SAGA_STATE_COMPENSATING || state == v1::SAGA_STATE_COMPENSATED; }
};

class Machine {
 public:
  explicit Machine(const Scenario& scenario);

  OutcomeId Step(RecordId record, const EventName& event);
  const Outcome& outcome(OutcomeId id) const { return outcomes_[id]; }
  const Facts& facts(RecordId id) const { return facts_[id]; }
  const storage::v1::SagaRecord& record(RecordId id) const { return records_[id]; }
  const saga::Recipe& recipe() const { return recipe_; }
  size_t records() const { return records_.size(); }
  // Whether recovery would accept every record that was reached: a sound store must never be refused.
  absl::Status CheckRecords() const;

  saga::Event MakeEvent(const EventName& name) const;
  saga::AttemptId IdOf(const AttemptName& name) const;

 private:
  saga::ParkingRef ParkingOf(const EventName& name) const;
  RecordId Intern(storage::v1::SagaRecord record);
  AttemptName NameOf(const saga::AttemptId& id) const;
  Outcome Digest(const saga::Decision& decision, RecordId before, storage::v1::SagaRecord after);

  const Traits traits_;
  const saga::Recipe recipe_;
  const saga::StateMachine machine_;
  std::unordered_map<std::string, RecordId> ids_;
  std::vector<storage::v1::SagaRecord> records_;
  std::vector<Facts> facts_;
  std::unordered_map<uint64_t, OutcomeId> known_;
  std::vector<Outcome> outcomes_;
};

}  // namespace tutti::model

#endif  // TUTTI_TESTS_MODEL_MACHINE_H_
