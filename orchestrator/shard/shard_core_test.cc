#include "orchestrator/shard/shard_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>

#include "common/errors.h"
#include "common/limits.h"
#include "common/logging.h"
#include "orchestrator/shard/shard_world.h"
#include "orchestrator/store/audit.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/tables.h"

namespace tutti::shard {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr saga::StatusCode kFailedPrecondition = 9;

class ShardCoreTest : public testing::Test {
 protected:
  ShardCoreTest() { Boot(); }

  void Boot() {
    ShardContext context = world_.context();
    if (observer_ != nullptr) context.observer = observer_;
    core_ = std::make_unique<ShardCore>(
        context, 1, [this](Message message) { mailbox_.push_back(std::move(message)); },
        [this](const absl::Status& detail) { fatal_.push_back(detail); });
  }

  // Works off the mailbox, commits included, until nothing is left to do.
  void Run() {
    while (!mailbox_.empty()) {
      std::vector<Message> batch(std::make_move_iterator(mailbox_.begin()), std::make_move_iterator(mailbox_.end()));
      mailbox_.clear();
      core_->Process(std::move(batch));
    }
  }

  void Start(StartRequest request) {
    mailbox_.push_back(StartMessage{.request = std::move(request), .done = [this](absl::StatusOr<StartResult> result) {
                                      starts_.push_back(std::move(result));
                                    }});
  }

  void Cancel(const std::string& saga_id) {
    mailbox_.push_back(WordMessage{
        .saga_id = saga_id,
        .word = saga::CancelRequested{},
        .done = [this](absl::StatusOr<storage::v1::SagaRecord> result) { cancels_.push_back(std::move(result)); }});
  }

  void Reply(const std::string& step, v1::Operation operation, int attempt, saga::StatusCode code = 0) {
    mailbox_.push_back(ShardWorld::ReplyTo("s1", step, operation, attempt, code));
  }

  // What does not fit together in the store.
  std::vector<std::string> Flaws() {
    std::vector<std::string> flaws;
    world_.store().Edit([&](const store::Tables* tables) {
      store::Audit(store::TablesView(tables), nullptr,
                   [&](const store::Flaw& flaw) { flaws.push_back(flaw.where + " " + flaw.what); });
    });
    return flaws;
  }

  ShardWorld world_{/*inline_done=*/true};
  std::deque<Message> mailbox_;
  std::vector<absl::StatusOr<StartResult>> starts_;
  std::vector<absl::StatusOr<storage::v1::SagaRecord>> cancels_;
  std::vector<absl::Status> fatal_;
  ShardObserver* observer_ = nullptr;  // in place of the world
  std::unique_ptr<ShardCore> core_;
};

TEST_F(ShardCoreTest, NothingLeavesBeforeItIsDurable) {
  world_.store().Hold();
  Start(ShardWorld::StartOf("s1"));
  Run();
  EXPECT_THAT(world_.TakeLog(), IsEmpty());
  EXPECT_THAT(starts_, IsEmpty());
  world_.store().Release();
  Run();
  EXPECT_THAT(world_.TakeLog(), ElementsAre("send s1 charge/action#1", "publish s1 RUNNING"));
  ASSERT_EQ(starts_.size(), 1u);
  ASSERT_TRUE(starts_[0].ok());
  EXPECT_FALSE(starts_[0]->already_started);
}

TEST_F(ShardCoreTest, OneBatchIsOneWriteSet) {
  world_.store().Hold();
  for (int saga = 0; saga < 10; ++saga) Start(ShardWorld::StartOf("s" + std::to_string(saga)));
  Run();
  EXPECT_EQ(core_->commits_in_flight(), 1u);
  EXPECT_EQ(world_.store().waiting(), 1u);
  world_.store().Release();
  Run();
  EXPECT_EQ(starts_.size(), 10u);
}

TEST_F(ShardCoreTest, SameStartIsOneSagaAndOtherContentIsToldApart) {
  Start(ShardWorld::StartOf("s1"));
  Start(ShardWorld::StartOf("s1"));
  Start(ShardWorld::StartOf("s1", "other"));
  Run();
  ASSERT_EQ(starts_.size(), 3u);
  std::vector<bool> already, differs;
  for (const auto& start : starts_) {
    already.push_back(start->already_started);
    differs.push_back(start->differs);
  }
  EXPECT_THAT(already, ElementsAre(false, true, true));
  EXPECT_THAT(differs, ElementsAre(false, false, true));
  EXPECT_THAT(world_.TakeLog(), ElementsAre("send s1 charge/action#1", "publish s1 RUNNING"));
}

TEST_F(ShardCoreTest, RepeatedStartWaitsForTheFirstOnesCommit) {
  world_.store().Hold();
  Start(ShardWorld::StartOf("s1"));
  Run();
  Start(ShardWorld::StartOf("s1"));
  Run();
  EXPECT_THAT(starts_, IsEmpty());
  world_.store().Release();
  Run();
  EXPECT_EQ(starts_.size(), 2u);
}

// Each later write set may fail where an earlier one did not.
TEST_F(ShardCoreTest, AnAnswerWaitsForTheNewestCommitUnderWay) {
  world_.store().Hold();
  Start(ShardWorld::StartOf("s1"));
  Run();
  Start(ShardWorld::StartOf("s2"));
  Run();
  ASSERT_EQ(core_->commits_in_flight(), 2u);
  Start(ShardWorld::StartOf("s2"));
  Run();
  world_.store().Release();
  Run();
  std::vector<std::string> answers;
  for (const auto& start : starts_) {
    answers.push_back(start->record.saga_id() + (start->already_started ? " again" : ""));
  }
  EXPECT_THAT(answers, ElementsAre("s1", "s2", "s2 again"));
}

TEST_F(ShardCoreTest, LookUpComesBeforeValidation) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  StartRequest repeated = ShardWorld::StartOf("s1");
  repeated.validation = absl::InvalidArgumentError("the newest revision wants another input");
  Start(std::move(repeated));
  Run();
  ASSERT_TRUE(starts_.at(1).ok());
  EXPECT_TRUE(starts_[1]->already_started);
  StartRequest fresh = ShardWorld::StartOf("s2");
  fresh.validation = absl::InvalidArgumentError("bad");
  Start(std::move(fresh));
  Run();
  EXPECT_TRUE(absl::IsInvalidArgument(starts_.at(2).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.store().GetSaga("s2").status()));
}

