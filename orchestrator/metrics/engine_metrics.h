// What the engine counts that is not in any saga's history: commits, timers, commands that were not sent, its own
// state.
#ifndef TUTTI_ORCHESTRATOR_METRICS_ENGINE_METRICS_H_
#define TUTTI_ORCHESTRATOR_METRICS_ENGINE_METRICS_H_

#include <cstddef>
#include <string>

#include "common/process_metrics.h"

namespace tutti::metrics {

// Thread-safe.
class EngineMetrics {
 public:
  explicit EngineMetrics(prometheus::Registry* registry);  // must outlive this

  // One synced write.
  void OnCommit(double seconds, size_t sagas);
  void OnTimerLag(double seconds);
  // Its counters exist from now on, at 0.
  void AddParticipant(const std::string& participant);
  void OnNotSent(const std::string& participant);
  void OnRecoveryOver(double seconds);
  void SetReady(bool ready);

 private:
  prometheus::Histogram& commit_duration_;
  prometheus::Histogram& commit_sagas_;
  prometheus::Histogram& timer_lag_;
  prometheus::Family<prometheus::Counter>& not_sent_;
  prometheus::Gauge& recovery_duration_;
  prometheus::Gauge& ready_;
};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_ENGINE_METRICS_H_
