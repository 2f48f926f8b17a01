#include "orchestrator/metrics/engine_metrics.h"

#include "orchestrator/metrics/metric_names.h"

namespace tutti::metrics {
namespace {

using prometheus::Histogram;

// Around one fdatasync.
const Histogram::BucketBoundaries kCommitSeconds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1};
const Histogram::BucketBoundaries kSagas = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
// Timers have milliseconds.
const Histogram::BucketBoundaries kLagSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};

}  // namespace

EngineMetrics::EngineMetrics(prometheus::Registry* registry)
    : commit_duration_(HistogramFamily(kCommitDuration, registry).Add({}, kCommitSeconds)),
      commit_sagas_(HistogramFamily(kCommitSagas, registry).Add({}, kSagas)),
      timer_lag_(HistogramFamily(kTimerLag, registry).Add({}, kLagSeconds)),
      not_sent_(CounterFamily(kParticipantNotSent, registry)),
      recovery_duration_(GaugeFamily(kRecoveryDuration, registry).Add({})),
      ready_(GaugeFamily(kReady, registry).Add({})) {}

void EngineMetrics::OnCommit(double seconds, size_t sagas) {
  commit_duration_.Observe(seconds);
  commit_sagas_.Observe(static_cast<double>(sagas));
}

void EngineMetrics::OnTimerLag(double seconds) {
  timer_lag_.Observe(seconds);
}

void EngineMetrics::AddParticipant(const std::string& participant) {
  not_sent_.Add({{"participant", participant}});
}

void EngineMetrics::OnNotSent(const std::string& participant) {
  not_sent_.Add({{"participant", participant}}).Increment();
}

void EngineMetrics::OnRecoveryOver(double seconds) {
  recovery_duration_.Set(seconds);
}

void EngineMetrics::SetReady(bool ready) {
  ready_.Set(ready ? 1 : 0);
}

}  // namespace tutti::metrics
