#include "orchestrator/effects/timer_queue.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tutti::effects {
namespace {

class ManualClock final : public Clock {
 public:
  int64_t WallMs() const override { return 1'000'000 + now_ms; }
  int64_t MonotonicMs() const override { return now_ms; }
  int64_t now_ms = 0;
};

saga::SetTimer Timer(const std::string& saga_id, int64_t delay_ms) {
  saga::SetTimer timer;
  timer.saga_id = saga_id;
  timer.saga_uid = "uid of " + saga_id;
  timer.timer.kind = saga::TimerKind::kBackoffOver;
  timer.timer.attempt = {"charge", v1::OPERATION_ACTION, 3};
  timer.delay_ms = delay_ms;
  return timer;
}

class VirtualTimerQueueTest : public testing::Test {
 protected:
  VirtualTimerQueueTest()
      : queue_(&clock_, [this](saga::Event event) { fired_.push_back(std::move(event)); },
               {.mode = TimeMode::kVirtual, .on_lag = [this](int64_t lag_ms) { lags_.push_back(lag_ms); }}) {}

  std::vector<std::string> AdvanceTo(int64_t now_ms) {
    clock_.now_ms = now_ms;
    fired_.clear();
    queue_.AdvanceTo(now_ms);
    std::vector<std::string> ids;
    for (const saga::Event& event : fired_) ids.push_back(event.saga_id);
    return ids;
  }

  ManualClock clock_;
  std::vector<saga::Event> fired_;
  std::vector<int64_t> lags_;
  TimerQueue queue_;
};

TEST_F(VirtualTimerQueueTest, FiresInOrderOfDueTimeAndNotBefore) {
  queue_.Set(Timer("c", 30));
  queue_.Set(Timer("a", 10));
  queue_.Set(Timer("b", 20));
  EXPECT_EQ(AdvanceTo(9), std::vector<std::string>());
  EXPECT_EQ(AdvanceTo(20), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(AdvanceTo(1000), std::vector<std::string>{"c"});
  EXPECT_EQ(AdvanceTo(2000), std::vector<std::string>());
}

TEST_F(VirtualTimerQueueTest, KeepsTheOrderOfTimersDueTogether) {
  for (const char* id : {"a", "b", "c", "d"}) queue_.Set(Timer(id, 5));
  EXPECT_EQ(AdvanceTo(5), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(VirtualTimerQueueTest, AnEventCarriesTheTimerAndTheWallTimeOfItsFiring) {
  queue_.Set(Timer("a", 10));
  AdvanceTo(15);
  ASSERT_EQ(fired_.size(), 1u);
  EXPECT_EQ(fired_[0].saga_uid, "uid of a") << "by which a later saga of this id is told apart";
  EXPECT_EQ(fired_[0].now_ms, 1'000'015);
  EXPECT_EQ(fired_[0].random, 0u);
  const auto& body = std::get<saga::TimerFired>(fired_[0].body);
  EXPECT_EQ(body.timer.kind, saga::TimerKind::kBackoffOver);
  EXPECT_EQ(body.timer.attempt, (saga::AttemptId{"charge", v1::OPERATION_ACTION, 3}));
}

TEST_F(VirtualTimerQueueTest, ReportsHowLateATimerFired) {
  queue_.Set(Timer("a", 10));
  AdvanceTo(17);
  EXPECT_EQ(lags_, std::vector<int64_t>{7});
}

TEST_F(VirtualTimerQueueTest, ANegativeDelayIsDueAtOnce) {
  queue_.Set(Timer("a", -5));
  EXPECT_EQ(AdvanceTo(0), std::vector<std::string>{"a"});
  EXPECT_EQ(lags_, std::vector<int64_t>{0}) << "and no sooner";
}

TEST_F(VirtualTimerQueueTest, NothingFiresAfterStop) {
  queue_.Set(Timer("a", 1));
  queue_.Stop();
  queue_.Set(Timer("b", 1));
  EXPECT_EQ(queue_.size(), 0u) << "nothing is kept for ever";
  EXPECT_EQ(AdvanceTo(10), std::vector<std::string>());
}

TEST(TimerQueueTest, ATimerSetWhileFiringFiresInTheSameAdvance) {
  ManualClock clock;
  std::vector<std::string> fired;
  TimerQueue* queue_in_sink = nullptr;
  TimerQueue queue(&clock,
                   [&](saga::Event event) {
                     fired.push_back(event.saga_id);
                     if (event.saga_id == "first") queue_in_sink->Set(Timer("second", 0));
                   },
                   {.mode = TimeMode::kVirtual});
  queue_in_sink = &queue;
  queue.Set(Timer("first", 0));
  queue.AdvanceTo(0);
  EXPECT_EQ(fired, (std::vector<std::string>{"first", "second"}));
}

// In real time; every wait is for something that must happen. Each thing is done many times over, since once may be
// luck: the thread may not have lain down yet.
class TimerThreadTest : public testing::Test {
 protected:
  static constexpr size_t kRounds = 300;

  std::unique_ptr<TimerQueue> Make() {
    return std::make_unique<TimerQueue>(&clock_, [this](const saga::Event& event) {
      MutexLock lock(&mu_);
      EXPECT_EQ(event.saga_id, "now");
      ++fired_;
      changed_.SignalAll();
    });
  }
  bool AwaitFired(size_t count) {
    const auto bound = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    MutexLock lock(&mu_);
    while (fired_ < count) {
      if (!changed_.WaitUntil(&mu_, bound)) return fired_ >= count;
    }
    return true;
  }

  SystemClock clock_;
  Mutex mu_;
  CondVar changed_;
  size_t fired_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST_F(TimerThreadTest, AnEarlierTimerShortensTheThreadsWait) {
  const auto queue = Make();
  queue->Set(Timer("in an hour", 3'600'000));
  for (size_t round = 1; round <= kRounds; ++round) {
    queue->Set(Timer("now", static_cast<int64_t>(round % 2)));
    ASSERT_TRUE(AwaitFired(round)) << round;
  }
}

TEST_F(TimerThreadTest, TheFirstTimerWakesAThreadThatHadNone) {
  const auto queue = Make();
  for (size_t round = 1; round <= kRounds; ++round) {
    queue->Set(Timer("now", 0));
    ASSERT_TRUE(AwaitFired(round)) << round;
  }
}

TEST_F(TimerThreadTest, StoppingWakesAThreadThatSleeps) {
  for (size_t round = 1; round <= kRounds; ++round) {
    const auto queue = Make();
    if (round % 2 == 0) queue->Set(Timer("in an hour", 3'600'000));
    queue->Set(Timer("now", 0));
    ASSERT_TRUE(AwaitFired(round)) << round;
    std::this_thread::yield();
  }
}

}  // namespace
}  // namespace tutti::effects
