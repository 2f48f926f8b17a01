// The simulator itself: that it repeats itself exactly, that it can fail, and that it makes failures smaller.
#include "tests/sim/simulation.h"

#include <cstdio>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/shrink.h"

namespace tutti::sim {
namespace {

using testing::StartsWith;

constexpr uint64_t kSeedsToCatch = 200;

// The first scenario in which the breakage shows; its violation is empty when none does.
std::pair<Scenario, Outcome> FirstCaught(Sabotage sabotage) {
  for (uint64_t seed = 1; seed <= kSeedsToCatch; ++seed) {
    Scenario scenario = MakeScenario(seed, sabotage);
    Outcome outcome = Simulate(scenario);
    if (!outcome.violation.empty()) return {std::move(scenario), std::move(outcome)};
  }
  return {};
}

TEST(SimulationTest, EqualSeedsRunEquallyToTheLastLine) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    std::vector<std::string> first;
    std::vector<std::string> second;
    const Outcome one = Simulate(MakeScenario(seed), [&](const std::string& line) { first.push_back(line); });
    const Outcome two = Simulate(MakeScenario(seed), [&](const std::string& line) { second.push_back(line); });
    EXPECT_EQ(first, second) << "seed " << seed;
    EXPECT_EQ(one.digest, two.digest) << "seed " << seed;
    EXPECT_EQ(one.steps, two.steps) << "seed " << seed;
  }
}

TEST(SimulationTest, TracingChangesNothing) {
  const Outcome traced = Simulate(MakeScenario(3), [](const std::string&) {});
  EXPECT_EQ(traced.digest, Simulate(MakeScenario(3)).digest);
}

TEST(SimulationTest, DifferentSeedsDiffer) {
  EXPECT_NE(Simulate(MakeScenario(1)).digest, Simulate(MakeScenario(2)).digest);
}

TEST(SimulationTest, EveryKindOfFaultStrikesAndBothEndsAreReached) {
  std::array<int64_t, kFaults> faults{};
  int succeeded = 0, compensated = 0, parked_once = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const Outcome outcome = Simulate(MakeScenario(seed));
    EXPECT_EQ(outcome.violation, "") << "seed " << seed;
    for (size_t i = 0; i < kFaults; ++i) faults[i] += outcome.faults[i];
    succeeded += outcome.succeeded;
    compensated += outcome.compensated;
    parked_once += outcome.parked_once;
  }
  for (size_t i = 0; i < kFaults; ++i) EXPECT_GT(faults[i], 0) << Name(static_cast<Fault>(i));
  EXPECT_GT(succeeded, 400);
  EXPECT_GT(compensated, 400);
  EXPECT_GT(parked_once, 20);
}

class BreakageTest : public testing::TestWithParam<int> {};

TEST_P(BreakageTest, IsCaught) {
  const auto sabotage = static_cast<Sabotage>(GetParam());
  const auto [scenario, outcome] = FirstCaught(sabotage);
  EXPECT_NE(outcome.violation, "") << Name(sabotage);
  std::printf("%-20s caught by seed %llu: %s\n", Name(sabotage), static_cast<unsigned long long>(scenario.seed),
              outcome.violation.c_str());
}

INSTANTIATE_TEST_SUITE_P(All, BreakageTest, testing::Range(1, kSabotages), [](const auto& info) {
  std::string name = Name(static_cast<Sabotage>(info.param));
  std::erase(name, '-');
  return name;
});

TEST(ShrinkTest, LeavesWhatTheFailureNeedsAndLittleElse) {
  const auto [scenario, outcome] = FirstCaught(Sabotage::kSkipTombstone);
  ASSERT_NE(outcome.violation, "");
  const Scenario shrunk = Shrink(scenario, 600);
  const Outcome again = Simulate(shrunk);
  EXPECT_THAT(again.violation, StartsWith("I1")) << Describe(shrunk, again);
  EXPECT_EQ(shrunk.sagas.size(), 1u);
  EXPECT_LE(again.struck.size(), 4u) << Describe(shrunk, again);
}

}  // namespace
}  // namespace tutti::sim
