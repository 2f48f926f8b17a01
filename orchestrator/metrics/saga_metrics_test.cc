#include "orchestrator/metrics/saga_metrics.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "orchestrator/metrics/engine_metrics.h"
#include "orchestrator/metrics/metric_names.h"

namespace tutti::metrics {
namespace {

class FixedClock final : public Clock {
 public:
  int64_t WallMs() const override { return now_ms; }
  int64_t MonotonicMs() const override { return now_ms; }
  int64_t now_ms = 1'000'000;
};

class SagaMetricsTest : public testing::Test {
 protected:
  SagaMetricsTest() {
    process_.AddSource([this](Scrape* scrape) { metrics_.Describe(scrape); });
  }

  v1::HistoryEvent Event(v1::EventType type, const std::string& step = "",
                         v1::Operation operation = v1::OPERATION_UNSPECIFIED) {
    v1::HistoryEvent event;
    event.set_type(type);
    event.set_duration_ms(20);
    event.set_step(step);
    event.set_operation(operation);
    event.mutable_time()->set_seconds(clock_.now_ms / 1000);
    event.mutable_time()->set_nanos(static_cast<int32_t>(clock_.now_ms % 1000) * 1'000'000);
    return event;
  }

  v1::HistoryEvent Parked(const std::string& step, v1::ParkingCause cause) {
    v1::HistoryEvent event = Event(v1::EVENT_TYPE_STEP_PARKED, step, v1::OPERATION_COMPENSATION);
    event.set_parking_cause(cause);
    return event;
  }

  v1::HistoryEvent Aborted() {
    v1::HistoryEvent event = Event(v1::EVENT_TYPE_SAGA_ABORTED);
    event.mutable_abort_reason()->set_cause(v1::ABORT_CAUSE_SAGA_TIMEOUT);
    return event;
  }

  void Tell(const std::vector<v1::HistoryEvent>& history, const std::string& saga_id = "s1", int64_t started_ms = 0) {
    storage::v1::SagaRecord record;
    record.set_saga_id(saga_id);
    record.set_definition("book");
    record.set_started_ms(started_ms == 0 ? clock_.now_ms : started_ms);
    metrics_.OnHistory(record, history);
  }

  // The sum over all series of the family that carry every one of the labels, of counts for a histogram; unset when
  // there is none.
  std::optional<double> Value(const MetricName& metric, const prometheus::Labels& labels = {}) {
    std::optional<double> sum;
    ForEach(metric, labels, [&](const prometheus::MetricFamily& family, const prometheus::ClientMetric& series) {
      sum = sum.value_or(0) + (family.type == kCounter ? series.counter.value
                               : family.type == kGauge ? series.gauge.value
                                                       : static_cast<double>(series.histogram.sample_count));
    });
    return sum;
  }
  // Of what histograms observed.
  double Sum(const MetricName& metric, const prometheus::Labels& labels = {}) {
    double sum = 0;
    ForEach(metric, labels, [&](const prometheus::MetricFamily&, const prometheus::ClientMetric& series) {
      sum += series.histogram.sample_sum;
    });
    return sum;
  }
  // What they observed that was at most so much; it must be the bound of a bucket.
  double AtMost(const MetricName& metric, double bound) {
    double count = 0;
    ForEach(metric, {}, [&](const prometheus::MetricFamily&, const prometheus::ClientMetric& series) {
      for (const auto& bucket : series.histogram.bucket) {
        if (bucket.upper_bound == bound) count += static_cast<double>(bucket.cumulative_count);
      }
    });
    return count;
  }

 private:
  void ForEach(const MetricName& metric, const prometheus::Labels& labels,
               const std::function<void(const prometheus::MetricFamily&, const prometheus::ClientMetric&)>& visit) {
    for (const auto& family : process_.Collect()) {
      if (family.name != metric.name) continue;
      for (const auto& series : family.metric) {
        prometheus::Labels found;
        for (const auto& label : series.label) found[label.name] = label.value;
        bool matches = true;
        for (const auto& [name, value] : labels) matches &= found[name] == value;
        if (matches) visit(family, series);
      }
    }
  }

