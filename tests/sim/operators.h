// People who look at parked steps and speak: retry, resolve by what the participant's database shows, or repeat a word
// about a parking that is over.
#ifndef TUTTI_TESTS_SIM_OPERATORS_H_
#define TUTTI_TESTS_SIM_OPERATORS_H_

#include <cstdint>
#include <string>

#include "tests/sim/orchestrator_process.h"

namespace tutti::sim {

class Operators {
 public:
  Operators(Luck* luck, Auditor* auditor) : luck_(luck), auditor_(auditor) {}

  // A look at every saga, and a word here and there.
  void Look(OrchestratorProcess* server);
  // Retries everything that is parked, and resolves what retrying cannot help: nothing can land any more. False when
  // nothing is left to say.
  bool Tidy(OrchestratorProcess* server);

  int64_t words() const { return words_; }

 private:
  void Retry(OrchestratorProcess* server, const Auditor::Saga& saga, bool stale);
  bool Resolve(OrchestratorProcess* server, const Auditor::Saga& saga, int step, bool quiet);
  void Say(OrchestratorProcess* server, const std::string& saga_id, shard::SagaWord word, bool stale);

  Luck* const luck_;
  Auditor* const auditor_;
  uint64_t looks_ = 0;
  int64_t words_ = 0;
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_OPERATORS_H_