TEST_F(ShardCoreTest, FailedCommitReleasesNothingAndEndsTheShard) {
  world_.store().FailNextWrite(absl::InternalError("disk"), /*applied=*/true);
  Start(ShardWorld::StartOf("s1"));
  Run();
  Start(ShardWorld::StartOf("s2"));
  Cancel("s1");
  Run();
  EXPECT_THAT(world_.TakeLog(), IsEmpty());
  ASSERT_EQ(fatal_.size(), 1u);
  ASSERT_EQ(starts_.size(), 2u);
  for (const auto& start : starts_) EXPECT_TRUE(absl::IsUnavailable(start.status()));
  EXPECT_TRUE(absl::IsUnavailable(cancels_.at(0).status()));
  EXPECT_EQ(core_->resident(), 0u);
}

TEST_F(ShardCoreTest, DropGoesAheadOfTheAbortsCommit) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  world_.TakeLog();
  world_.store().Hold();
  Cancel("s1");
  Run();
  EXPECT_THAT(world_.TakeLog(), ElementsAre("drop s1 charge/action#1"));
  EXPECT_THAT(cancels_, IsEmpty());
  world_.store().Release();
  Run();
  EXPECT_EQ(cancels_.at(0)->state(), v1::SAGA_STATE_COMPENSATING);
}

TEST_F(ShardCoreTest, EvenWhatDiffersTellsNothingThatIsNotDurable) {
  world_.store().Hold();
  Start(ShardWorld::StartOf("s1"));
  Run();
  Start(ShardWorld::StartOf("s1", "other"));
  Run();
  EXPECT_THAT(starts_, IsEmpty());
  world_.store().Release();
  Run();
  EXPECT_TRUE(starts_.at(1)->differs);
}

TEST_F(ShardCoreTest, CommandThatWaitsForItsCommitIsWithdrawnByAnAbort) {
  world_.store().Hold();
  Start(ShardWorld::StartOf("s1"));
  Run();
  Cancel("s1");
  Run();
  world_.store().Release();
  Run();
  EXPECT_THAT(world_.TakeLog(), Not(Contains("send s1 charge/action#1")));
  EXPECT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_COMPENSATED);
}

TEST_F(ShardCoreTest, AnAbortWithdrawsNobodyElsesCommand) {
  world_.store().Hold();
  for (const char* id : {"s1", "s2", "s3"}) Start(ShardWorld::StartOf(id));
  Run();
  Cancel("s2");
  Run();
  world_.store().Release();
  Run();
  const std::vector<std::string> log = world_.TakeLog();
  EXPECT_THAT(log, Contains("send s1 charge/action#1"));
  EXPECT_THAT(log, Not(Contains("send s2 charge/action#1")));
  EXPECT_THAT(log, Contains("send s3 charge/action#1"));
}

TEST_F(ShardCoreTest, CommandOfTheSameBatchIsWithdrawnByAnAbort) {
  Start(ShardWorld::StartOf("s1"));
  Cancel("s1");
  Run();
  EXPECT_THAT(world_.TakeLog(), Not(Contains("send s1 charge/action#1")));
  EXPECT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_COMPENSATED);
}