 protected:
  FixedClock clock_;
  ProcessMetrics process_;
  SagaMetrics metrics_{process_.registry(), &clock_};
};

TEST_F(SagaMetricsTest, UnreadableRecordsAreCountedOnceEach) {
  EXPECT_EQ(Value(kRecordsUnreadable), 0);
  metrics_.OnUnreadable("s1", absl::DataLossError("damaged"));
  metrics_.OnUnreadable("s2", absl::DataLossError("damaged"));
  metrics_.OnUnreadable("s1", absl::DataLossError("damaged"));
  EXPECT_EQ(Value(kRecordsUnreadable), 2);
}

TEST_F(SagaMetricsTest, InFlightFollowsTheStates) {
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)});
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "running"}}), 1);
  Tell({Aborted()});
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "running"}}), 0);
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "compensating"}}), 1);
  EXPECT_EQ(Value(kSagasAborted, {{"cause", "saga_timeout"}}), 1);
  Tell({Event(v1::EVENT_TYPE_SAGA_COMPENSATED)});
  EXPECT_EQ(Value(kSagasInFlight), 0);
  EXPECT_EQ(Value(kSagasFinished, {{"outcome", "compensated"}, {"definition", "book"}}), 1);
  EXPECT_EQ(Value(kSagaDuration, {{"outcome", "compensated"}}), 1);
  EXPECT_EQ(Value(kSagaDuration), 1);
  EXPECT_EQ(Sum(kSagaDuration), 0.02) << "seconds";
}

TEST_F(SagaMetricsTest, BothEndsAreToldApart) {
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)});
  v1::HistoryEvent committed = Event(v1::EVENT_TYPE_SAGA_COMMITTED);
  committed.set_duration_ms(1'500);
  Tell({committed, Event(v1::EVENT_TYPE_SAGA_SUCCEEDED)});
  EXPECT_EQ(Value(kCommitPointDuration, {{"definition", "book"}}), 1);
  EXPECT_EQ(Sum(kCommitPointDuration), 1.5);
  EXPECT_EQ(Value(kSagasFinished, {{"outcome", "succeeded"}}), 1);
  EXPECT_EQ(Value(kSagasFinished), 1);
  EXPECT_EQ(Value(kSagaDuration, {{"outcome", "succeeded"}}), 1);
  EXPECT_EQ(Value(kSagaDuration), 1);
  EXPECT_EQ(Value(kSagasInFlight), 0);
}

TEST_F(SagaMetricsTest, AnEffectAfterTheEndIsCounted) {
  EXPECT_EQ(Value(kEffectAfterTerminal).value_or(0), 0);
  Tell({Event(v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL, "charge")});
  EXPECT_EQ(Value(kEffectAfterTerminal, {{"definition", "book"}}), 1);
}

TEST_F(SagaMetricsTest, TheOldestInFlightAgesUntilItEnds) {
  const int64_t first_ms = clock_.now_ms;
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)}, "s1", first_ms);
  clock_.now_ms += 4'000;
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)}, "s2", first_ms + 4'000);
  clock_.now_ms += 1'500;
  EXPECT_EQ(Value(kSagasOldest, {{"state", "running"}}), 5.5);
  EXPECT_EQ(Value(kSagasOldest, {{"state", "compensating"}}), 0);
  Tell({Aborted()}, "s1", first_ms);
  EXPECT_EQ(Value(kSagasOldest, {{"state", "running"}}), 1.5);
  EXPECT_EQ(Value(kSagasOldest, {{"state", "compensating"}}), 5.5) << "its age counts from its start";
  Tell({Event(v1::EVENT_TYPE_SAGA_COMPENSATED)}, "s1", first_ms);
  EXPECT_EQ(Value(kSagasOldest, {{"state", "compensating"}}), 0);
  clock_.now_ms -= 60'000;
  EXPECT_EQ(Value(kSagasOldest, {{"state", "running"}}), 0) << "a clock set back makes nobody younger than nothing";
}

