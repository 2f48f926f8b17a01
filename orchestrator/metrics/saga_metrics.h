// Turns durable history into metrics: what happened is counted once, and only when it is true for good.
#ifndef TUTTI_ORCHESTRATOR_METRICS_SAGA_METRICS_H_
#define TUTTI_ORCHESTRATOR_METRICS_SAGA_METRICS_H_

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"
#include "orchestrator/shard/shard_core.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace tutti::metrics {

// Thread-safe.
class SagaMetrics final : public shard::ShardObserver {
 public:
  explicit SagaMetrics(prometheus::Registry* registry);  // must outlive this

  void OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) override;
  void OnRecovered(const storage::v1::SagaRecord& record) override;
  void OnExpired(const storage::v1::SagaRecord& record) override;
  void OnBatch(size_t events) override;

  // One synced write.
  void OnCommit(double seconds, size_t sagas);
  void OnTimerLag(double seconds);

 private:
  void OnEvent(const std::string& definition, const v1::HistoryEvent& event);
  void CountAttempt(const std::string& definition, const v1::HistoryEvent& event);
  prometheus::Histogram& Latency(prometheus::Family<prometheus::Histogram>& family, const prometheus::Labels& labels);

  prometheus::Family<prometheus::Counter>& started_;
  prometheus::Family<prometheus::Counter>& finished_;
  prometheus::Family<prometheus::Counter>& expired_;
  prometheus::Family<prometheus::Gauge>& in_flight_;
  prometheus::Family<prometheus::Gauge>& parked_;
  prometheus::Family<prometheus::Histogram>& saga_duration_;
  prometheus::Family<prometheus::Histogram>& commit_point_;
  prometheus::Family<prometheus::Counter>& aborted_;
  prometheus::Family<prometheus::Counter>& attempts_;
  prometheus::Family<prometheus::Histogram>& attempt_duration_;
  prometheus::Family<prometheus::Histogram>& step_duration_;
  prometheus::Family<prometheus::Counter>& compensations_;
  prometheus::Family<prometheus::Counter>& late_results_;
  prometheus::Family<prometheus::Counter>& effect_after_terminal_;
  prometheus::Histogram& commit_duration_;
  prometheus::Histogram& commit_sagas_;
  prometheus::Histogram& batch_events_;
  prometheus::Histogram& timer_lag_;
};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_SAGA_METRICS_H_
