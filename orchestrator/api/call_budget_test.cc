#include "orchestrator/api/call_budget.h"

#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "orchestrator/api/waiting_calls.h"

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

TEST(WaitingCallsTest, AreBoundedUntilOneIsOver) {
  WaitingCalls waiting;
  std::vector<char> calls(limits::kWaitingCallsMax + 1);
  int ended = 0;
  const auto end = [&](const absl::Status& status) {
    EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
    ++ended;
  };
  for (size_t i = 0; i < limits::kWaitingCallsMax; ++i) ASSERT_TRUE(waiting.Add(&calls[i], end).ok()) << i;
  const absl::Status refused = waiting.Add(&calls.back(), end);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), "OVERLOADED");
  waiting.Remove(&calls.back());  // it never waited
  EXPECT_FALSE(waiting.Add(&calls.back(), end).ok());
  waiting.Remove(&calls.front());
  EXPECT_TRUE(waiting.Add(&calls.back(), end).ok());
  waiting.EndAll();
  EXPECT_EQ(ended, static_cast<int>(limits::kWaitingCallsMax));
  EXPECT_EQ(ReasonOf(waiting.Add(&calls.front(), end)), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace tutti::api
