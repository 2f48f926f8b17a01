// Visits every state that a universe can reach.
#ifndef TUTTI_TESTS_MODEL_EXPLORER_H_
#define TUTTI_TESTS_MODEL_EXPLORER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/world.h"

namespace tutti::model {

struct Finding {
  Violation violation;
  std::vector<std::string> schedule;  // one line a move, the last one broke the invariant
};

struct Report {
  uint64_t states = 0;
  uint64_t transitions = 0;
  int depth = 0;         // of the longest path followed
  bool complete = true;  // false: states_max was reached
  std::optional<Finding> finding;
  absl::Status records;  // Machine::CheckRecords
};

// Depth first: all states, in memory for their fingerprints only. Stops at the first violation.
Report SearchAll(const Scenario& scenario, uint64_t states_max);

// Breadth first: the shortest schedule that breaks an invariant, if there is one.
Report SearchShortest(const Scenario& scenario, uint64_t states_max);

std::string ToText(const Finding& finding);

}  // namespace tutti::model

#endif  // TUTTI_TESTS_MODEL_EXPLORER_H_
