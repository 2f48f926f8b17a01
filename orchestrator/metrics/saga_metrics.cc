#include "orchestrator/metrics/saga_metrics.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "orchestrator/metrics/metric_names.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::metrics {
namespace {

const prometheus::Histogram::BucketBoundaries kBatchEvents = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
// From an idle shard to one that is stuck behind its store.
const prometheus::Histogram::BucketBoundaries kWaitSeconds = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                              0.01,    0.025,  0.05,    0.1,    0.5,   2.5};

constexpr const char* kWords[] = {"cancel", "retry", "resolve"};

const char* LabelOf(const shard::SagaWord& word) {
  if (std::holds_alternative<saga::CancelRequested>(word)) return kWords[0];
  if (std::holds_alternative<saga::RetryRequested>(word)) return kWords[1];
  return kWords[2];
}

int64_t TimeMs(const v1::HistoryEvent& event) {
  return event.time().seconds() * 1000 + event.time().nanos() / 1'000'000;
}

}  // namespace

SagaMetrics::SagaMetrics(prometheus::Registry* registry, const Clock* clock)
    : clock_(clock),
      families_(registry),
      words_(CounterFamily(kOperatorWords, registry)),
      batch_events_(HistogramFamily(kShardBatchEvents, registry).Add({}, kBatchEvents)),
      mailbox_wait_(HistogramFamily(kMailboxWait, registry).Add({}, kWaitSeconds)),
      recovered_(GaugeFamily(kRecoverySagas, registry).Add({})),
      unreadable_(registry) {
  for (const char* word : kWords) {
    for (const char* result : {"accepted", "refused"}) words_.Add({{"word", word}, {"result", result}});
  }
}

void SagaMetrics::AddDefinition(const saga::Recipe& newest) {
  MutexLock lock(&mu_);
  SeriesOf(newest.definition).MakeSteps(newest);
}

void SagaMetrics::OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) {
  MutexLock lock(&mu_);
  DefinitionSeries& series = SeriesOf(record.definition());
  for (const v1::HistoryEvent& event : history) OnEvent(series, record, event);
}

void SagaMetrics::OnRecovered(const storage::v1::SagaRecord& record) {
  recovered_.Increment();
  if (saga::IsTerminal(record.state())) return;
  MutexLock lock(&mu_);
  DefinitionSeries& series = SeriesOf(record.definition());
  series.TakeUp(record.started_ms(), record.state());
  for (const storage::v1::StepRecord& step : record.steps()) {
    if (!step.has_parking()) continue;
    const storage::v1::ParkingRecord& parking = step.parking();
    Park(series, record.saga_id(), {step.name(), parking.operation(), parking.cause(), parking.since_ms()});
  }
}

void SagaMetrics::OnExpired(const storage::v1::SagaRecord& record) {
  MutexLock lock(&mu_);
  SeriesOf(record.definition()).Expired();
}

void SagaMetrics::OnUnreadable(const std::string& saga_id, const absl::Status& why) {
  unreadable_.Report(saga_id, why.message());
}

void SagaMetrics::OnBatch(size_t events) {
  batch_events_.Observe(static_cast<double>(events));
}

void SagaMetrics::OnWord(const shard::SagaWord& word, bool accepted) {
  words_.Add({{"word", LabelOf(word)}, {"result", accepted ? "accepted" : "refused"}}).Increment();
}

void SagaMetrics::OnMailboxWaits(const std::vector<double>& seconds) {
  // Counted here, so that a batch takes the histogram's lock once.
  std::vector<double> increments(kWaitSeconds.size() + 1);
  double sum = 0;
  for (const double wait : seconds) {
    const auto bucket = std::lower_bound(kWaitSeconds.begin(), kWaitSeconds.end(), wait);
    ++increments[static_cast<size_t>(bucket - kWaitSeconds.begin())];
    sum += wait;
  }
  mailbox_wait_.ObserveMultiple(increments, sum);
}

void SagaMetrics::Describe(Scrape* scrape) const {
  const int64_t now_ms = clock_->WallMs();
  MutexLock lock(&mu_);
  for (const auto& [name, series] : definitions_) series->Describe(now_ms, scrape);
}

