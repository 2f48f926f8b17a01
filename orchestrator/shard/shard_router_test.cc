#include "orchestrator/shard/shard_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/errors.h"
#include "common/limits.h"
#include "orchestrator/shard/shard_world.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::shard {
namespace {

constexpr int64_t kBoundMs = 20'000;

// Counts up to a number and lets a test wait for it.
class Countdown {
 public:
  explicit Countdown(int count) : left_(count) {}
  void Tick() {
    MutexLock lock(&mu_);
    --left_;
    changed_.SignalAll();
  }
  bool Await() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBoundMs);
    MutexLock lock(&mu_);
    while (left_ > 0 && changed_.WaitUntil(&mu_, deadline)) {
    }
    return left_ <= 0;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int left_ ABSL_GUARDED_BY(mu_);
};

// Answers every command with success from a thread of its own.
class EchoParticipant {
 public:
  explicit EchoParticipant(ShardWorld* world) {
    world->on_send = [this](const saga::SendCommand& command) {
      MutexLock lock(&mu_);
      commands_.push_back(command);
      wake_.Signal();
    };
  }
  ~EchoParticipant() {
    {
      MutexLock lock(&mu_);
      stop_ = true;
      wake_.Signal();
    }
    if (thread_.joinable()) thread_.join();
  }
  void Serve(ShardRouter* router) {
    thread_ = std::thread([this, router] {
      for (;;) {
        std::deque<saga::SendCommand> commands;
        {
          MutexLock lock(&mu_);
          while (commands_.empty() && !stop_) wake_.Wait(&mu_);
          if (stop_) return;
          commands.swap(commands_);
        }
        for (const saga::SendCommand& command : commands) {
          router->PostEvent(ShardWorld::ReplyTo(command.saga_id, command.attempt.step, command.attempt.operation,
                                                command.attempt.number, 0));
        }
      }
    });
  }

