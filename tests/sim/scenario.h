// What one seed stands for: which sagas, which faults, how often. Plain data, so that it can be shrunk.
#ifndef TUTTI_TESTS_SIM_SCENARIO_H_
#define TUTTI_TESTS_SIM_SCENARIO_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/luck.h"

namespace tutti::sim {

// Times are milliseconds of virtual monotonic time; -1: never.
struct PlannedSaga {
  std::string id;
  int definition = 0;  // of the library
  int64_t start_ms = 0;
  int64_t rival_ms = -1;   // another client starts the same id with other content
  int64_t repeat_ms = -1;  // the same start again, acknowledged or not
  int64_t cancel_ms = -1;
  int64_t again_ms = -1;  // the same start, when the saga may be forgotten
};

// What the orchestrator may start with.
inline constexpr int kShardCounts[] = {1, 2, 3, 5, 8, 4, 7, 16};

struct PlannedFault {
  Fault fault = Fault::kCrash;
  int64_t at_ms = 0;
  int64_t length_ms = 0;  // of a clock jump: by how much, either way
  int target = 0;         // participant, which of kShardCounts, or which of the scenario's sagas
};

// Deliberate breakages, to prove that the simulator can fail.
enum class Sabotage {
  kNone,
  kSendBeforeDurable,  // commits are acknowledged before they are written
  kAckUnsynced,        // commits are acknowledged when written, before the sync
  kLoseSyncedWrites,   // the disk lies about its sync
  kSkipTombstone,      // a barrier participant keeps nothing of an empty compensation
  kForgetInbox,        // a barrier participant's restart loses its inbox
  kIgnoreDrop,         // the sender hands over what was dropped
  kNoGrace,            // the state machine believes that nothing lands after its timeout
  kLoseBackoffTimers,  // retries are never woken
  kForgetTooEarly,     // the sweeper takes every saga that ended for one whose retention is over
  kDamageIsAbsence,    // a record that cannot be read is taken for one that is not there
};
inline constexpr int kSabotages = static_cast<int>(Sabotage::kDamageIsAbsence) + 1;
const char* Name(Sabotage sabotage);

struct Scenario {
  uint64_t seed = 0;
  std::vector<PlannedSaga> sagas;
  std::vector<PlannedFault> faults;
  Luck::Rates rates{};
  std::set<Strike> spared;           // strikes that shrinking took out
  std::vector<int64_t> operator_ms;  // when an operator looks at what is parked
  int64_t heal_ms = 0;               // when the faults end
  int64_t grace_ms = 0;
  int64_t horizon_ms = 0;
  int64_t retention_ms = 0;        // of ids; 0: for ever
  std::vector<int64_t> sweeps_ms;  // when the sweeper looks for ended sagas
  int shards = 1;
  Sabotage sabotage = Sabotage::kNone;
};

Scenario MakeScenario(uint64_t seed, Sabotage sabotage = Sabotage::kNone);

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_SCENARIO_H_
