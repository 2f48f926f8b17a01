// Turns durable history into metrics: what happened is counted once, and only when it is true for good.
#ifndef TUTTI_ORCHESTRATOR_METRICS_SAGA_METRICS_H_
#define TUTTI_ORCHESTRATOR_METRICS_SAGA_METRICS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/process_metrics.h"
#include "orchestrator/metrics/definition_series.h"
#include "orchestrator/metrics/unreadable_records.h"
#include "orchestrator/saga/recipe.h"
#include "orchestrator/shard/shard_core.h"

namespace tutti::metrics {

// Thread-safe. What is in flight and what is parked is kept in memory, beside the shards: recovery fills it, history
// moves it on, and a scrape reads it without asking the store.
class SagaMetrics final : public shard::ShardObserver {
 public:
  // Both must outlive this.
  SagaMetrics(prometheus::Registry* registry, const Clock* clock);

  // Its counters exist from now on, at 0, so that the first event is a change. Cheap when it is known.
  void AddDefinition(const saga::Recipe& newest);

  void OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) override;
  void OnRecovered(const storage::v1::SagaRecord& record) override;
  void OnExpired(const storage::v1::SagaRecord& record) override;
  void OnUnreadable(const std::string& saga_id, const absl::Status& why) override;
  void OnBatch(size_t events) override;
  void OnWord(const shard::SagaWord& word, bool accepted) override;
  void OnMailboxWaits(const std::vector<double>& seconds) override;

  // The gauges of this moment.
  void Describe(Scrape* scrape) const;

 private:
  // One parked step of a saga, so that whatever ends the parking finds what began it.
  struct Parking {
    std::string step;
    v1::Operation operation;
    v1::ParkingCause cause;
    int64_t since_ms;
  };

  DefinitionSeries& SeriesOf(const std::string& definition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnEvent(DefinitionSeries& series, const storage::v1::SagaRecord& record, const v1::HistoryEvent& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Park(DefinitionSeries& series, const std::string& saga_id, Parking parking) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unpark(DefinitionSeries& series, const std::string& saga_id, absl::string_view step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  SagaFamilies families_;
  prometheus::Family<prometheus::Counter>& words_;
  prometheus::Histogram& batch_events_;
  prometheus::Histogram& mailbox_wait_;
  prometheus::Gauge& recovered_;
  UnreadableRecords unreadable_;

  // One lock for all shards: what is done under it takes about a microsecond.
  mutable Mutex mu_;
  absl::flat_hash_map<std::string, std::unique_ptr<DefinitionSeries>> definitions_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::vector<Parking>> parked_ ABSL_GUARDED_BY(mu_);  // by saga id
};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_SAGA_METRICS_H_