 private:
  Mutex mu_;
  CondVar wake_;
  std::deque<saga::SendCommand> commands_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

void IgnoreFatal(const absl::Status&) {}

TEST(ShardRouterTest, CarriesManySagasThroughOverSeveralShards) {
  constexpr int kSagas = 500;
  ShardWorld world(/*inline_done=*/false);
  ShardRouter router(world.context(), 3, IgnoreFatal);
  EchoParticipant participant(&world);
  ASSERT_TRUE(router.Start().ok());
  participant.Serve(&router);
  Countdown started(kSagas);
  for (int saga = 0; saga < kSagas; ++saga) {
    router.Start(ShardWorld::StartOf("s" + std::to_string(saga)), [&](absl::StatusOr<StartResult> result) {
      EXPECT_TRUE(result.ok()) << result.status();
      started.Tick();
    });
  }
  ASSERT_TRUE(started.Await());
  router.Drain(kBoundMs);
  for (int saga = 0; saga < kSagas; ++saga) {
    EXPECT_EQ(world.store().GetSaga("s" + std::to_string(saga))->state(), v1::SAGA_STATE_SUCCEEDED) << saga;
  }
}

TEST(ShardRouterTest, DrainHearsOutWhatIsAwaitedAndTakesNoMore) {
  ShardWorld world(/*inline_done=*/false);
  ShardRouter router(world.context(), 1, IgnoreFatal);
  ASSERT_TRUE(router.Start().ok());
  Countdown started(1);
  router.Start(ShardWorld::StartOf("s1"), [&](absl::StatusOr<StartResult>) { started.Tick(); });
  ASSERT_TRUE(started.Await());
  router.Drain(/*timeout_ms=*/1);  // nobody answers, so this gives up
  Countdown refused(1);
  router.Start(ShardWorld::StartOf("s2"), [&](absl::StatusOr<StartResult> result) {
    EXPECT_EQ(ReasonOf(result.status()), "SHUTTING_DOWN");
    refused.Tick();
  });
  EXPECT_TRUE(refused.Await());
  EXPECT_EQ(world.store().GetSaga("s1")->state(), v1::SAGA_STATE_RUNNING);
}

TEST(ShardRouterTest, FullMailboxRefusesRequestsButHearsReplies) {
  ShardWorld world(/*inline_done=*/false);
  Countdown blocked(1);
  Countdown go(1);
  world.on_send = [&](const saga::SendCommand&) {
    blocked.Tick();
    go.Await();  // the shard's thread stands still here
  };
  ShardRouter router(world.context(), 1, IgnoreFatal);
  ASSERT_TRUE(router.Start().ok());
  router.Start(ShardWorld::StartOf("first"), [](absl::StatusOr<StartResult>) {});
  ASSERT_TRUE(blocked.Await());
  std::atomic<int> refused{0};
  Countdown answered(limits::kMailboxRequestsMax + 5);
  for (size_t request = 0; request < limits::kMailboxRequestsMax + 5; ++request) {
    router.Tell("nobody", saga::CancelRequested{}, [&](absl::StatusOr<storage::v1::SagaRecord> result) {
      if (absl::IsResourceExhausted(result.status())) {
        EXPECT_EQ(ReasonOf(result.status()), "MAILBOX_FULL");
        ++refused;
      }
      answered.Tick();
    });
  }
  EXPECT_EQ(refused, 5);
  router.PostEvent(ShardWorld::ReplyTo("first", "charge", v1::OPERATION_ACTION, 1, 0));
  EXPECT_EQ(router.mailbox_depth(), limits::kMailboxRequestsMax + 1);
  EXPECT_EQ(router.mailboxes().front().refused, 5);
  EXPECT_GT(router.mailboxes().front().oldest_seconds, 0);
  go.Tick();
  EXPECT_TRUE(answered.Await());
}

TEST(ShardRouterTest, TheMailboxIsBoundedByBytesToo) {
  ShardWorld world(/*inline_done=*/false);
  Countdown blocked(1);
  Countdown go(1);
  world.on_send = [&](const saga::SendCommand&) {
    blocked.Tick();
    go.Await();  // the shard's thread stands still here
  };
  ShardRouter router(world.context(), 1, IgnoreFatal);
  ASSERT_TRUE(router.Start().ok());
  router.Start(ShardWorld::StartOf("first"), [](absl::StatusOr<StartResult>) {});
  ASSERT_TRUE(blocked.Await());
  std::atomic<int> refused{0};
  constexpr size_t kFit = limits::kMailboxBytesMax / limits::kInputBytesMax;
  Countdown answered(kFit + 2);
  const auto start = [&](size_t number) {
    StartRequest request = ShardWorld::StartOf("large-" + std::to_string(number));
    request.input = std::string(limits::kInputBytesMax, 'x');
    router.Start(std::move(request), [&](absl::StatusOr<StartResult> result) {
      if (!result.ok()) {
        EXPECT_EQ(ReasonOf(result.status()), "MAILBOX_FULL");
        ++refused;
      }
      answered.Tick();
    });
  };
  for (size_t i = 0; i < kFit + 2; ++i) start(i);
  EXPECT_EQ(refused, 2);
  router.Tell("nobody", saga::CancelRequested{}, [](const absl::StatusOr<storage::v1::SagaRecord>&) {});
  EXPECT_EQ(router.mailboxes().front().refused, 2) << "what is small still fits";
  go.Tick();
  ASSERT_TRUE(answered.Await());
  start(kFit + 2);
  EXPECT_EQ(refused, 2) << "there is room again";
}

class DrivenShardTest : public testing::Test {
 protected:
  std::unique_ptr<Shard> Boot(SlotRange slots) {
    auto shard = std::make_unique<Shard>(
        world_.context(), slots, /*seed=*/1, [](const absl::Status&) {}, [this] { ++posts_; });
    EXPECT_TRUE(shard->Recover().ok());
    return shard;
  }
  void WorkOff(Shard* shard) {
    while (shard->Work(/*messages_max=*/100)) {
    }
  }
  void Cancel(Shard* shard, const std::string& saga_id, std::vector<std::string>* answered) {
    const absl::Status posted = shard->PostRequest(
        WordMessage{.saga_id = saga_id, .word = saga::CancelRequested{}, .done = [saga_id, answered](const auto&) {
                      answered->push_back(saga_id);
                    }});
    EXPECT_TRUE(posted.ok()) << posted;
  }

