// One saga, its orchestrator, the network and its participants, as one value; and every move the world can make next.
//
// The orchestrator is the shipped state machine inside a shard of the model's own: a decision changes memory at once,
// becomes durable by a later move, and only then are its commands queued, timers armed and watchers told. A crash takes
// memory, queues, calls and timers, and leaves what is durable, what is on its way, and the participants.
#ifndef TUTTI_TESTS_MODEL_WORLD_H_
#define TUTTI_TESTS_MODEL_WORLD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/model/machine.h"
#include "tests/model/service.h"

namespace tutti::model {

inline constexpr int kOpenMax = 10;    // attempts of which something is still under way
inline constexpr int kPendingMax = 2;  // decisions that wait for their commit

// What is under way of one attempt.
struct Traffic {
  AttemptName name;      // number 0: this place is free
  uint8_t queued = 0;    // at the invoker, not handed over
  uint8_t dropped = 0;   // dropped while it waited for its commit
  uint8_t not_sent = 0;  // NotSent is on its way to the shard
  uint8_t call = 0;      // this process listens for its reply
  uint8_t copies = 0;    // of the command, between orchestrator and participant
  uint8_t second_key = 0;
  uint8_t replies[2] = {0, 0};  // Answer + 1; 0: none
};

// A step's deadline, and the one that an operator's retry gave it anew.
inline constexpr uint8_t kDeadlinesMax = 1;
inline constexpr uint8_t DeadlineBit(uint8_t step, uint8_t number) {
  return static_cast<uint8_t>(1u << (step + kStepsMax * number));
}

// No padding: states are hashed and compared by their bytes.
struct World {
  RecordId memory = 0;
  RecordId durable = 0;
  uint32_t pending[kPendingMax] = {};  // OutcomeId + 1, oldest first
  uint64_t grace_armed = 0;            // bit per attempt
  uint64_t backoff_armed = 0;
  uint8_t deadline_armed = 0;  // DeadlineBit
  uint8_t saga_timeout_armed = 0;
  uint8_t faults = 0;  // left
  uint8_t crashes = 0;
  uint8_t cancels = 0;
  uint8_t words = 0;
  uint8_t undo_sent = 0;  // bit per step: its compensation was handed to the transport
  uint8_t told = 0;       // the newest stage that a client or watcher has heard of
  Service services[kStepsMax];
  Traffic traffic[kOpenMax];
  uint8_t unreadable = 0;  // nothing is done for the saga any more; what was under way goes on
  uint8_t restores = 0;
};
static_assert(std::is_trivially_copyable_v<World> && std::has_unique_object_representations_v<World>);

enum class MoveKind : uint8_t {
  kCommit,  // the oldest decision becomes durable
  kHandOver,
  kNotSent,  // the channel is not READY in time
  kLand,     // `choice`: of Landings
  kLose,
  kDuplicate,
  kMeddle,  // something on the way refuses the call by itself
  kReply,   // `choice`: which reply
  kLoseReply,
  kSpoilReply,  // it turns into UNAVAILABLE on the way
  kHearNotSent,
  kTimeOut,
  kGraceOver,
  kBackoffOver,
  kDeadline,
  kSagaTimeout,
  kCancel,
  kRetryStep,
  kResolveDone,
  kResolveUndone,
  kCrash,
  kDamage,   // a crash, after which the record cannot be read: the orchestrator steps over it
  kRestore,  // a crash that takes the store; a backup of that very moment is restored
};

struct Move {
  MoveKind kind = MoveKind::kCommit;
  AttemptName attempt;
  uint8_t choice = 0;
  bool fault = false;     // costs one
  bool progress = false;  // happens by itself once faults stop
};

struct Violation {
  std::string invariant;  // "I1"
  std::string what;
};

// What a hash of 128 bits tells apart.
using Fingerprint = std::pair<uint64_t, uint64_t>;
Fingerprint FingerprintOf(const World& world);

class Universe {
 public:
  explicit Universe(const Scenario& scenario);

  // The saga has been started; nothing is durable yet.
  World Initial();
  // Everything that can happen next.
  void Moves(const World& world, std::vector<Move>* moves);
  // Carries out a move of Moves(world); the first violation it meets is kept in `violation`.
  World After(const World& world, const Move& move, std::optional<Violation>* violation);
  // I6 of a world and its moves: where nothing can happen by itself any more, the saga has ended or is parked.
  std::optional<Violation> CheckRest(const World& world, const std::vector<Move>& moves) const;
  // One line for people: the event or effect as logs would show it.
  std::string Describe(const World& world, const Move& move);
  std::string Describe(const World& world) const;

  // What the state machine would decide, without moving the world.
  const Outcome& Ask(const World& world, const EventName& event) {
    return machine_.outcome(machine_.Step(world.memory, event));
  }

  const Scenario& scenario() const { return scenario_; }
  const Machine& machine() const { return machine_; }

 private:
  bool Listens(const World& world, const EventName& event);
  void TrafficMoves(const World& world, const Traffic& traffic, std::vector<Move>* moves);
  void TimerMoves(const World& world, std::vector<Move>* moves);
  void OutsideMoves(const World& world, std::vector<Move>* moves);
  void OperatorMoves(const World& world, std::vector<Move>* moves);
  bool GraceMayEnd(const World& world, const AttemptName& name) const;
  EventName EventOf(const World& world, const Move& move) const;

  void Decide(World* world, const EventName& event);
  void Drop(World* world, const AttemptName& name, const Outcome& outcome);
  void Release(World* world, OutcomeId id);
  void Queue(World* world, const SentCommand& send);
  void Tell(World* world, RecordId record);
  void HandOver(World* world, Traffic* traffic);
  void Land(World* world, Traffic* traffic, int choice);
  void Crash(World* world, MoveKind kind);
  void Tidy(World* world) const;
  Traffic* FindOrAdd(World* world, const AttemptName& name);

  // Invariants (invariants.cc).
  void CheckStep(const World& before, const World& after, const EventName& event, const Outcome& outcome);
  void CheckHold(const Facts& was, const Facts& is, const EventName& event, const Outcome& outcome);
  void CheckHandOver(const World& world, const Traffic& traffic);
  void CheckState(const World& world);
  void CheckEnd(const World& world, RecordId record);
  void CheckOrder(const World& world);
  void Violate(const char* invariant, std::string what);

  const Scenario scenario_;
  Machine machine_;
  std::optional<Violation>* violation_ = nullptr;
};

// The stages a saga goes through, for I5: 0 is "never heard of".
enum Stage : uint8_t { kUnheard, kStarted, kCommitted, kSucceeded, kCompensating, kCompensated };
Stage StageOf(const Facts& facts);
// Whether a saga at `later` can be the same that somebody saw at `seen`.
bool NoOlderThan(Stage later, Stage seen);

}  // namespace tutti::model

#endif  // TUTTI_TESTS_MODEL_WORLD_H_
