#include "participants/sdk/participant_metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"

namespace tutti::participant {
namespace {

TEST(ParticipantMetrics, CountsAnswersByMarkAndCode) {
  prometheus::Registry registry;
  ParticipantMetrics metrics(&registry);
  metrics.CountCommand("p.S/M", "action", Mark::kApplied, "OK", 0.003);
  metrics.CountCommand("p.S/M", "action", Mark::kApplied, "OK", 0.003);
  metrics.CountCommand("p.S/M", "action", Mark::kNone, "INTERNAL", 0.003);
  metrics.CountCommit(5, 0.002);
  const std::string text = prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_THAT(text, testing::ContainsRegex(R"(tutti_participant_commands_total\{.*"OK".*mark="applied".*\} 2)"));
  EXPECT_THAT(text, testing::ContainsRegex(R"(tutti_participant_commands_total\{.*"INTERNAL".*mark="none".*\} 1)"));
  EXPECT_THAT(text, testing::HasSubstr("tutti_participant_commit_batch_size_sum 5"));
  EXPECT_THAT(text, testing::HasSubstr("tutti_participant_command_duration_seconds_count{method=\"p.S/M\"} 3"));
}

}  // namespace
}  // namespace tutti::participant