  ShardWorld world_{/*inline_done=*/true};
  int posts_ = 0;
};

// Requests fill the mailbox before a reply comes, and each batch has room for one message only.
TEST_F(DrivenShardTest, AReplyGoesAheadOfRequestsThatCameBeforeIt) {
  const auto shard = Boot({.first = 0, .end = limits::kSlots});
  EXPECT_TRUE(shard->PostRequest(StartMessage{.request = ShardWorld::StartOf("s1"), .done = [](const auto&) {}}).ok());
  WorkOff(shard.get());
  world_.TakeLog();
  std::vector<std::string> answered;
  for (int i = 0; i < 5; ++i) Cancel(shard.get(), "nobody", &answered);
  shard->PostEvent(ShardWorld::ReplyTo("s1", "charge", v1::OPERATION_ACTION, 1, 0));
  posts_ = 0;
  EXPECT_TRUE(shard->Work(/*messages_max=*/1));
  EXPECT_EQ(posts_, 1) << "its commit";
  EXPECT_TRUE(shard->Work(/*messages_max=*/1));
  EXPECT_THAT(world_.TakeLog(), testing::Contains("send s1 confirm/action#1"));
  EXPECT_TRUE(answered.empty());
  WorkOff(shard.get());
  EXPECT_EQ(answered.size(), 5u);
  EXPECT_FALSE(shard->Work(/*messages_max=*/1));
}

// An id in the slot.
std::string IdInSlot(uint32_t slot) {
  std::string id;
  for (int i = 0; id.empty() || store::SlotOf(id) != slot; ++i) id = "s" + std::to_string(i);
  return id;
}

TEST_F(DrivenShardTest, RecoveryReadsItsFirstAndItsLastSlotAndNoOther) {
  const SlotRange range = SlotRangeOf(1, 3);
  const std::vector<std::string> own = {IdInSlot(range.first), IdInSlot(range.end - 1)};
  const std::vector<std::string> others = {IdInSlot(range.first - 1), IdInSlot(range.end), IdInSlot(0),
                                           IdInSlot(limits::kSlots - 1)};
  {
    const auto all = Boot({.first = 0, .end = limits::kSlots});
    for (const auto& ids : {own, others}) {
      for (const std::string& id : ids) {
        EXPECT_TRUE(
            all->PostRequest(StartMessage{.request = ShardWorld::StartOf(id), .done = [](const auto&) {}}).ok());
      }
    }
    WorkOff(all.get());
  }
  world_.UseStore(world_.store().Reopen({.inline_done = true}));
  world_.TakeLog();
  const auto shard = Boot(range);
  WorkOff(shard.get());
  std::vector<std::string> recovered;
  for (const std::string& line : world_.TakeLog()) {
    if (line.starts_with("publish ")) recovered.push_back(line);
  }
  EXPECT_THAT(recovered,
              testing::UnorderedElementsAre("publish " + own[0] + " RUNNING", "publish " + own[1] + " RUNNING"));
}

TEST(SlotRangeTest, RangesCoverEverySlotOnceForAnyNumberOfShards) {
  for (const int count : {1, 2, 3, 5, 7, 16, 100, 4095, 4096}) {
    uint32_t next = 0;
    for (int shard = 0; shard < count; ++shard) {
      const SlotRange range = SlotRangeOf(shard, count);
      EXPECT_EQ(range.first, next) << count;
      EXPECT_LT(range.first, range.end) << count;
      EXPECT_EQ(ShardOfSlot(range.first, count), shard);
      EXPECT_EQ(ShardOfSlot(range.end - 1, count), shard);
      next = range.end;
    }
    EXPECT_EQ(next, limits::kSlots) << count;
  }
}

TEST(ShardRouterTest, ShardCountMayChangeAtARestart) {
  ShardWorld world(/*inline_done=*/false);
  constexpr int kSagas = 40;
  {
    ShardRouter router(world.context(), 2, IgnoreFatal);
    ASSERT_TRUE(router.Start().ok());
    Countdown started(kSagas);
    for (int saga = 0; saga < kSagas; ++saga) {
      router.Start(ShardWorld::StartOf("s" + std::to_string(saga)),
                   [&](absl::StatusOr<StartResult>) { started.Tick(); });
    }
    ASSERT_TRUE(started.Await());
  }
  ShardRouter router(world.context(), 5, IgnoreFatal);
  ASSERT_TRUE(router.Start().ok());
  Countdown cancelled(kSagas);
  for (int saga = 0; saga < kSagas; ++saga) {
    router.Tell("s" + std::to_string(saga), saga::CancelRequested{},
                [&](absl::StatusOr<storage::v1::SagaRecord> result) {
                  EXPECT_TRUE(result.ok()) << result.status();
                  cancelled.Tick();
                });
  }
  EXPECT_TRUE(cancelled.Await());
}

}  // namespace
}  // namespace tutti::shard