DefinitionSeries& SagaMetrics::SeriesOf(const std::string& definition) {
  std::unique_ptr<DefinitionSeries>& series = definitions_[definition];
  if (series == nullptr) series = std::make_unique<DefinitionSeries>(families_, definition);
  return *series;
}

void SagaMetrics::OnEvent(DefinitionSeries& series, const storage::v1::SagaRecord& record,
                          const v1::HistoryEvent& event) {
  switch (event.type()) {
    case v1::EVENT_TYPE_SAGA_STARTED:
      return series.Started(record.started_ms());
    case v1::EVENT_TYPE_SAGA_COMMITTED:
      return series.Committed(event.duration_ms());
    case v1::EVENT_TYPE_SAGA_ABORTED:
      return series.Aborted(record.started_ms(), event.abort_reason().cause());
    case v1::EVENT_TYPE_SAGA_SUCCEEDED:
      return series.Finished(record.started_ms(), /*succeeded=*/true, event.duration_ms());
    case v1::EVENT_TYPE_SAGA_COMPENSATED:
      return series.Finished(record.started_ms(), /*succeeded=*/false, event.duration_ms());
    case v1::EVENT_TYPE_ATTEMPT_STARTED:
      if (event.attempt() > 1) series.Step(event.step()).CountRetry(event.operation());
      return;
    case v1::EVENT_TYPE_ATTEMPT_TIMED_OUT:
      series.Step(event.step()).CountAttemptTimeout(event.operation());
      return series.Step(event.step()).CountAttempt(event);
    case v1::EVENT_TYPE_ATTEMPT_FINISHED:
      if (event.late_action() != v1::LATE_ACTION_UNSPECIFIED) {
        series.Step(event.step()).CountLateResult(event.late_action());
      }
      return series.Step(event.step()).CountAttempt(event);
    case v1::EVENT_TYPE_ATTEMPT_NOT_SENT:
      return series.Step(event.step()).CountAttempt(event);
    case v1::EVENT_TYPE_LATE_RESULT:
      return series.Step(event.step()).CountLateResult(event.late_action());
    case v1::EVENT_TYPE_STEP_DEADLINE_PASSED:
      return series.Step(event.step()).CountDeadline();
    case v1::EVENT_TYPE_STEP_COMPENSATED:
      series.Step(event.step()).CountCompensation();
      [[fallthrough]];
    case v1::EVENT_TYPE_STEP_SUCCEEDED:
    case v1::EVENT_TYPE_STEP_REJECTED:
    case v1::EVENT_TYPE_STEP_UNKNOWN:
      return series.Step(event.step()).ObserveRest(event.type(), event.duration_ms());
    case v1::EVENT_TYPE_STEP_PARKED:
      series.Step(event.step()).CountParking(event.parking_cause());
      return Park(series, record.saga_id(), {event.step(), event.operation(), event.parking_cause(), TimeMs(event)});
    case v1::EVENT_TYPE_STEP_UNPARKED:
    case v1::EVENT_TYPE_STEP_RETRIED:
    case v1::EVENT_TYPE_STEP_RESOLVED:
      return Unpark(series, record.saga_id(), event.step());
    case v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL:
      return series.EffectAfterTerminal();
    default:
      return;
  }
}

void SagaMetrics::Park(DefinitionSeries& series, const std::string& saga_id, Parking parking) {
  std::vector<Parking>& parkings = parked_[saga_id];
  if (parkings.empty()) series.AddParkedSaga();
  series.Step(parking.step).Park(parking.operation, parking.cause);
  series.parked_steps().Add(parking.since_ms);
  parkings.push_back(std::move(parking));
}

void SagaMetrics::Unpark(DefinitionSeries& series, const std::string& saga_id, absl::string_view step) {
  const auto saga = parked_.find(saga_id);
  if (saga == parked_.end()) return;
  std::vector<Parking>& parkings = saga->second;
  const auto parking =
      std::find_if(parkings.begin(), parkings.end(), [step](const Parking& one) { return one.step == step; });
  if (parking == parkings.end()) return;
  series.Step(parking->step).Unpark(parking->operation, parking->cause);
  series.parked_steps().Remove(parking->since_ms);
  parkings.erase(parking);
  if (!parkings.empty()) return;
  series.RemoveParkedSaga();
  parked_.erase(saga);
}

}  // namespace tutti::metrics