TEST_F(SagaMetricsTest, SagasOfTheSameMillisecondAreToldApart) {
  const int64_t started_ms = clock_.now_ms;
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)}, "s1", started_ms);
  Tell({Event(v1::EVENT_TYPE_SAGA_STARTED)}, "s2", started_ms);
  clock_.now_ms += 2'000;
  Tell({Event(v1::EVENT_TYPE_SAGA_SUCCEEDED)}, "s1", started_ms);
  EXPECT_EQ(Value(kSagasInFlight), 1);
  EXPECT_EQ(Value(kSagasOldest, {{"state", "running"}}), 2);
  Tell({Event(v1::EVENT_TYPE_SAGA_SUCCEEDED)}, "s2", started_ms);
  EXPECT_EQ(Value(kSagasInFlight), 0);
}

TEST_F(SagaMetricsTest, AttemptsAreCountedByCodeAndLateResultsByAction) {
  v1::HistoryEvent finished = Event(v1::EVENT_TYPE_ATTEMPT_FINISHED, "charge", v1::OPERATION_ACTION);
  finished.set_code("UNAVAILABLE");
  finished.set_outcome(v1::OUTCOME_UNKNOWN);
  v1::HistoryEvent late = Event(v1::EVENT_TYPE_LATE_RESULT, "charge", v1::OPERATION_ACTION);
  late.set_late_action(v1::LATE_ACTION_DUPLICATE);
  Tell({finished, late});
  EXPECT_EQ(Value(kAttempts, {{"code", "UNAVAILABLE"}, {"operation", "action"}, {"outcome", "unknown"}}), 1);
  EXPECT_EQ(Value(kAttempts), 1);
  EXPECT_EQ(Value(kAttemptDuration, {{"operation", "action"}, {"outcome", "unknown"}}), 1);
  EXPECT_EQ(Value(kLateResults, {{"action", "duplicate"}}), 1);
  finished.set_code("OK");
  finished.set_outcome(v1::OUTCOME_SUCCEEDED);
  finished.set_late_action(v1::LATE_ACTION_ACCEPTED);
  Tell({finished});
  EXPECT_EQ(Value(kAttempts, {{"code", "OK"}, {"outcome", "succeeded"}}), 1);
  EXPECT_EQ(Value(kLateResults, {{"action", "accepted"}}), 1);
}

TEST_F(SagaMetricsTest, RetriesTimeoutsAndDeadlinesAreTold) {
  v1::HistoryEvent attempt = Event(v1::EVENT_TYPE_ATTEMPT_STARTED, "charge", v1::OPERATION_ACTION);
  attempt.set_attempt(1);
  v1::HistoryEvent timed_out = Event(v1::EVENT_TYPE_ATTEMPT_TIMED_OUT, "charge", v1::OPERATION_ACTION);
  timed_out.set_code("DEADLINE_EXCEEDED");
  timed_out.set_outcome(v1::OUTCOME_UNKNOWN);
  Tell({attempt, timed_out});
  EXPECT_EQ(Value(kRetries).value_or(0), 0);
  EXPECT_EQ(Value(kTimeouts, {{"kind", "attempt"}, {"operation", "action"}}), 1);
  EXPECT_EQ(Value(kAttempts, {{"code", "DEADLINE_EXCEEDED"}, {"outcome", "unknown"}}), 1);
  EXPECT_EQ(Value(kAttemptDuration, {{"outcome", "unknown"}}), 1) << "a timeout is as long as the attempt was";
  attempt.set_attempt(2);
  v1::HistoryEvent not_sent = Event(v1::EVENT_TYPE_ATTEMPT_NOT_SENT, "charge", v1::OPERATION_ACTION);
  not_sent.set_code("UNAVAILABLE");
  not_sent.set_outcome(v1::OUTCOME_UNKNOWN);
  Tell({attempt, not_sent, Event(v1::EVENT_TYPE_STEP_DEADLINE_PASSED, "charge")});
  EXPECT_EQ(Value(kRetries, {{"step", "charge"}, {"operation", "action"}}), 1);
  EXPECT_EQ(Value(kTimeouts, {{"kind", "step_deadline"}, {"operation", "action"}}), 1);
  EXPECT_EQ(Value(kAttempts), 2);
  EXPECT_EQ(Value(kAttemptDuration), 1) << "what was not sent has no duration";
}

