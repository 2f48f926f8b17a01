#include "orchestrator/metrics/saga_metrics.h"

#include "absl/strings/ascii.h"
#include "orchestrator/metrics/metric_names.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::metrics {
namespace {

using prometheus::Labels;

// From a call on loopback to a saga that waits for an operator.
const prometheus::Histogram::BucketBoundaries kLatencySeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                                 0.5,   1,      2.5,   5,    10,    30,   60,  300};
// Around one fdatasync.
const prometheus::Histogram::BucketBoundaries kCommitSeconds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                                                0.005,  0.01,    0.025,  0.1,   1};
const prometheus::Histogram::BucketBoundaries kSizes = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

template <typename Builder>
auto& Register(Builder builder, const MetricName& metric, prometheus::Registry* registry) {
  return builder.Name(metric.name).Help(metric.help).Register(*registry);
}

std::string Lower(const std::string& name) {
  return absl::AsciiStrToLower(name);
}

double Seconds(int64_t ms) {
  return static_cast<double>(ms) / 1000.0;
}

}  // namespace

SagaMetrics::SagaMetrics(prometheus::Registry* registry)
    : started_(Register(prometheus::BuildCounter(), kSagasStarted, registry)),
      finished_(Register(prometheus::BuildCounter(), kSagasFinished, registry)),
      expired_(Register(prometheus::BuildCounter(), kSagasExpired, registry)),
      in_flight_(Register(prometheus::BuildGauge(), kSagasInFlight, registry)),
      parked_(Register(prometheus::BuildGauge(), kStepsParked, registry)),
      saga_duration_(Register(prometheus::BuildHistogram(), kSagaDuration, registry)),
      commit_point_(Register(prometheus::BuildHistogram(), kCommitPointDuration, registry)),
      aborted_(Register(prometheus::BuildCounter(), kSagasAborted, registry)),
      attempts_(Register(prometheus::BuildCounter(), kAttempts, registry)),
      attempt_duration_(Register(prometheus::BuildHistogram(), kAttemptDuration, registry)),
      step_duration_(Register(prometheus::BuildHistogram(), kStepDuration, registry)),
      compensations_(Register(prometheus::BuildCounter(), kCompensations, registry)),
      late_results_(Register(prometheus::BuildCounter(), kLateResults, registry)),
      effect_after_terminal_(Register(prometheus::BuildCounter(), kEffectAfterTerminal, registry)),
      commit_duration_(Register(prometheus::BuildHistogram(), kCommitDuration, registry).Add({}, kCommitSeconds)),
      commit_sagas_(Register(prometheus::BuildHistogram(), kCommitSagas, registry).Add({}, kSizes)),
      batch_events_(Register(prometheus::BuildHistogram(), kShardBatchEvents, registry).Add({}, kSizes)),
      timer_lag_(Register(prometheus::BuildHistogram(), kTimerLag, registry).Add({}, kLatencySeconds)) {}

void SagaMetrics::OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) {
  for (const v1::HistoryEvent& event : history) OnEvent(record.definition(), event);
}

void SagaMetrics::OnRecovered(const storage::v1::SagaRecord& record) {
  if (saga::IsTerminal(record.state())) return;
  in_flight_.Add({{"definition", record.definition()}, {"state", Lower(saga::ShortName(record.state()))}}).Increment();
  for (const storage::v1::StepRecord& step : record.steps()) {
    if (step.has_parking()) parked_.Add({{"definition", record.definition()}}).Increment();
  }
}

void SagaMetrics::OnExpired(const storage::v1::SagaRecord& record) {
  expired_.Add({{"definition", record.definition()}}).Increment();
}

void SagaMetrics::OnBatch(size_t events) {
  batch_events_.Observe(static_cast<double>(events));
}

void SagaMetrics::OnCommit(double seconds, size_t sagas) {
  commit_duration_.Observe(seconds);
  commit_sagas_.Observe(static_cast<double>(sagas));
}

void SagaMetrics::OnTimerLag(double seconds) {
  timer_lag_.Observe(seconds);
}

prometheus::Histogram& SagaMetrics::Latency(prometheus::Family<prometheus::Histogram>& family, const Labels& labels) {
  return family.Add(labels, kLatencySeconds);
}

