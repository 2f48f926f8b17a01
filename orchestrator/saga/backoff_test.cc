#include "orchestrator/saga/backoff.h"

#include <gtest/gtest.h>

namespace tutti::saga {
namespace {

const RetryPolicy kPolicy{.initial_backoff_ms = 100, .max_backoff_ms = 1000, .multiplier = 2.0};

int64_t CeilingMs(int attempts_made) {
  int64_t highest = 0;
  for (uint64_t random = 0; random < 5000; ++random) {
    highest = std::max(highest, BackoffMs(kPolicy, attempts_made, random));
  }
  return highest;
}

TEST(BackoffTest, CeilingDoublesUpToTheCap) {
  EXPECT_EQ(CeilingMs(1), 100);
  EXPECT_EQ(CeilingMs(2), 200);
  EXPECT_EQ(CeilingMs(4), 800);
  EXPECT_EQ(CeilingMs(5), 1000);
  EXPECT_EQ(CeilingMs(1'000'000), 1000);
}

TEST(BackoffTest, JitterIsFull) {
  EXPECT_EQ(BackoffMs(kPolicy, 1, 0), 0);
  EXPECT_EQ(BackoffMs(kPolicy, 1, 100), 100);
  EXPECT_EQ(BackoffMs(kPolicy, 1, 101), 0);
}

TEST(BackoffTest, MixTellsPlacesApart) {
  EXPECT_NE(Mix(7, 0), Mix(7, 1));
  EXPECT_NE(Mix(7, 0), Mix(8, 0));
  EXPECT_EQ(Mix(7, 3), Mix(7, 3));
}

}  // namespace
}  // namespace tutti::saga
