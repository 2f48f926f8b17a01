// Which step comes after which, the edges implied by kinds included.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_GRAPH_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_GRAPH_H_

#include <bitset>
#include <vector>

#include "common/limits.h"
#include "orchestrator/definition/definition_source.h"

namespace tutti::definition {

using StepSet = std::bitset<limits::kStepsMax>;

// Indexes count in DefinitionSource::steps.
struct Graph {
  std::vector<std::vector<int>> dependencies;  // direct, ascending
  std::vector<StepSet> predecessors;           // transitive
};

// Refuses unknown names in `after`, cycles, a second pivot, and orders that contradict the kinds. With violations the
// graph is what could be made of the rest.
Graph BuildGraph(const DefinitionSource& source, Violations* violations);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_GRAPH_H_
