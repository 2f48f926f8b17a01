#include "tools/bench/latencies.h"

#include <gtest/gtest.h>

namespace tutti::bench {
namespace {

TEST(LatenciesTest, PercentilesAreByNearestRank) {
  Latencies latencies;
  for (int64_t us = 100; us >= 1; --us) latencies.Add(us * 1000);
  EXPECT_EQ(latencies.PercentileMs(50), 50);
  EXPECT_EQ(latencies.PercentileMs(99), 99);
  EXPECT_EQ(latencies.PercentileMs(100), 100);
  EXPECT_EQ(latencies.PercentileMs(0), 1);
}

TEST(LatenciesTest, NothingMeasuredIsZero) {
  EXPECT_EQ(Latencies().PercentileMs(99), 0);
}

TEST(LatenciesTest, MergedRunsCountTogether) {
  Latencies one;
  Latencies other;
  one.Add(1000);
  other.Add(3000);
  one.Merge(other);
  EXPECT_EQ(one.count(), 2u);
  EXPECT_EQ(one.PercentileMs(100), 3);
}

}  // namespace
}  // namespace tutti::bench
