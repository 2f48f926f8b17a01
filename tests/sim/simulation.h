// One scenario from start to verdict: a phase under faults, then everything heals and every saga must end or say why
// it does not; then operators speak.
#ifndef TUTTI_TESTS_SIM_SIMULATION_H_
#define TUTTI_TESTS_SIM_SIMULATION_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/orchestrator_process.h"

namespace tutti::sim {

struct Outcome {
  std::string violation;  // empty: none
  uint64_t digest = 0;    // equal for equal runs
  int64_t virtual_ms = 0;
  int64_t steps = 0;
  int sagas = 0;
  int expired = 0;  // of these; they succeeded or were compensated before
  int succeeded = 0;
  int compensated = 0;
  int parked = 0;       // at the very end
  int parked_once = 0;  // when all had healed, before operators tidied up
  int64_t operator_words = 0;
  int lives = 0;  // of the orchestrator
  std::array<int64_t, kFaults> faults{};
  std::vector<Strike> struck;
};

// The same scenario always runs the same.
Outcome Simulate(const Scenario& scenario, const TraceSink& trace = nullptr);

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_SIMULATION_H_