TEST_F(ShardCoreTest, EndedSagaLeavesMemoryAndIsStillGuarded) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  Reply("charge", v1::OPERATION_ACTION, 1);
  Run();
  Reply("confirm", v1::OPERATION_ACTION, 1);
  Run();
  EXPECT_EQ(core_->resident(), 0u);
  EXPECT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_SUCCEEDED);
  Reply("confirm", v1::OPERATION_ACTION, 1);
  Run();
  EXPECT_EQ(core_->resident(), 0u);
  const auto history = world_.store().GetHistory("s1", 1, 100);
  EXPECT_EQ(history->back().type(), v1::EVENT_TYPE_LATE_RESULT);
  for (size_t i = 0; i < history->size(); ++i) EXPECT_EQ((*history)[i].sequence(), static_cast<int64_t>(i) + 1);
}

// Whatever looks at it, it must not stay in memory from then on.
TEST_F(ShardCoreTest, WhoeverLooksAtAnEndedSagaLeavesItOutOfMemory) {
  Start(ShardWorld::StartOf("s1"));
  Cancel("s1");
  Run();
  Run();
  ASSERT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_COMPENSATED);
  ASSERT_EQ(core_->resident(), 0u);
  Start(ShardWorld::StartOf("s1"));
  Run();
  EXPECT_EQ(core_->resident(), 0u) << "a repeated start";
  Start(ShardWorld::StartOf("s1", "other"));
  Run();
  EXPECT_EQ(core_->resident(), 0u) << "another start";
  Cancel("s1");
  Run();
  EXPECT_EQ(core_->resident(), 0u) << "a word";
  saga::Event foreign = ShardWorld::ReplyTo("s1", "charge", v1::OPERATION_ACTION, 1, 0);
  foreign.saga_uid = "another saga's";
  mailbox_.push_back(std::move(foreign));
  Run();
  EXPECT_EQ(core_->resident(), 0u) << "an event of another saga of this id";
  mailbox_.push_back(ExpireMessage{.saga_id = "s1", .ended_by_ms = 1, .done = [](const absl::StatusOr<bool>&) {}});
  Run();
  EXPECT_EQ(core_->resident(), 0u) << "an expiry that comes too early";
}

TEST_F(ShardCoreTest, AnEventTellsItsOwnTimeAndARequestHasTheShards) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  const int64_t started_ms = world_.store().GetSaga("s1")->started_ms();
  EXPECT_NEAR(static_cast<double>(started_ms), static_cast<double>(SystemClock().WallMs()), 60'000);
  saga::Event reply = ShardWorld::ReplyTo("s1", "charge", v1::OPERATION_ACTION, 1, 0);
  reply.now_ms = started_ms + 3'600'000;
  mailbox_.push_back(std::move(reply));
  Run();
  EXPECT_EQ(world_.store().GetHistory("s1", 1, 100)->back().time().seconds(), (started_ms + 3'600'000) / 1000);
}

TEST_F(ShardCoreTest, RefusedCancelSaysWhyAndChangesNothing) {
  Cancel("nobody");
  Start(ShardWorld::StartOf("s1"));
  Run();
  EXPECT_EQ(ReasonOf(cancels_.at(0).status()), "SAGA_NOT_FOUND");
  Reply("charge", v1::OPERATION_ACTION, 1);
  Run();
  Reply("confirm", v1::OPERATION_ACTION, 1);
  Run();
  Cancel("s1");
  Run();
  EXPECT_TRUE(absl::IsFailedPrecondition(cancels_.at(1).status()));
  EXPECT_EQ(ReasonOf(cancels_[1].status()), "SAGA_NOT_CANCELLABLE");
}

TEST_F(ShardCoreTest, RecoveryTakesUpWhatWasOutstanding) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  Reply("charge", v1::OPERATION_ACTION, 1);
  Run();
  Reply("confirm", v1::OPERATION_ACTION, 1, kFailedPrecondition);
  Run();  // the compensation of charge is on its way when the process dies
  world_.UseStore(world_.store().Reopen({.inline_done = true}));
  world_.TakeLog();
  Boot();
  ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
  Run();
  const std::vector<std::string> log = world_.TakeLog();
  EXPECT_THAT(log, Contains(testing::StartsWith("set grace charge/compensation#1")));
  EXPECT_THAT(log, Contains(testing::StartsWith("set backoff charge/compensation 1")));
  EXPECT_THAT(log, Not(Contains(testing::StartsWith("send"))));
  mailbox_.push_back(saga::Event{
      .saga_id = "s1",
      .body = saga::TimerFired{{.kind = saga::TimerKind::kBackoffOver,
                                .attempt = {.step = "charge", .operation = v1::OPERATION_COMPENSATION, .number = 1}}}});
  Run();
  EXPECT_THAT(world_.TakeLog(), ElementsAre("send s1 charge/compensation#2", "publish s1 COMPENSATING"));
  Reply("charge", v1::OPERATION_COMPENSATION, 2);
  Run();
  EXPECT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_COMPENSATED);
}

