#include "orchestrator/metrics/saga_metrics.h"

#include <gtest/gtest.h>

#include "orchestrator/metrics/metric_names.h"

namespace tutti::metrics {
namespace {

class SagaMetricsTest : public testing::Test {
 protected:
  v1::HistoryEvent Event(v1::EventType type) {
    v1::HistoryEvent event;
    event.set_type(type);
    event.set_duration_ms(20);
    return event;
  }

  void Tell(std::vector<v1::HistoryEvent> history) {
    storage::v1::SagaRecord record;
    record.set_definition("book");
    metrics_.OnHistory(record, history);
  }

  // The sum over all series of the family that carry every one of the labels.
  double Value(const MetricName& metric, const prometheus::Labels& labels = {}) {
    double sum = 0;
    for (const auto& family : registry_.Collect()) {
      if (family.name != metric.name) continue;
      for (const auto& series : family.metric) {
        prometheus::Labels found;
        for (const auto& label : series.label) found[label.name] = label.value;
        bool matches = true;
        for (const auto& [name, value] : labels) matches &= found[name] == value;
        if (!matches) continue;
        sum += series.counter.value + series.gauge.value + static_cast<double>(series.histogram.sample_count);
      }
    }
    return sum;
  }

  prometheus::Registry registry_;
  SagaMetrics metrics_{&registry_};
};

TEST_F(SagaMetricsTest, InFlightFollowsTheStates) {
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)});
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "running"}}), 1);
  v1::HistoryEvent aborted = Event(v1::EVENT_TYPE_SAGA_ABORTED);
  aborted.mutable_abort_reason()->set_cause(v1::ABORT_CAUSE_SAGA_TIMEOUT);
  Tell({aborted});
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "running"}}), 0);
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "compensating"}}), 1);
  EXPECT_EQ(Value(kSagasAborted, {{"cause", "saga_timeout"}}), 1);
  Tell({Event(v1::EVENT_TYPE_SAGA_COMPENSATED)});
  EXPECT_EQ(Value(kSagasInFlight), 0);
  EXPECT_EQ(Value(kSagasFinished, {{"outcome", "compensated"}, {"definition", "book"}}), 1);
  EXPECT_EQ(Value(kSagaDuration, {{"outcome", "compensated"}}), 1);
}

TEST_F(SagaMetricsTest, AttemptsAreCountedByCodeAndLateResultsByAction) {
  v1::HistoryEvent finished = Event(v1::EVENT_TYPE_ATTEMPT_FINISHED);
  finished.set_step("charge");
  finished.set_operation(v1::OPERATION_ACTION);
  finished.set_code("UNAVAILABLE");
  finished.set_outcome(v1::OUTCOME_UNKNOWN);
  v1::HistoryEvent late = Event(v1::EVENT_TYPE_LATE_RESULT);
  late.set_step("charge");
  late.set_late_action(v1::LATE_ACTION_DUPLICATE);
  Tell({finished, late});
  EXPECT_EQ(Value(kAttempts, {{"code", "UNAVAILABLE"}, {"operation", "action"}, {"outcome", "unknown"}}), 1);
  EXPECT_EQ(Value(kAttempts), 1);
  EXPECT_EQ(Value(kLateResults, {{"action", "duplicate"}}), 1);
}

TEST_F(SagaMetricsTest, StepDurationsNameTheStateReached) {
  v1::HistoryEvent step = Event(v1::EVENT_TYPE_STEP_COMPENSATED);
  step.set_step("charge");
  Tell({step});
  EXPECT_EQ(Value(kStepDuration, {{"state", "compensated"}, {"step", "charge"}}), 1);
  EXPECT_EQ(Value(kCompensations, {{"step", "charge"}}), 1);
}

TEST_F(SagaMetricsTest, EveryWayOutOfAParkingIsCounted) {
  for (const v1::EventType way_out :
       {v1::EVENT_TYPE_STEP_UNPARKED, v1::EVENT_TYPE_STEP_RETRIED, v1::EVENT_TYPE_STEP_RESOLVED}) {
    Tell({Event(v1::EVENT_TYPE_STEP_PARKED)});
    EXPECT_EQ(Value(kStepsParked), 1);
    Tell({Event(way_out)});
    EXPECT_EQ(Value(kStepsParked), 0) << v1::EventType_Name(way_out);
  }
}

TEST_F(SagaMetricsTest, RecoveredSagasAreInFlightAgain) {
  storage::v1::SagaRecord record;
  record.set_definition("book");
  record.set_state(v1::SAGA_STATE_COMPENSATING);
  record.add_steps()->mutable_parking()->set_cause(v1::PARKING_CAUSE_REFUSED);
  metrics_.OnRecovered(record);
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "compensating"}}), 1);
  EXPECT_EQ(Value(kStepsParked), 1);
  record.set_state(v1::SAGA_STATE_SUCCEEDED);
  metrics_.OnRecovered(record);
  EXPECT_EQ(Value(kSagasInFlight), 1);
}

TEST_F(SagaMetricsTest, ExpiredSagasAreCounted) {
  storage::v1::SagaRecord record;
  record.set_definition("book");
  metrics_.OnExpired(record);
  EXPECT_EQ(Value(kSagasExpired, {{"definition", "book"}}), 1);
}

}  // namespace
}  // namespace tutti::metrics
