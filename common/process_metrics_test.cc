#include "common/process_metrics.h"

#include <chrono>
#include <optional>

#include "common/grpc_metrics.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

constexpr MetricName kDepth{"tutti_test_depth", kGauge, "queue", "Depth"};
constexpr MetricName kWrites{"tutti_test_writes_seconds", kSummary, "", "Writes"};

// Unset when there is no such series.
std::optional<double> Value(const ProcessMetrics& metrics, const MetricName& metric, const prometheus::Labels& labels) {
  for (const auto& family : metrics.Collect()) {
    if (family.name != metric.name) continue;
    EXPECT_EQ(family.type, metric.type);
    for (const auto& series : family.metric) {
      prometheus::Labels found;
      for (const auto& label : series.label) found[label.name] = label.value;
      if (found != labels) continue;
      return family.type == kCounter     ? series.counter.value
             : family.type == kGauge     ? series.gauge.value
             : family.type == kHistogram ? static_cast<double>(series.histogram.sample_count)
                                         : series.summary.sample_sum;
    }
  }
  return std::nullopt;
}

TEST(ProcessMetricsTest, TellsOfTheProcessAndItsBuild) {
  const ProcessMetrics metrics;
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double began = Value(metrics, kProcessStart, {}).value_or(0);
  EXPECT_LE(began, now + 2);  // the kernel rounds the machine's start to a second
  EXPECT_GT(began, now - 3600);
  EXPECT_GT(Value(metrics, kProcessMemory, {}), 1e6);
  EXPECT_GT(Value(metrics, kProcessCpu, {}), 0);
  EXPECT_GE(Value(metrics, kProcessOpenFds, {}), 3);
  EXPECT_GT(Value(metrics, kProcessMaxFds, {}), Value(metrics, kProcessOpenFds, {}));
  bool has_build = false;
  for (const auto& family : metrics.Collect()) {
    if (family.name != kBuildInfo.name) continue;
    has_build = true;
    EXPECT_EQ(family.metric.at(0).gauge.value, 1);
    for (const auto& label : family.metric.at(0).label) EXPECT_NE(label.value, "") << label.name;
  }
  EXPECT_TRUE(has_build);
}

TEST(ProcessMetricsTest, SourcesAreAskedAtEachScrapeUntilTheyAreDropped) {
  ProcessMetrics metrics;
  int depth = 3;
  metrics.AddSource([&](Scrape* scrape) {
    scrape->Set(kDepth, {{"queue", "a"}}, depth);
    scrape->Set(kDepth, {{"queue", "b"}}, 0);
    scrape->SetSummary(kWrites, {}, 2, 0.5);
  });
  EXPECT_EQ(Value(metrics, kDepth, {{"queue", "a"}}), 3);
  depth = 4;
  EXPECT_EQ(Value(metrics, kDepth, {{"queue", "a"}}), 4);
  EXPECT_EQ(Value(metrics, kDepth, {{"queue", "b"}}), 0);
  EXPECT_EQ(Value(metrics, kWrites, {}), 0.5);
  metrics.DropSources();
  EXPECT_EQ(Value(metrics, kDepth, {{"queue", "a"}}), std::nullopt);
  EXPECT_NE(Value(metrics, kProcessMemory, {}), std::nullopt);
}

TEST(GrpcMetricsTest, CountsCallsByMethodAndCode) {
  ProcessMetrics metrics;
  GrpcMetrics calls(metrics.registry());
  const prometheus::Labels method = {{"service", "a.v1.S"}, {"method", "Get"}};
  const auto of_code = [&](const char* code) {
    prometheus::Labels labels = method;
    labels["code"] = code;
    return labels;
  };
  calls.OnServed("a.v1.S/Get");
  EXPECT_EQ(Value(metrics, kGrpcRequests, of_code("OK")), 0);
  EXPECT_EQ(Value(metrics, kGrpcInFlight, method), 0);
  EXPECT_EQ(Value(metrics, kGrpcRequests, of_code("NOT_FOUND")), std::nullopt);
  calls.OnBegin("a.v1.S/Get");
  EXPECT_EQ(Value(metrics, kGrpcInFlight, method), 1);
  calls.OnEnd("a.v1.S/Get", 5, 0.01);
  EXPECT_EQ(Value(metrics, kGrpcInFlight, method), 0);
  EXPECT_EQ(Value(metrics, kGrpcRequests, of_code("NOT_FOUND")), 1);
  EXPECT_EQ(Value(metrics, kGrpcDuration, method), 1);
  calls.OnBegin("a.v1.S/Get");
  calls.OnEnd("a.v1.S/Get", 99, 0.01);
  EXPECT_EQ(Value(metrics, kGrpcRequests, of_code("UNKNOWN")), 1);
}

}  // namespace
}  // namespace tutti