TEST_F(ShardCoreTest, AStoreThatIsHeldSendsNothingAfterItsRecoveryUntilToldTo) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  world_.UseStore(world_.store().Reopen({.inline_done = true}));
  world_.hold = {.id = "h1", .what = "restored"};
  for (int life = 0; life < 2; ++life) {
    world_.TakeLog();
    Boot();
    ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
    Run();
    EXPECT_THAT(world_.TakeLog(), Not(Contains(testing::StartsWith("send"))));
    const storage::v1::SagaRecord record = *world_.store().GetSaga("s1");
    EXPECT_EQ(record.steps(0).parking().cause(), v1::PARKING_CAUSE_RESTORED);
    EXPECT_EQ(record.hold_id(), "h1");
    world_.UseStore(world_.store().Reopen({.inline_done = true}));
  }
  store::ListQuery parked;
  parked.parked = true;
  EXPECT_THAT(world_.store().ListSagas(parked)->sagas, testing::SizeIs(1));
  Boot();
  ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
  Run();
  const int64_t sequence = world_.store().GetSaga("s1")->steps(0).parking().history_sequence();
  mailbox_.push_back(WordMessage{
      .saga_id = "s1", .word = saga::RetryRequested{.parkings = {{"charge", sequence}}}, .done = [](const auto&) {}});
  Run();
  EXPECT_THAT(world_.TakeLog(), Contains("send s1 charge/action#2"));
}

// The store learns from the shard what it has to take out of its indexes.
TEST_F(ShardCoreTest, IndexesFollowAParkingAlsoOverARestart) {
  for (const bool restart : {false, true}) {
    const std::string id = restart ? "s2" : "s1";
    const auto reply = [&](const std::string& step, v1::Operation operation, int attempt, saga::StatusCode code) {
      mailbox_.push_back(ShardWorld::ReplyTo(id, step, operation, attempt, code));
      Run();
    };
    const auto retry = [&](int attempt) {
      const saga::AttemptId of = {.step = "charge", .operation = v1::OPERATION_COMPENSATION, .number = attempt};
      mailbox_.push_back(
          saga::Event{.saga_id = id, .body = saga::TimerFired{{.kind = saga::TimerKind::kBackoffOver, .attempt = of}}});
      Run();
    };
    Start(ShardWorld::StartOf(id));
    Run();
    reply("charge", v1::OPERATION_ACTION, 1, 0);
    reply("confirm", v1::OPERATION_ACTION, 1, kFailedPrecondition);
    int attempt = 1;
    const auto step = [&] { return world_.store().GetSaga(id)->steps(0); };
    for (; attempt < 50 && !step().has_parking(); ++attempt) {
      reply("charge", v1::OPERATION_COMPENSATION, attempt, kFailedPrecondition);
      if (!step().has_parking()) retry(attempt);
    }
    ASSERT_TRUE(step().has_parking());
    EXPECT_THAT(Flaws(), IsEmpty());
    if (restart) {
      world_.UseStore(world_.store().Reopen({.inline_done = true}));
      Boot();
      ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
      Run();
    }
    const saga::ParkingRef parking = {.step = "charge", .history_sequence = step().parking().history_sequence()};
    mailbox_.push_back(WordMessage{.saga_id = id,
                                   .word = saga::RetryRequested{.parkings = {parking}, .reason = "mended", .by = "ann"},
                                   .done = [](const absl::StatusOr<storage::v1::SagaRecord>& answer) {
                                     EXPECT_TRUE(answer.ok()) << answer.status();
                                   }});
    Run();
    EXPECT_FALSE(step().has_parking());
    EXPECT_THAT(Flaws(), IsEmpty());
    reply("charge", v1::OPERATION_COMPENSATION, attempt, 0);
    EXPECT_EQ(world_.store().GetSaga(id)->state(), v1::SAGA_STATE_COMPENSATED);
    EXPECT_THAT(Flaws(), IsEmpty());
  }
}

TEST_F(ShardCoreTest, AnEffectAfterTheEndIsLoggedByItsSaga) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  const saga::AttemptId charge = {.step = "charge", .operation = v1::OPERATION_ACTION, .number = 1};
  mailbox_.push_back(saga::Event{.saga_id = "s1", .body = saga::AttemptTimedOut{charge}});
  Run();
  Cancel("s1");
  Run();
  mailbox_.push_back(
      saga::Event{.saga_id = "s1", .body = saga::TimerFired{{.kind = saga::TimerKind::kGraceOver, .attempt = charge}}});
  Run();
  Reply("charge", v1::OPERATION_COMPENSATION, 1);
  Run();
  ASSERT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_COMPENSATED);
  InitLogging("test", LogLevel::kError);
  testing::internal::CaptureStderr();
  Reply("charge", v1::OPERATION_ACTION, 1);
  Run();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::AllOf(testing::HasSubstr("after its saga was compensated"), testing::HasSubstr("\"s1\"")));
}