TEST_F(SagaMetricsTest, StepDurationsNameTheStateReached) {
  Tell({Event(v1::EVENT_TYPE_STEP_COMPENSATED, "charge")});
  EXPECT_EQ(Value(kStepDuration, {{"state", "compensated"}, {"step", "charge"}}), 1);
  EXPECT_EQ(Value(kCompensations, {{"step", "charge"}}), 1);
  Tell({Event(v1::EVENT_TYPE_STEP_SUCCEEDED, "confirm"), Event(v1::EVENT_TYPE_STEP_REJECTED, "send"),
        Event(v1::EVENT_TYPE_STEP_UNKNOWN, "stamp")});
  EXPECT_EQ(Value(kStepDuration, {{"state", "succeeded"}, {"step", "confirm"}}), 1);
  EXPECT_EQ(Value(kStepDuration, {{"state", "rejected"}, {"step", "send"}}), 1);
  EXPECT_EQ(Value(kStepDuration, {{"state", "unknown"}, {"step", "stamp"}}), 1);
  EXPECT_EQ(Value(kStepDuration), 4);
  EXPECT_EQ(Sum(kStepDuration), 0.08);
  EXPECT_EQ(Value(kCompensations), 1);
}

TEST_F(SagaMetricsTest, EveryWayOutOfAParkingFallsByTheCauseThatBeganIt) {
  for (const v1::EventType way_out :
       {v1::EVENT_TYPE_STEP_UNPARKED, v1::EVENT_TYPE_STEP_RETRIED, v1::EVENT_TYPE_STEP_RESOLVED}) {
    const prometheus::Labels refused = {{"step", "charge"}, {"operation", "compensation"}, {"cause", "refused"}};
    Tell({Parked("charge", v1::PARKING_CAUSE_REFUSED)});
    EXPECT_EQ(Value(kStepsParked, refused), 1);
    EXPECT_EQ(Value(kSagasParked), 1);
    Tell({Event(way_out, "charge")});  // says neither cause nor operation
    EXPECT_EQ(Value(kStepsParked, refused), 0) << v1::EventType_Name(way_out);
    EXPECT_EQ(Value(kStepsParked), 0);
    EXPECT_EQ(Value(kSagasParked), 0);
  }
  EXPECT_EQ(Value(kParkings, {{"step", "charge"}, {"cause", "refused"}}), 3);
}

TEST_F(SagaMetricsTest, ASagaIsParkedWhileAnyOfItsStepsIs) {
  Tell({Parked("charge", v1::PARKING_CAUSE_REFUSED)});
  clock_.now_ms += 3'250;
  Tell({Parked("confirm", v1::PARKING_CAUSE_MAPPING)});
  clock_.now_ms += 1'000;
  EXPECT_EQ(Value(kSagasParked), 1);
  EXPECT_EQ(Value(kStepsParked), 2);
  EXPECT_EQ(Value(kStepsOldestParked), 4.25);
  Tell({Event(v1::EVENT_TYPE_STEP_RETRIED, "charge")});
  EXPECT_EQ(Value(kSagasParked), 1);
  EXPECT_EQ(Value(kStepsParked, {{"cause", "refused"}}), 0);
  EXPECT_EQ(Value(kStepsParked, {{"cause", "mapping"}}), 1);
  EXPECT_EQ(Value(kStepsOldestParked), 1);
  Tell({Event(v1::EVENT_TYPE_STEP_RESOLVED, "confirm")});
  EXPECT_EQ(Value(kSagasParked), 0);
  EXPECT_EQ(Value(kStepsOldestParked), 0);
}

TEST_F(SagaMetricsTest, TheEndOfAParkingIsThatOfItsStep) {
  Tell({Parked("charge", v1::PARKING_CAUSE_REFUSED)});
  clock_.now_ms += 2'000;
  Tell({Parked("confirm", v1::PARKING_CAUSE_MAPPING), Event(v1::EVENT_TYPE_STEP_RESOLVED, "confirm")});
  EXPECT_EQ(Value(kStepsParked, {{"cause", "refused"}}), 1);
  EXPECT_EQ(Value(kStepsParked, {{"cause", "mapping"}}), 0);
  EXPECT_EQ(Value(kStepsOldestParked), 2);
  Tell({Event(v1::EVENT_TYPE_STEP_RESOLVED, "confirm")});
  EXPECT_EQ(Value(kSagasParked), 1) << "ended twice, it ends nobody else's";
}

