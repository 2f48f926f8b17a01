#include "tools/tuttictl/timeline.h"

#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"

namespace tutti::ctl {
namespace {

v1::HistoryEvent EventAt(int64_t ms, v1::EventType type, const std::string& step = "") {
  v1::HistoryEvent event;
  *event.mutable_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(1'700'000'000'000 + ms);
  event.set_type(type);
  event.set_step(step);
  return event;
}

v1::HistoryEvent AttemptAt(int64_t ms, v1::EventType type, v1::Operation operation, int attempt) {
  v1::HistoryEvent event = EventAt(ms, type, "charge");
  event.set_operation(operation);
  event.set_attempt(attempt);
  return event;
}

TEST(TimelineTest, TellsARefusedSagaLineByLine) {
  Timeline timeline(/*color=*/false);
  EXPECT_EQ(timeline.Line(EventAt(0, v1::EVENT_TYPE_SAGA_STARTED)),
            "   +0.000s  -                                 STARTED");
  EXPECT_EQ(timeline.Line(AttemptAt(2, v1::EVENT_TYPE_ATTEMPT_STARTED, v1::OPERATION_ACTION, 1)),
            "   +0.002s  charge           action #1        sending");
  auto finished = AttemptAt(14, v1::EVENT_TYPE_ATTEMPT_FINISHED, v1::OPERATION_ACTION, 1);
  finished.set_code("FAILED_PRECONDITION");
  finished.set_message("not enough points");
  finished.set_outcome(v1::OUTCOME_REJECTED);
  finished.set_mark(v1::BARRIER_MARK_REFUSED);
  finished.set_duration_ms(12);
  EXPECT_EQ(timeline.Line(finished),
            "   +0.014s  charge           action #1        REJECTED             FAILED_PRECONDITION not enough points "
            "[refused] (12 ms)");
  auto aborted = EventAt(14, v1::EVENT_TYPE_SAGA_ABORTED);
  aborted.mutable_abort_reason()->set_cause(v1::ABORT_CAUSE_STEP_REJECTED);
  aborted.mutable_abort_reason()->set_step("charge");
  aborted.mutable_abort_reason()->set_code("FAILED_PRECONDITION");
  aborted.mutable_abort_reason()->set_message("not enough points");
  EXPECT_EQ(timeline.Line(aborted),
            "   +0.014s  -                                 ABORTED              charge was refused: "
            "FAILED_PRECONDITION not enough points");
}

TEST(TimelineTest, RetriesSayWhen) {
  Timeline timeline(/*color=*/false);
  timeline.SetStart(1'700'000'000'000);
  auto retry = AttemptAt(75'250, v1::EVENT_TYPE_RETRY_SCHEDULED, v1::OPERATION_COMPENSATION, 12);
  retry.set_duration_ms(1500);
  EXPECT_EQ(timeline.Line(retry), "  +75.250s  charge           compensation #12 retry scheduled      in 1.5 s");
}

TEST(TimelineTest, LateResultsSayWhatWasDoneWithThem) {
  Timeline timeline(/*color=*/false);
  auto late = AttemptAt(0, v1::EVENT_TYPE_LATE_RESULT, v1::OPERATION_ACTION, 1);
  late.set_outcome(v1::OUTCOME_SUCCEEDED);
  late.set_late_action(v1::LATE_ACTION_RECORDED);
  EXPECT_THAT(timeline.Line(late), testing::HasSubstr("late SUCCEEDED       recorded"));
}

TEST(TimelineTest, EveryEventTypeHasAHeadline) {
  Timeline timeline(/*color=*/false);
  for (int type = 1; v1::EventType_IsValid(type); ++type) {
    const std::string line = timeline.Line(EventAt(0, static_cast<v1::EventType>(type)));
    EXPECT_GT(line.size(), 46u) << v1::EventType_Name(type);
    EXPECT_THAT(line, testing::Not(testing::HasSubstr("event "))) << v1::EventType_Name(type);
  }
  EXPECT_THAT(timeline.Line(EventAt(0, static_cast<v1::EventType>(999))), testing::HasSubstr("event 999"));
}

TEST(TimelineTest, ColorsOnlyWhenAsked) {
  const auto event = EventAt(0, v1::EVENT_TYPE_SAGA_SUCCEEDED);
  EXPECT_THAT(Timeline(true).Line(event), testing::HasSubstr("\x1b[32mSUCCEEDED"));
  EXPECT_THAT(Timeline(false).Line(event), testing::Not(testing::HasSubstr("\x1b")));
}

TEST(TimelineTest, ForeignTextCannotSteerTheTerminal) {
  auto event = EventAt(0, v1::EVENT_TYPE_MAPPING_FAILED, "charge");
  event.set_message("bad\x1b[2J\nline");
  EXPECT_THAT(Timeline(false).Line(event), testing::HasSubstr("bad [2J line"));
}

TEST(TimelineTest, DurationsAreReadable) {
  EXPECT_EQ(DurationText(999), "999 ms");
  EXPECT_EQ(DurationText(3400), "3.4 s");
  EXPECT_EQ(DurationText(125'000), "2 min 5 s");
  EXPECT_EQ(DurationText(26 * 3'600'000 + 190'000), "26 h 3 min");
}

}  // namespace
}  // namespace tutti::ctl