TEST_F(ShardCoreTest, CommandsContinueTheCallersTraceAfterARestartToo) {
  std::vector<std::string> traces;
  world_.on_send = [&](const saga::SendCommand& command) {
    traces.push_back(command.traceparent + " " + command.tracestate);
  };
  StartRequest start = ShardWorld::StartOf("s1");
  start.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
  start.tracestate = "a=1";
  const std::string trace = start.traceparent + " a=1";
  Start(std::move(start));
  Run();
  world_.UseStore(world_.store().Reopen({.inline_done = true}));
  Boot();
  ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
  mailbox_.push_back(saga::Event{
      .saga_id = "s1",
      .body = saga::TimerFired{{.kind = saga::TimerKind::kBackoffOver,
                                .attempt = {.step = "charge", .operation = v1::OPERATION_ACTION, .number = 1}}}});
  Run();
  EXPECT_THAT(traces, ElementsAre(trace, trace));
}

TEST_F(ShardCoreTest, RecoveryReadsOnlyItsSlots) {
  for (int saga = 0; saga < 50; ++saga) Start(ShardWorld::StartOf("s" + std::to_string(saga)));
  Run();
  Boot();
  ASSERT_TRUE(core_->Recover(0, limits::kSlots / 2).ok());
  const size_t lower = core_->resident();
  Boot();
  mailbox_.clear();
  ASSERT_TRUE(core_->Recover(limits::kSlots / 2, limits::kSlots).ok());
  EXPECT_EQ(lower + core_->resident(), 50u);
  EXPECT_GT(lower, 0u);
}

// Writes down what it is told, batches by their size.
class ObservedShardTest : public ShardCoreTest, public ShardObserver {
 protected:
  ObservedShardTest() {
    observer_ = this;
    Boot();
  }
  void OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) override {
    told_.push_back("history of " + record.saga_id() + " from " + std::to_string(history.front().sequence()));
  }
  void OnRecovered(const storage::v1::SagaRecord& record) override { told_.push_back("recovered " + record.saga_id()); }
  void OnExpired(const storage::v1::SagaRecord& record) override { told_.push_back("expired " + record.saga_id()); }
  void OnBatch(size_t events) override { batches_.push_back(events); }
  void OnWord(const SagaWord& word, bool accepted) override {
    told_.push_back(std::string(std::holds_alternative<saga::CancelRequested>(word) ? "cancel " : "other word ") +
                    (accepted ? "accepted" : "refused"));
  }

  std::vector<std::string> told_;
  std::vector<size_t> batches_;
};

TEST_F(ObservedShardTest, IsToldOfWhatIsDurableAndOfEveryWord) {
  world_.store().Hold();
  Start(ShardWorld::StartOf("s1"));
  Run();
  Cancel("s1");
  Run();
  EXPECT_THAT(told_, IsEmpty());
  world_.store().Release();
  Run();
  EXPECT_THAT(told_, ElementsAre("history of s1 from 1", testing::StartsWith("history of s1 from "), "cancel accepted",
                                 testing::StartsWith("history of s1 from ")));
  told_.clear();
  mailbox_.push_back(WordMessage{.saga_id = "s1",
                                 .word = saga::RetryRequested{.parkings = {{.step = "charge", .history_sequence = 1}}},
                                 .done = [](const absl::StatusOr<storage::v1::SagaRecord>&) {}});
  Run();
  EXPECT_THAT(told_, ElementsAre("other word refused")) << "nothing is parked";
  told_.clear();
  Cancel("nobody");
  Run();
  EXPECT_THAT(told_, ElementsAre("cancel refused"));
  told_.clear();
  mailbox_.push_back(ExpireMessage{
      .saga_id = "s1", .ended_by_ms = std::numeric_limits<int64_t>::max(), .done = [](const absl::StatusOr<bool>&) {}});
  Run();
  EXPECT_THAT(told_, ElementsAre("expired s1"));
}

TEST_F(ObservedShardTest, RecoveryTellsOfEverySagaAndTakesThemUpInBatches) {
  const size_t sagas = 2 * limits::kShardBatchMax + 1;
  for (size_t saga = 0; saga < sagas; ++saga) Start(ShardWorld::StartOf("s" + std::to_string(saga)));
  Run();
  told_.clear();
  batches_.clear();
  world_.TakeLog();
  Boot();
  ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
  EXPECT_EQ(told_.size(), sagas);
  EXPECT_THAT(told_, Contains("recovered s0"));
  EXPECT_THAT(batches_, ElementsAre(limits::kShardBatchMax, limits::kShardBatchMax, 1u));
  Run();
  const std::vector<std::string> log = world_.TakeLog();
  EXPECT_EQ(std::count_if(log.begin(), log.end(), [](const std::string& line) { return line.starts_with("publish "); }),
            static_cast<std::ptrdiff_t>(sagas));
}

