#include "common/listener_health.h"

#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(ListenerHealthTest, BecomesDeafAndThenLostAndHearsAgain) {
  ListenerHealth health(/*deaf_after_ms=*/10, /*lost_after_ms=*/60);
  EXPECT_EQ(health.Observe(true, 0), Hearing::kHears);
  EXPECT_EQ(health.Observe(false, 5), Hearing::kHears);
  EXPECT_EQ(health.Observe(false, 14), Hearing::kHears);
  EXPECT_EQ(health.Observe(false, 15), Hearing::kDeaf);
  for (int64_t now_ms = 20; now_ms < 65; now_ms += 5) EXPECT_EQ(health.Observe(false, now_ms), Hearing::kDeaf);
  EXPECT_EQ(health.Observe(false, 65), Hearing::kLost);
  EXPECT_EQ(health.Observe(true, 66), Hearing::kHears);
  EXPECT_EQ(health.Observe(false, 70), Hearing::kHears) << "a new silence counts from its own beginning";
  EXPECT_EQ(health.Observe(false, 80), Hearing::kDeaf);
}

TEST(ListenerHealthTest, AStandstillOfTheProcessIsNoDeafness) {
  ListenerHealth health(10, 60);
  EXPECT_EQ(health.Observe(false, 0), Hearing::kHears);
  EXPECT_EQ(health.Observe(false, 1'000), Hearing::kHears) << "nothing was seen in between";
  EXPECT_EQ(health.Observe(false, 1'009), Hearing::kHears);
  EXPECT_EQ(health.Observe(false, 1'010), Hearing::kDeaf);
}

}  // namespace
}  // namespace tutti