TEST_F(SagaMetricsTest, ANewCauseIsANewParking) {
  Tell({Parked("charge", v1::PARKING_CAUSE_REFUSED)});
  clock_.now_ms += 5'000;
  Tell({Event(v1::EVENT_TYPE_STEP_UNPARKED, "charge"), Parked("charge", v1::PARKING_CAUSE_LATE_SUCCESS)});
  EXPECT_EQ(Value(kStepsParked, {{"cause", "refused"}}), 0);
  EXPECT_EQ(Value(kStepsParked, {{"cause", "late_success"}}), 1);
  EXPECT_EQ(Value(kStepsOldestParked), 0);
}

TEST_F(SagaMetricsTest, RecoveryFeedsWhatIsInFlightParkedAndOld) {
  storage::v1::SagaRecord record;
  record.set_saga_id("s1");
  record.set_definition("book");
  record.set_state(v1::SAGA_STATE_COMPENSATING);
  record.set_started_ms(clock_.now_ms - 90'000);
  storage::v1::StepRecord* step = record.add_steps();
  step->set_name("charge");
  step->mutable_parking()->set_cause(v1::PARKING_CAUSE_REFUSED);
  step->mutable_parking()->set_operation(v1::OPERATION_COMPENSATION);
  step->mutable_parking()->set_since_ms(clock_.now_ms - 30'000);
  metrics_.OnRecovered(record);
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "compensating"}}), 1);
  EXPECT_EQ(Value(kSagasOldest, {{"state", "compensating"}}), 90);
  EXPECT_EQ(Value(kStepsParked, {{"operation", "compensation"}, {"cause", "refused"}}), 1);
  EXPECT_EQ(Value(kStepsOldestParked), 30);
  EXPECT_EQ(Value(kSagasStarted), 0) << "it was counted by the process that started it";
  EXPECT_EQ(Value(kParkings).value_or(0), 0);
  record.set_saga_id("s2");
  record.set_state(v1::SAGA_STATE_SUCCEEDED);  // settling
  metrics_.OnRecovered(record);
  EXPECT_EQ(Value(kSagasInFlight), 1);
  EXPECT_EQ(Value(kRecoverySagas), 2);
  Tell({Event(v1::EVENT_TYPE_STEP_RESOLVED, "charge"), Event(v1::EVENT_TYPE_SAGA_COMPENSATED)}, "s1",
       record.started_ms());
  EXPECT_EQ(Value(kStepsParked), 0);
  EXPECT_EQ(Value(kSagasInFlight), 0);
  EXPECT_EQ(Value(kSagasOldest), 0);
}

TEST_F(SagaMetricsTest, AKnownDefinitionHasItsSeriesAtZero) {
  saga::Recipe recipe;
  recipe.definition = "book";
  recipe.revision = 1;
  recipe.steps.push_back({.name = "charge", .compensation = saga::CommandRecipe{}});
  recipe.steps.push_back({.name = "stamp", .deadline_ms = 100});
  EXPECT_EQ(Value(kSagasStarted), std::nullopt);
  metrics_.AddDefinition(recipe);
  EXPECT_EQ(Value(kSagasStarted, {{"definition", "book"}}), 0);
  EXPECT_EQ(Value(kSagasFinished, {{"outcome", "compensated"}}), 0);
  EXPECT_EQ(Value(kSagasAborted, {{"cause", "step_rejected"}}), 0);
  EXPECT_EQ(Value(kSagasInFlight, {{"state", "running"}}), 0);
  EXPECT_EQ(Value(kSagasOldest), 0);
  EXPECT_EQ(Value(kSagasParked), 0);
  EXPECT_EQ(Value(kAttempts, {{"step", "charge"}, {"operation", "compensation"}, {"code", "OK"}}), 0);
  EXPECT_EQ(Value(kRetries, {{"step", "charge"}, {"operation", "compensation"}}), 0);
  EXPECT_EQ(Value(kRetries, {{"step", "stamp"}, {"operation", "compensation"}}), std::nullopt);
  EXPECT_EQ(Value(kTimeouts, {{"step", "stamp"}, {"kind", "step_deadline"}}), 0);
  EXPECT_EQ(Value(kTimeouts, {{"step", "charge"}, {"kind", "step_deadline"}}), std::nullopt);
  EXPECT_EQ(Value(kLateResults, {{"action", "alarm"}}), 0);
  EXPECT_EQ(Value(kParkings, {{"cause", "horizon"}}), 0);
  EXPECT_EQ(Value(kOperatorWords, {{"word", "resolve"}, {"result", "refused"}}), 0);
  recipe.revision = 2;
  recipe.steps.push_back({.name = "send"});
  metrics_.AddDefinition(recipe);
  EXPECT_EQ(Value(kRetries, {{"step", "send"}}), 0);
}