class UnreadableTest : public ShardCoreTest {
 protected:
  // Three sagas run; one of them is damaged while nobody is there.
  void RestartDamaged(const std::function<void(store::Tables*)>& damage) {
    for (const char* id : {"s1", "s2", "s3"}) Start(ShardWorld::StartOf(id));
    Run();
    world_.UseStore(world_.store().Reopen({.inline_done = true}));
    world_.store().Edit(damage);
    world_.TakeLog();
    starts_.clear();
    Boot();
  }
  void EditRecord(const std::function<void(storage::v1::SagaRecord*)>& edit) {
    RestartDamaged([&](store::Tables* tables) {
      std::string& bytes = (*tables)[store::Column::kSaga].at(store::SagaKey("s2"));
      storage::v1::SagaRecord record;
      ASSERT_TRUE(record.ParseFromString(bytes));
      edit(&record);
      bytes = record.SerializeAsString();
    });
  }
  // The others go on, the damaged one is left as it is.
  void ExpectSteppedOver(const std::string& word) {
    const auto raw = world_.store().GetRaw("s2");
    ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
    Run();
    EXPECT_EQ(core_->resident(), 2u);
    std::vector<std::string> log = world_.TakeLog();
    EXPECT_THAT(log, Contains(testing::StartsWith("unreadable s2 ")));
    EXPECT_THAT(log, Contains(testing::HasSubstr(word)));
    EXPECT_THAT(log, Contains("publish s1 RUNNING"));
    EXPECT_THAT(log, Contains("publish s3 RUNNING"));
    EXPECT_THAT(log, Not(Contains("publish s2 RUNNING")));

    Start(ShardWorld::StartOf("s2"));
    Start(ShardWorld::StartOf("s2", "other"));
    Cancel("s2");
    Reply("charge", v1::OPERATION_ACTION, 1);
    mailbox_.push_back(ShardWorld::ReplyTo("s2", "charge", v1::OPERATION_ACTION, 1, 0));
    mailbox_.push_back(saga::Event{.saga_id = "s2", .body = saga::TimerFired{{.kind = saga::TimerKind::kSagaTimeout}}});
    bool expired = true;
    mailbox_.push_back(ExpireMessage{.saga_id = "s2",
                                     .ended_by_ms = std::numeric_limits<int64_t>::max(),
                                     .done = [&](absl::StatusOr<bool> result) { expired = result.ok() && *result; }});
    Run();
    EXPECT_FALSE(expired);
    for (const absl::Status& status : {starts_.at(0).status(), starts_.at(1).status(), cancels_.at(0).status()}) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_THAT(std::string(status.message()), testing::AllOf(testing::HasSubstr("s2"), testing::HasSubstr(word),
                                                                testing::HasSubstr("tuttictl doctor")));
    }
    EXPECT_THAT(world_.TakeLog(), Contains("send s1 confirm/action#1"));
    EXPECT_EQ(world_.store().GetRaw("s2").status(), raw.status());
    if (raw.ok()) {
      EXPECT_EQ(*world_.store().GetRaw("s2"), *raw) << "nobody writes over it";
    }
  }
};

TEST_F(UnreadableTest, DamagedBytes) {
  RestartDamaged([](store::Tables* tables) { (*tables)[store::Column::kSaga].at(store::SagaKey("s2")).pop_back(); });
  ExpectSteppedOver("damaged");
}

TEST_F(UnreadableTest, TheRecordIsGone) {
  RestartDamaged([](store::Tables* tables) { (*tables)[store::Column::kSaga].erase(store::SagaKey("s2")); });
  ExpectSteppedOver("has no record");
}

TEST_F(UnreadableTest, TheRecordOfAnother) {
  EditRecord([](storage::v1::SagaRecord* record) { record->set_saga_id("s9"); });
  ExpectSteppedOver("of another");
}

TEST_F(UnreadableTest, WhatDoesNotFitItsRecipe) {
  EditRecord([](storage::v1::SagaRecord* record) { record->clear_steps(); });
  ExpectSteppedOver("does not fit");
}

TEST_F(UnreadableTest, WhatHasNoVersion) {
  EditRecord([](storage::v1::SagaRecord* record) { record->clear_version(); });
  ExpectSteppedOver("no version");
}

TEST_F(UnreadableTest, ARevisionThatNeverWas) {
  EditRecord([](storage::v1::SagaRecord* record) { record->set_revision(-1); });
  ExpectSteppedOver("pinned to revision -1");
}

TEST_F(UnreadableTest, WhatNoHeaderCanCarry) {
  EditRecord([](storage::v1::SagaRecord* record) { record->mutable_steps(0)->mutable_action()->set_key("a\n"); });
  ExpectSteppedOver("step charge cannot be continued");
}

