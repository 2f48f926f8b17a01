// The people outside: clients that repeat a start until it is acknowledged, rivals with other content under the same
// id, clients that cancel.
#ifndef TUTTI_TESTS_SIM_CLIENTS_H_
#define TUTTI_TESTS_SIM_CLIENTS_H_

#include <functional>
#include <string>

#include "tests/sim/orchestrator_process.h"

namespace tutti::sim {

class Clients {
 public:
  // `server` gives the process that serves right now; null while there is none.
  Clients(Timeline* timeline, Luck* luck, Auditor* auditor, std::function<OrchestratorProcess*()> server)
      : timeline_(timeline), luck_(luck), auditor_(auditor), server_(std::move(server)) {}

  void Plan(const PlannedSaga& saga);

 private:
  // Repeats with a pause until there is an answer that means something.
  void Start(const PlannedSaga& saga, const std::string& content, int attempt);
  void Cancel(const PlannedSaga& saga, int attempt);
  void Answered(const std::string& saga_id, const std::string& content,
                const absl::StatusOr<shard::StartResult>& result);
  int64_t Pause(const std::string& saga_id, int attempt) const;

  Timeline* const timeline_;
  Luck* const luck_;
  Auditor* const auditor_;
  const std::function<OrchestratorProcess*()> server_;
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_CLIENTS_H_
