#include "orchestrator/api/call_budget.h"

#include "common/limits.h"
#include "gtest/gtest.h"

namespace tutti::api {
namespace {

constexpr size_t kLarge = limits::kInlineRequestBytesMax + 1;

TEST(CallBudgetTest, WhatIsLargeFindsRoomUpToTheBudgetAndAgainOnceItIsGivenBack) {
  CallBudget budget(2 * kLarge);
  EXPECT_TRUE(budget.Take(kLarge));
  EXPECT_TRUE(budget.Take(kLarge));
  EXPECT_FALSE(budget.Take(kLarge));
  EXPECT_EQ(budget.taken(), 2 * kLarge);
  budget.Give(kLarge);
  EXPECT_TRUE(budget.Take(kLarge));
}

TEST(CallBudgetTest, WhatIsSmallAlwaysFindsRoom) {
  CallBudget budget(kLarge);
  CallBudget::Unread unread;
  ASSERT_TRUE(budget.TakeFor(nullptr, kLarge, &unread));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.Take(limits::kInlineRequestBytesMax));
  budget.Give(unread);
  EXPECT_EQ(budget.taken(), 3 * limits::kInlineRequestBytesMax);
  EXPECT_FALSE(budget.Take(kLarge)) << "and counts";
}

TEST(CallBudgetTest, AnAnswerThatIsYoungIsNotGivenUp) {
  CallBudget budget(kLarge, std::chrono::hours(1));
  CallBudget::Unread first, second;
  ASSERT_TRUE(budget.TakeFor(nullptr, kLarge, &first));
  EXPECT_FALSE(budget.TakeFor(nullptr, kLarge, &second));
  budget.Give(first);
  EXPECT_TRUE(budget.TakeFor(nullptr, kLarge, &second));
}

}  // namespace
}  // namespace tutti::api