TEST_F(UnreadableTest, ARevisionThatIsMissingRefusesTheStart) {
  EditRecord([](storage::v1::SagaRecord* record) { record->set_revision(7); });
  const absl::Status status = core_->Recover(0, limits::kSlots);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("revision 7 of definition two-steps"));
}

TEST_F(UnreadableTest, ANewerVersionIsToBeStartedInstead) {
  EditRecord([](storage::v1::SagaRecord* record) { record->set_version(999); });
  EXPECT_TRUE(absl::IsFailedPrecondition(core_->Recover(0, limits::kSlots)));
}

TEST_F(UnreadableTest, AnEndedSagaThatIsDamagedIsToldOfWhenSomebodyAsks) {
  Start(ShardWorld::StartOf("s1"));
  Cancel("s1");
  Run();
  Run();
  ASSERT_EQ(core_->resident(), 0u);
  world_.store().Edit([](store::Tables* tables) { (*tables)[store::Column::kSaga].begin()->second.pop_back(); });
  world_.TakeLog();
  Start(ShardWorld::StartOf("s1"));
  Run();
  EXPECT_TRUE(absl::IsDataLoss(starts_.at(1).status()));
  EXPECT_THAT(world_.TakeLog(), ElementsAre(testing::StartsWith("unreadable s1 ")));
}

class ExpiryTest : public ShardCoreTest {
 protected:
  void End() {
    Start(ShardWorld::StartOf("s1"));
    Run();
    Reply("charge", v1::OPERATION_ACTION, 1);
    Run();
    Reply("confirm", v1::OPERATION_ACTION, 1);
    Run();
    world_.TakeLog();
  }
  void Expire(int64_t ended_by_ms = kFuture) {
    mailbox_.push_back(
        ExpireMessage{.saga_id = "s1", .ended_by_ms = ended_by_ms, .done = [this](absl::StatusOr<bool> expired) {
                        expired_.push_back(std::move(expired));
                      }});
  }

  static constexpr int64_t kFuture = std::numeric_limits<int64_t>::max();
  std::vector<absl::StatusOr<bool>> expired_;
};

TEST_F(ExpiryTest, AfterItTheIdIsFreeAndANewStartIsAnotherSaga) {
  End();
  const std::string uid = world_.store().GetSaga("s1")->uid();
  Start(ShardWorld::StartOf("s1", "other"));
  Run();
  EXPECT_TRUE(starts_.at(1)->differs);
  Expire();
  Run();
  ASSERT_TRUE(expired_.at(0).ok());
  EXPECT_TRUE(*expired_[0]);
  EXPECT_THAT(world_.TakeLog(), ElementsAre("expired s1"));
  EXPECT_TRUE(absl::IsNotFound(world_.store().GetSaga("s1").status()));
  Cancel("s1");
  Run();
  EXPECT_EQ(ReasonOf(cancels_.at(0).status()), "SAGA_NOT_FOUND");
  Start(ShardWorld::StartOf("s1", "other"));
  Run();
  ASSERT_TRUE(starts_.at(2).ok()) << starts_[2].status();
  EXPECT_FALSE(starts_[2]->already_started);
  EXPECT_NE(starts_[2]->record.uid(), uid);
  EXPECT_EQ(world_.store().GetHistory("s1", 1, 100)->front().sequence(), 1);
}

TEST_F(ExpiryTest, UntilItIsDurableNobodyHearsOfTheSagaOrGetsItsId) {
  End();
  world_.store().Hold();
  Expire();
  Start(ShardWorld::StartOf("s1"));  // in the same batch
  Run();
  Start(ShardWorld::StartOf("s1", "other"));
  Cancel("s1");
  Expire();
  Run();
  for (const absl::Status& status : {starts_.at(1).status(), starts_.at(2).status(), cancels_.at(0).status()}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(ReasonOf(status), "SAGA_EXPIRING");
  }
  ASSERT_EQ(expired_.size(), 1u) << "one expiry is enough";
  EXPECT_FALSE(*expired_[0]);
  world_.store().Release();
  Run();
  EXPECT_TRUE(*expired_.at(1));
  Start(ShardWorld::StartOf("s1"));
  Run();
  EXPECT_FALSE(starts_.at(3)->already_started);
}

TEST_F(ExpiryTest, AStartOfTheSameBatchKeepsItsSaga) {
  End();
  Expire();
  world_.store().Hold();
  Start(ShardWorld::StartOf("s2"));
  Run();
  world_.store().Release();
  Run();
  Start(ShardWorld::StartOf("s1"));
  Expire();
  Run();
  EXPECT_TRUE(starts_.back().ok());
  EXPECT_FALSE(*expired_.back()) << "it runs";
  EXPECT_TRUE(world_.store().GetSaga("s1").ok());
}