void SagaMetrics::OnEvent(const std::string& definition, const v1::HistoryEvent& event) {
  const Labels by_definition = {{"definition", definition}};
  const Labels by_step = {{"definition", definition}, {"step", event.step()}};
  const auto in_flight = [&](const char* state) -> prometheus::Gauge& {
    return in_flight_.Add({{"definition", definition}, {"state", state}});
  };
  switch (event.type()) {
    case v1::EVENT_TYPE_SAGA_STARTED:
      started_.Add(by_definition).Increment();
      in_flight("running").Increment();
      break;
    case v1::EVENT_TYPE_SAGA_COMMITTED:
      Latency(commit_point_, by_definition).Observe(Seconds(event.duration_ms()));
      break;
    case v1::EVENT_TYPE_SAGA_ABORTED:
      in_flight("running").Decrement();
      in_flight("compensating").Increment();
      aborted_.Add({{"definition", definition}, {"cause", Lower(saga::ShortName(event.abort_reason().cause()))}})
          .Increment();
      break;
    case v1::EVENT_TYPE_SAGA_SUCCEEDED:
    case v1::EVENT_TYPE_SAGA_COMPENSATED: {
      const bool succeeded = event.type() == v1::EVENT_TYPE_SAGA_SUCCEEDED;
      in_flight(succeeded ? "running" : "compensating").Decrement();
      const Labels by_outcome = {{"definition", definition}, {"outcome", succeeded ? "succeeded" : "compensated"}};
      finished_.Add(by_outcome).Increment();
      Latency(saga_duration_, by_outcome).Observe(Seconds(event.duration_ms()));
      break;
    }
    case v1::EVENT_TYPE_ATTEMPT_FINISHED:
    case v1::EVENT_TYPE_ATTEMPT_TIMED_OUT:
    case v1::EVENT_TYPE_ATTEMPT_NOT_SENT:
    case v1::EVENT_TYPE_LATE_RESULT:
      CountAttempt(definition, event);
      break;
    case v1::EVENT_TYPE_STEP_COMPENSATED:
      compensations_.Add(by_step).Increment();
      [[fallthrough]];
    case v1::EVENT_TYPE_STEP_SUCCEEDED:
    case v1::EVENT_TYPE_STEP_REJECTED:
    case v1::EVENT_TYPE_STEP_UNKNOWN: {
      std::string state = Lower(saga::ShortName(event.type()).substr(sizeof("STEP_") - 1));
      Latency(step_duration_, {{"definition", definition}, {"step", event.step()}, {"state", std::move(state)}})
          .Observe(Seconds(event.duration_ms()));
      break;
    }
    case v1::EVENT_TYPE_STEP_PARKED:
      parked_.Add(by_definition).Increment();
      break;
    case v1::EVENT_TYPE_STEP_UNPARKED:
    case v1::EVENT_TYPE_STEP_RETRIED:
    case v1::EVENT_TYPE_STEP_RESOLVED:
      parked_.Add(by_definition).Decrement();
      break;
    case v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL:
      effect_after_terminal_.Add(by_definition).Increment();
      break;
    default:
      break;
  }
}

void SagaMetrics::CountAttempt(const std::string& definition, const v1::HistoryEvent& event) {
  const std::string operation = saga::ShortName(event.operation());
  if (event.late_action() != v1::LATE_ACTION_UNSPECIFIED) {
    late_results_
        .Add({{"definition", definition},
              {"step", event.step()},
              {"action", Lower(saga::ShortName(event.late_action()))}})
        .Increment();
  }
  if (event.type() == v1::EVENT_TYPE_LATE_RESULT) return;
  attempts_
      .Add({{"definition", definition},
            {"step", event.step()},
            {"operation", operation},
            {"code", event.code()},
            {"outcome", Lower(saga::ShortName(event.outcome()))}})
      .Increment();
  if (event.type() != v1::EVENT_TYPE_ATTEMPT_FINISHED) return;
  Latency(attempt_duration_, {{"definition", definition}, {"step", event.step()}, {"operation", operation}})
      .Observe(Seconds(event.duration_ms()));
}

}  // namespace tutti::metrics
