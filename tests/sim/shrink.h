// Makes a failing scenario smaller for as long as it still fails.
#ifndef TUTTI_TESTS_SIM_SHRINK_H_
#define TUTTI_TESTS_SIM_SHRINK_H_

#include "tests/sim/simulation.h"

namespace tutti::sim {

// Leaves out kinds of faults, sagas, planned faults and single strikes, greedily; at most `runs_max` simulations.
Scenario Shrink(Scenario scenario, int runs_max);

// The scenario's plan and what struck, for people.
std::string Describe(const Scenario& scenario, const Outcome& outcome);

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_SHRINK_H_
