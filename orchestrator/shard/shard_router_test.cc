#include "orchestrator/shard/shard_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

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
  Countdown refused(3);
  router.Start(ShardWorld::StartOf("s2"), [&](absl::StatusOr<StartResult> result) {
    EXPECT_EQ(ReasonOf(result.status()), "SHUTTING_DOWN");
    refused.Tick();
  });
  router.Tell("s1", saga::CancelRequested{}, [&](const absl::StatusOr<storage::v1::SagaRecord>& result) {
    EXPECT_EQ(ReasonOf(result.status()), "SHUTTING_DOWN");
    refused.Tick();
  });
  router.Expire("s1", /*ended_by_ms=*/0, [&](const absl::StatusOr<bool>& result) {
    EXPECT_EQ(ReasonOf(result.status()), "SHUTTING_DOWN");
    refused.Tick();
  });
  EXPECT_TRUE(refused.Await());
  EXPECT_EQ(world.store().GetSaga("s1")->state(), v1::SAGA_STATE_RUNNING);
}

TEST(ShardRouterTest, NothingNewComesInWhileADrainHearsOut) {
  ShardWorld world(/*inline_done=*/false);
  ShardRouter router(world.context(), 1, IgnoreFatal);
  EchoParticipant participant(&world);
  ASSERT_TRUE(router.Start().ok());
  Countdown started(1);
  router.Start(ShardWorld::StartOf("s1"), [&](const absl::StatusOr<StartResult>&) { started.Tick(); });
  ASSERT_TRUE(started.Await());
  auto drain = std::async(std::launch::async, [&] { router.Drain(kBoundMs); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBoundMs / 4);
  bool refused = false;
  while (!refused && std::chrono::steady_clock::now() < deadline) {
    const auto reason = std::make_shared<std::promise<std::string>>();
    router.Tell("nobody", saga::CancelRequested{},
                [reason](const auto& result) { reason->set_value(ReasonOf(result.status())); });
    refused = reason->get_future().get() == "SHUTTING_DOWN";
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(drain.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "s1 is still awaited";
  participant.Serve(&router);
  EXPECT_EQ(drain.wait_for(std::chrono::milliseconds(kBoundMs / 4)), std::future_status::ready) << "all was heard";
  EXPECT_EQ(world.store().GetSaga("s1")->state(), v1::SAGA_STATE_SUCCEEDED);
}

TEST(ShardRouterTest, ShardsShareTheTimeOfADrain) {
  constexpr int kShards = 40;
  constexpr int kTimeoutMs = 200;
  ShardWorld world(/*inline_done=*/false);
  ShardRouter router(world.context(), kShards, IgnoreFatal);
  ASSERT_TRUE(router.Start().ok());
  constexpr int kSagas = 20 * kShards;  // about as many of each
  Countdown started(kSagas);
  for (int saga = 0; saga < kSagas; ++saga) {
    router.Start(ShardWorld::StartOf("s" + std::to_string(saga)),
                 [&](const absl::StatusOr<StartResult>&) { started.Tick(); });
  }
  ASSERT_TRUE(started.Await());
  const auto begin = std::chrono::steady_clock::now();
  router.Drain(kTimeoutMs);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(kShards * kTimeoutMs / 2));
}

// One shard, whose thread stands still where it sends its first command, until it may go on.
class StandingShardTest : public testing::Test {
 protected:
  StandingShardTest() {
    world_.on_send = [this](const saga::SendCommand&) {
      stands_.Tick();
      go_on_.Await();
    };
  }
  ~StandingShardTest() override { GoOn(); }
  void SetUp() override {
    ASSERT_TRUE(router_.Start().ok());
    router_.Start(ShardWorld::StartOf("first"), [](absl::StatusOr<StartResult>) {});
    ASSERT_TRUE(stands_.Await());
  }
  void GoOn() { go_on_.Tick(); }
  // Whether an answer is the mailbox's refusal; counts it.
  void CountRefusal(const absl::Status& answer) {
    if (!absl::IsResourceExhausted(answer)) return;
    EXPECT_EQ(ReasonOf(answer), "MAILBOX_FULL");
    ++refused_;
  }

  ShardWorld world_{/*inline_done=*/false};
  Countdown stands_{1};
  Countdown go_on_{1};
  std::atomic<int> refused_{0};
  ShardRouter router_{world_.context(), 1, IgnoreFatal};  // last: its thread uses the rest
};

TEST_F(StandingShardTest, FullMailboxRefusesRequestsButHearsReplies) {
  Countdown answered(limits::kMailboxRequestsMax + 5);
  for (size_t request = 0; request < limits::kMailboxRequestsMax + 5; ++request) {
    router_.Tell("nobody", saga::CancelRequested{}, [&](const absl::StatusOr<storage::v1::SagaRecord>& result) {
      CountRefusal(result.status());
      answered.Tick();
    });
  }
  EXPECT_EQ(refused_, 5);
  EXPECT_GT(router_.mailboxes().front().oldest_seconds, 0) << "requests wait, too";
  router_.PostEvent(ShardWorld::ReplyTo("first", "charge", v1::OPERATION_ACTION, 1, 0));
  EXPECT_EQ(router_.mailbox_depth(), limits::kMailboxRequestsMax + 1);
  EXPECT_EQ(router_.mailboxes().front().refused, 5);
  GoOn();
  EXPECT_TRUE(answered.Await());
}

TEST_F(StandingShardTest, TheMailboxIsBoundedByBytesToo) {
  constexpr size_t kFit = limits::kMailboxBytesMax / limits::kInputBytesMax;
  Countdown answered(kFit + 2);
  const auto start = [this](size_t number, Countdown* answered) {
    StartRequest request = ShardWorld::StartOf("large-" + std::to_string(number));
    request.input = std::string(limits::kInputBytesMax, 'x');
    router_.Start(std::move(request), [this, answered](const absl::StatusOr<StartResult>& result) {
      CountRefusal(result.status());
      answered->Tick();
    });
  };
  for (size_t i = 0; i < kFit + 2; ++i) start(i, &answered);
  EXPECT_EQ(refused_, 2);
  router_.Tell("nobody", saga::CancelRequested{}, [](const absl::StatusOr<storage::v1::SagaRecord>&) {});
  EXPECT_EQ(router_.mailboxes().front().refused, 2) << "what is small still fits";
  GoOn();
  ASSERT_TRUE(answered.Await());
  Countdown again(1);
  start(kFit + 2, &again);
  EXPECT_TRUE(again.Await());
  EXPECT_EQ(refused_, 2) << "there is room again";
}

TEST_F(StandingShardTest, WhateverClientsDecideTheSizeOfCounts) {
  const std::string huge(limits::kMailboxBytesMax + 1, 'x');
  const auto started = [&](const absl::StatusOr<StartResult>& result) { CountRefusal(result.status()); };
  const auto told = [&](const absl::StatusOr<storage::v1::SagaRecord>& result) { CountRefusal(result.status()); };
  StartRequest labelled = ShardWorld::StartOf("large");
  labelled.labels = {{"user", huge}};
  router_.Start(std::move(labelled), started);
  StartRequest invalid = ShardWorld::StartOf("large");
  invalid.validation = absl::InvalidArgumentError(huge);
  router_.Start(std::move(invalid), started);
  EXPECT_EQ(refused_, 2) << "starts";
  router_.Tell("first", saga::CancelRequested{.reason = huge}, told);
  router_.Tell("first", saga::CancelRequested{.by = huge}, told);
  EXPECT_EQ(refused_, 4) << "cancels";
  router_.Tell("first", saga::RetryRequested{.parkings = {{.step = huge}}}, told);
  router_.Tell("first", saga::RetryRequested{.reason = huge}, told);
  router_.Tell("first", saga::RetryRequested{.by = huge}, told);
  EXPECT_EQ(refused_, 7) << "retries";
  router_.Tell("first", saga::ResolveRequested{.reply = huge}, told);
  router_.Tell("first", saga::ResolveRequested{.reason = huge}, told);
  router_.Tell("first", saga::ResolveRequested{.by = huge}, told);
  EXPECT_EQ(refused_, 10) << "resolutions";
}

TEST_F(StandingShardTest, WhatPiledUpIsWorkedOffInBatches) {
  const size_t requests = 2 * limits::kShardBatchMax;
  Countdown answered(requests);
  for (size_t i = 0; i < requests; ++i) {
    router_.Tell("nobody", saga::CancelRequested{}, [&](const auto&) { answered.Tick(); });
  }
  GoOn();
  ASSERT_TRUE(answered.Await());
  router_.Drain(/*timeout_ms=*/0);
  EXPECT_EQ(world_.largest_batch(), limits::kShardBatchMax);
  EXPECT_GT(world_.waits_told(), requests);
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

// One shard on a thread of its own, whose commits wait.
class WaitingShardTest : public testing::Test {
 protected:
  WaitingShardTest() { world_.store().Hold(); }
  ~WaitingShardTest() override { world_.store().Release(); }  // its end waits for them

  void Boot() {
    shard_ = std::make_unique<Shard>(world_.context(), SlotRange{.first = 0, .end = limits::kSlots}, /*seed=*/1,
                                     IgnoreFatal);
    ASSERT_TRUE(shard_->Start().ok());
  }
  void Start(const std::string& saga_id) {
    const absl::Status posted = shard_->PostRequest(
        StartMessage{.request = ShardWorld::StartOf(saga_id), .done = [this](const auto&) { ++answered_; }});
    EXPECT_TRUE(posted.ok()) << posted;
  }
  void ExpectToStopOnceItsCommitIsReleased() {
    ASSERT_TRUE(world_.store().AwaitWaiting(1, kBoundMs));
    auto stop = std::async(std::launch::async, [this] { shard_->Stop(); });
    EXPECT_EQ(stop.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    world_.store().Release();
    EXPECT_EQ(stop.wait_for(std::chrono::milliseconds(kBoundMs)), std::future_status::ready);
  }

  ShardWorld world_{/*inline_done=*/false};
  std::atomic<int> answered_{0};
  std::unique_ptr<Shard> shard_;
};

TEST_F(WaitingShardTest, StoppingWaitsForCommitsAndTakesNoRequests) {
  Boot();
  Start("s1");
  ExpectToStopOnceItsCommitIsReleased();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(ReasonOf(shard_->PostRequest(StartMessage{.request = ShardWorld::StartOf("s2")})), "SHUTTING_DOWN");
}

TEST_F(WaitingShardTest, StoppingWaitsForCommitsOfTheRecovery) {
  world_.store().Release();
  Boot();
  Start("s1");
  shard_->Stop();
  ASSERT_EQ(answered_, 1);
  world_.store().Hold();
  Boot();
  ExpectToStopOnceItsCommitIsReleased();
}

TEST_F(WaitingShardTest, AShardIsQuietOnceItsCommitsAreDurable) {
  Boot();
  Start("s1");
  ASSERT_TRUE(world_.store().AwaitWaiting(1, kBoundMs));
  // What waits for its commit is withdrawn, so nothing is awaited of a participant.
  EXPECT_TRUE(
      shard_->PostRequest(WordMessage{.saga_id = "s1", .word = saga::CancelRequested{}, .done = [](const auto&) {}})
          .ok());
  ASSERT_TRUE(world_.store().AwaitWaiting(3, kBoundMs));
  EXPECT_FALSE(shard_->AwaitQuiet(/*timeout_ms=*/50));
  world_.store().Release();
  EXPECT_TRUE(shard_->AwaitQuiet(kBoundMs));
  EXPECT_TRUE(shard_->AwaitQuiet(kBoundMs)) << "one that sleeps is woken to say so";
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

// What of the records that were handed over is not released yet: so much is there twice.
class Ledger final : public store::SagaStore, public ShardObserver {
 public:
  explicit Ledger(store::SagaStore* store) : store_(store) {}
  void Commit(const store::WriteSet& write_set, store::CommitDone done) override {
    for (const auto& saga : write_set.sagas) twice_ += saga.record.ByteSizeLong();
    most_ = std::max(most_, twice_);
    store_->Commit(write_set, std::move(done));
  }
  void OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>&) override {
    twice_ -= record.ByteSizeLong();
  }
  void OnRecovered(const storage::v1::SagaRecord&) override {}
  void OnExpired(const storage::v1::SagaRecord&) override {}
  void OnBatch(size_t) override {}

  size_t most() const { return most_; }  // once the shard has ended

 private:
  store::SagaStore* const store_;
  // Of the shard's thread:
  size_t twice_ = 0;
  size_t most_ = 0;
};

// Each saga waits for an attempt, so recovery writes it again: were all of that under way at once, a restart would take
// twice the memory.
TEST(ShardRouterTest, RecoveryHasLittleOfWhatItWritesUnderWayAtOnce) {
  constexpr int kSagas = 200;
  constexpr size_t kInputBytes = 256 * 1024;
  ShardWorld world(/*inline_done=*/false);
  {
    ShardRouter router(world.context(), 1, IgnoreFatal);
    ASSERT_TRUE(router.Start().ok());
    for (int saga = 0; saga < kSagas; ++saga) {
      StartRequest start = ShardWorld::StartOf("s" + std::to_string(saga));
      start.input = std::string(kInputBytes, 'x');
      for (;;) {
        auto done = std::make_shared<std::promise<absl::Status>>();
        router.Start(start, [done](const absl::StatusOr<StartResult>& result) { done->set_value(result.status()); });
        if (done->get_future().get().ok()) break;
      }
    }
    EXPECT_GE(router.resident_bytes(), kSagas * kInputBytes);
    router.Drain(0);
  }
  Ledger ledger(&world.store());
  ShardContext context = world.context();
  context.store = &ledger;
  context.observer = &ledger;
  ShardRouter router(context, 1, IgnoreFatal);
  ASSERT_TRUE(router.Start().ok());
  EXPECT_GE(router.resident_bytes(), kSagas * kInputBytes);
  router.Drain(0);
  EXPECT_GT(ledger.most(), 0) << "they were written again";
  EXPECT_LE(ledger.most(), kSagas * kInputBytes / 2);
}

}  // namespace
}  // namespace tutti::shard