TEST_F(SagaMetricsTest, WordsAndMailboxWaitsAreObserved) {
  metrics_.OnWord(saga::RetryRequested{}, true);
  metrics_.OnWord(saga::ResolveRequested{}, false);
  metrics_.OnWord(saga::CancelRequested{}, true);
  EXPECT_EQ(Value(kOperatorWords, {{"word", "retry"}, {"result", "accepted"}}), 1);
  EXPECT_EQ(Value(kOperatorWords, {{"word", "resolve"}, {"result", "refused"}}), 1);
  EXPECT_EQ(Value(kOperatorWords, {{"word", "cancel"}, {"result", "accepted"}}), 1);
  metrics_.OnMailboxWaits({0.0, 0.0001, 0.0007, 99});
  EXPECT_EQ(Value(kMailboxWait), 4);
  EXPECT_DOUBLE_EQ(Sum(kMailboxWait), 99.0008);
  EXPECT_EQ(AtMost(kMailboxWait, 0.00005), 1);
  EXPECT_EQ(AtMost(kMailboxWait, 0.0001), 2) << "a bound belongs to its bucket";
  EXPECT_EQ(AtMost(kMailboxWait, 2.5), 3);
  metrics_.OnBatch(7);
  EXPECT_EQ(Value(kShardBatchEvents), 1);
  EXPECT_EQ(Sum(kShardBatchEvents), 7);
  EXPECT_EQ(Value(kMailboxWait), 4);
}

TEST_F(SagaMetricsTest, TheEngineTellsOfItself) {
  EngineMetrics engine(process_.registry());
  EXPECT_EQ(Value(kReady), 0);
  EXPECT_EQ(Value(kRecoveryDuration), 0);
  engine.AddParticipant("payment");
  engine.AddParticipant("seats");
  EXPECT_EQ(Value(kParticipantNotSent, {{"participant", "payment"}}), 0);
  engine.OnNotSent("payment");
  engine.OnCommit(0.001, 7);
  engine.OnTimerLag(0.002);
  engine.OnRecoveryOver(1.5);
  engine.SetReady(true);
  EXPECT_EQ(Value(kParticipantNotSent, {{"participant", "payment"}}), 1);
  engine.OnNotSent("seats");
  EXPECT_EQ(Value(kParticipantNotSent, {{"participant", "payment"}}), 1);
  EXPECT_EQ(Value(kParticipantNotSent, {{"participant", "seats"}}), 1);
  EXPECT_EQ(Value(kCommitDuration), 1);
  EXPECT_EQ(Sum(kCommitDuration), 0.001);
  EXPECT_EQ(Value(kCommitSagas), 1);
  EXPECT_EQ(Sum(kCommitSagas), 7);
  EXPECT_EQ(Value(kTimerLag), 1);
  EXPECT_EQ(Sum(kTimerLag), 0.002);
  EXPECT_EQ(Value(kRecoveryDuration), 1.5);
  EXPECT_EQ(Value(kReady), 1);
}

TEST_F(SagaMetricsTest, ExpiredSagasAreCounted) {
  storage::v1::SagaRecord record;
  record.set_definition("book");
  metrics_.OnExpired(record);
  EXPECT_EQ(Value(kSagasExpired, {{"definition", "book"}}), 1);
}

}  // namespace
}  // namespace tutti::metrics