TEST_F(ExpiryTest, WhatDoesNotFitItsRecipeStays) {
  End();
  world_.store().Edit([](store::Tables* tables) {
    std::string& bytes = (*tables)[store::Column::kSaga].at(store::SagaKey("s1"));
    storage::v1::SagaRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes));
    record.clear_steps();
    bytes = record.SerializeAsString();
  });
  Expire();
  Run();
  EXPECT_TRUE(absl::IsDataLoss(expired_.at(0).status()));
  EXPECT_THAT(world_.TakeLog(), ElementsAre(testing::StartsWith("unreadable s1 ")));
  EXPECT_TRUE(world_.store().GetRaw("s1").ok());
}

TEST_F(ExpiryTest, WhatIsActiveOrTooYoungOrUnknownStays) {
  Expire();
  Start(ShardWorld::StartOf("s1"));
  Run();
  Expire();
  Run();
  Reply("charge", v1::OPERATION_ACTION, 1);
  Run();
  Reply("confirm", v1::OPERATION_ACTION, 1);
  Run();
  Expire(world_.store().GetSaga("s1")->finished_ms() - 1);
  Run();
  for (const auto& expired : expired_) EXPECT_FALSE(*expired);
  EXPECT_EQ(expired_.size(), 3u);
  Expire(world_.store().GetSaga("s1")->finished_ms());
  Run();
  EXPECT_TRUE(*expired_.back());
}

TEST_F(ExpiryTest, AnEndedSagaThatIsSettlingStays) {
  Start(ShardWorld::StartOf("s1"));
  Run();
  mailbox_.push_back(
      saga::Event{.saga_id = "s1",
                  .body = saga::AttemptTimedOut{{.step = "charge", .operation = v1::OPERATION_ACTION, .number = 1}}});
  Run();
  mailbox_.push_back(saga::Event{
      .saga_id = "s1",
      .body = saga::TimerFired{{.kind = saga::TimerKind::kBackoffOver,
                                .attempt = {.step = "charge", .operation = v1::OPERATION_ACTION, .number = 1}}}});
  Run();
  Reply("charge", v1::OPERATION_ACTION, 2);
  Run();
  Reply("confirm", v1::OPERATION_ACTION, 1);
  Run();
  ASSERT_EQ(world_.store().GetSaga("s1")->state(), v1::SAGA_STATE_SUCCEEDED);
  Expire();
  Run();
  EXPECT_FALSE(*expired_.at(0)) << "attempt 1 of charge may still land";
}

TEST_F(ExpiryTest, AnExpiryThatDidNotEndDurableIsTriedAgainByTheNextProcess) {
  End();
  world_.store().FailNextWrite(absl::InternalError("disk"), /*applied=*/false);
  Expire();
  Run();
  EXPECT_TRUE(absl::IsUnavailable(expired_.at(0).status()));
  EXPECT_EQ(fatal_.size(), 1u);
  Expire();
  Run();
  EXPECT_TRUE(absl::IsUnavailable(expired_.at(1).status()));
  world_.UseStore(world_.store().Reopen({.inline_done = true}));
  Boot();
  ASSERT_TRUE(core_->Recover(0, limits::kSlots).ok());
  Start(ShardWorld::StartOf("s1"));
  Expire();
  Run();
  EXPECT_TRUE(starts_.at(1)->already_started);
  EXPECT_TRUE(*expired_.at(2));
}

// The wall clock jumped, the saga expired early, and its timers and replies are still under way when its id lives
// again.
TEST_F(ExpiryTest, TimersAndRepliesOfTheOldSagaDoNotReachTheNewOne) {
  End();
  const std::string uid = world_.store().GetSaga("s1")->uid();
  Expire();
  Run();
  const saga::AttemptId charge = {.step = "charge", .operation = v1::OPERATION_ACTION, .number = 1};
  const saga::Event reply{.saga_id = "s1", .saga_uid = uid, .body = saga::ReplyReceived{.attempt = charge, .code = 0}};
  const saga::Event timeout{
      .saga_id = "s1", .saga_uid = uid, .body = saga::TimerFired{{.kind = saga::TimerKind::kSagaTimeout}}};
  mailbox_.push_back(timeout);  // nobody has the id
  Run();
  Start(ShardWorld::StartOf("s1"));
  Run();
  const std::string before = world_.store().GetSaga("s1")->SerializeAsString();
  mailbox_.push_back(reply);
  mailbox_.push_back(timeout);
  Run();
  EXPECT_EQ(world_.store().GetSaga("s1")->SerializeAsString(), before);
  saga::Event own = reply;
  own.saga_uid = world_.store().GetSaga("s1")->uid();
  mailbox_.push_back(own);
  Run();
  EXPECT_NE(world_.store().GetSaga("s1")->SerializeAsString(), before);
}

}  // namespace
}  // namespace tutti::shard
