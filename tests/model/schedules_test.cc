// The schedules that broke earlier drafts of the semantics, each told in the model's world, which checks every
// invariant after every move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "common/clock.h"
#include "orchestrator/shard/shard_world.h"
#include "participants/sdk/barrier.h"
#include "tests/model/story.h"

namespace tutti::model {
namespace {

using enum ServiceKind;

constexpr v1::StepKind kPivot = v1::STEP_KIND_PIVOT;
constexpr v1::StepKind kRetriable = v1::STEP_KIND_RETRIABLE;
constexpr Bounds kTrouble = {.faults = 9, .crashes = 0, .cancels = 1, .words = 3};
constexpr Bounds kTroubleAndACrash = {.faults = 9, .crashes = 1, .cancels = 1, .words = 3};

constexpr v1::SagaState kRunning = v1::SAGA_STATE_RUNNING;
constexpr v1::SagaState kSucceededSaga = v1::SAGA_STATE_SUCCEEDED;
constexpr v1::SagaState kCompensatingSaga = v1::SAGA_STATE_COMPENSATING;
constexpr v1::SagaState kCompensatedSaga = v1::SAGA_STATE_COMPENSATED;

TEST(Schedules, CancelBetweenThePivotsIntentAndItsAnswer) {
  Story story({.steps = {{.name = "p", .service = kKeyed, .kind = kPivot}}, .bounds = kTrouble, .saga_timeout = true});
  EXPECT_TRUE(story.Ask({EventKind::kCancel}).refused) << "the intent alone closes the door";
  story.Play({"hand over p/action#1", "land p/action#1: OK, applied"});
  EXPECT_TRUE(story.Ask({EventKind::kCancel}).refused);
  EXPECT_FALSE(story.Offers("timer saga timeout"));
  story.Play({"reply p/action#1 OK"});
  EXPECT_EQ(story.state(), kSucceededSaga);
}

TEST(Schedules, PivotAppliedNextAttemptRefusedByAMesh) {
  Story story({.steps = {{.name = "p", .service = kKeyed, .kind = kPivot, .open = true}}, .bounds = kTrouble});
  story.Play({"hand over p/action#1", "land p/action#1: OK, applied", "lose reply of p/action#1",
              "timed out p/action#1", "timer backoff", "hand over p/action#2", "refused on the way p/action#2",
              "reply p/action#2 FAILED_PRECONDITION"});
  EXPECT_EQ(story.state(), kRunning) << "a refusal of one attempt says nothing of the other";
  EXPECT_TRUE(story.facts().parked);
  story.Play({"timer grace p/action#1", "timer grace p/action#2", "resolve p as DONE"});
  EXPECT_EQ(story.state(), kSucceededSaga);
}

TEST(Schedules, SiblingInFlightAndAppliedWhenAnotherBranchAborts) {
  Story story({.steps = {{.name = "a", .service = kKeyed}, {.name = "b"}}, .bounds = kTrouble});
  story.Play({"hand over a/action#1", "hand over b/action#1", "land b/action#1: FAILED_PRECONDITION",
              "reply b/action#1 FAILED_PRECONDITION"});
  EXPECT_EQ(story.state(), kCompensatingSaga) << "a may yet be applied";
  EXPECT_FALSE(story.Offers("hand over a/compensation#1"));
  story.Play({"land a/action#1: OK, applied", "reply a/action#1 OK", "hand over a/compensation#1"});
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(0), 0);
}

TEST(Schedules, AttemptOpenAtACrashNextOneRefusedByAMesh) {
  Story story({.steps = {{.name = "a", .service = kKeyed, .open = true}}, .bounds = kTroubleAndACrash});
  story.Play({"hand over a/action#1", "land a/action#1: OK, applied", "crash", "timer backoff", "hand over a/action#2",
              "refused on the way a/action#2", "reply a/action#2 FAILED_PRECONDITION"});
  EXPECT_EQ(story.state(), kCompensatingSaga) << "attempt 1 is not forgotten";
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(0), 0);
}

TEST(Schedules, AttemptTimedOutThenACrashThenItLands) {
  Story story({.steps = {{.name = "a", .service = kKeyed}}, .bounds = kTroubleAndACrash});
  story.Play({"hand over a/action#1", "timed out a/action#1", "crash", "timer backoff", "hand over a/action#2",
              "land a/action#2: FAILED_PRECONDITION", "reply a/action#2 FAILED_PRECONDITION"});
  EXPECT_EQ(story.state(), kCompensatingSaga);
  EXPECT_FALSE(story.Offers("hand over a/compensation#1")) << "the grace of attempt 1 began anew";
  story.Play({"land a/action#1: OK, applied", "timer grace a/action#1"});
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(0), 0);
}

TEST(Schedules, SuccessLandsAfterAnEmptyCompensation) {
  Story story({.steps = {{.name = "a"}}, .bounds = kTrouble});
  story.Play({"hand over a/action#1", "cancel", "hand over a/compensation#1", "land a/compensation#1: OK mark=EMPTY",
              "reply a/compensation#1 OK mark=EMPTY"});
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_FALSE(story.Offers("land a/action#1: OK")) << "the tombstone is in its way";
  story.Play({"land a/action#1: ABORTED mark=EMPTY"});
  EXPECT_EQ(story.effect(0), 0);
}

TEST(Schedules, ASecondCompensationRefundsTwice) {
  Story story({.steps = {{.name = "a", .service = kKeyed}}, .bounds = kTrouble});
  story.Play({"hand over a/action#1", "land a/action#1: OK, applied", "cancel", "reply a/action#1 OK",
              "hand over a/compensation#1", "land a/compensation#1: OK, undone", "lose reply of a/compensation#1",
              "timed out a/compensation#1", "timer backoff", "hand over a/compensation#2",
              "land a/compensation#2: OK"});
  EXPECT_EQ(story.effect(0), 0) << "it was the same command, by its key";
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(0), 0);
}

TEST(Schedules, PutStyleActionASecondAttemptLandsAfterTheUndo) {
  Story story({.steps = {{.name = "a", .service = kPut}}, .bounds = kTrouble});
  story.Play({"hand over a/action#1", "timed out a/action#1", "timer backoff", "hand over a/action#2",
              "land a/action#2: OK, applied", "cancel", "reply a/action#2 OK"});
  EXPECT_FALSE(story.Offers("hand over a/compensation#1")) << "attempt 1 could put it again";
  EXPECT_FALSE(story.Offers("timer grace a/action#1"));
  story.Play({"land a/action#1: OK", "reply a/action#1 OK", "hand over a/compensation#1"});
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(0), 0);
}

TEST(Schedules, DuplicatedCallOneCopyRefusedUnmarkedTheOtherApplied) {
  for (const ServiceKind service : {kKeyed, kBarrier}) {
    Story story({.steps = {{.name = "a", .service = service, .open = true}}, .bounds = kTrouble});
    story.Play({"hand over a/action#1", "duplicate a/action#1", "refused on the way a/action#1", "land a/action#1: OK",
                "reply a/action#1 FAILED_PRECONDITION"});
    EXPECT_EQ(story.effect(0), 1);
    EXPECT_EQ(story.state(), kCompensatingSaga) << "the refusal proves nothing";
    story.LetItEnd();
    EXPECT_EQ(story.state(), kCompensatedSaga);
    EXPECT_EQ(story.effect(0), 0);
  }
}

TEST(Schedules, RetriableBesideACompensatableThatFails) {
  Story story({.steps = {{.name = "a", .service = kKeyed}, {.name = "r", .kind = kRetriable}}, .bounds = kTrouble});
  EXPECT_FALSE(story.Offers("hand over r/action#1")) << "it waits for the commit point, whatever `after` says";
  story.Play({"hand over a/action#1", "land a/action#1: FAILED_PRECONDITION", "reply a/action#1 FAILED_PRECONDITION"});
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(1), 0);
}

TEST(Schedules, OrderAcrossAStepWithoutCompensation) {
  Story story({.steps = {{.name = "a"}, {.name = "n", .after = {0}, .undo = false}, {.name = "b", .after = {1}}},
               .bounds = kTrouble});
  story.Play({"hand over a/action#1", "land a/action#1: OK", "reply a/action#1 OK", "hand over n/action#1",
              "land n/action#1: OK", "reply n/action#1 OK", "hand over b/action#1", "land b/action#1: OK", "cancel"});
  EXPECT_FALSE(story.Offers("hand over a/compensation#1")) << "n stands between, but b comes after a all the same";
  story.Play({"hand over b/compensation#1", "land b/compensation#1: OK mark=UNDONE"});
  EXPECT_FALSE(story.Offers("hand over a/compensation#1"));
  story.Play({"reply b/compensation#1 OK mark=UNDONE", "hand over a/compensation#1"});
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
}

TEST(Schedules, TwoBranchesParkOneIsResolved) {
  Story story({.steps = {{.name = "a", .service = kKeyed, .kind = kRetriable},
                         {.name = "b", .service = kKeyed, .kind = kRetriable}},
               .bounds = kTrouble});
  for (const char* attempt : {"a/action#1", "b/action#1", "a/action#2", "b/action#2"}) {
    const std::string name = attempt;
    if (!story.Offers("hand over " + name)) story.Play({name[0] == 'a' ? "timer backoff a" : "timer backoff b"});
    story.Play({("hand over " + name).c_str(), ("land " + name + ": FAILED_PRECONDITION").c_str(),
                ("reply " + name + " FAILED_PRECONDITION").c_str()});
  }
  EXPECT_TRUE(story.facts().steps[0].parked && story.facts().steps[1].parked);
  story.Play({"retry by operator", "hand over a/action#3", "land a/action#3: OK, applied", "reply a/action#3 OK"});
  EXPECT_EQ(story.facts().steps[0].state, v1::STEP_STATE_SUCCEEDED);
  EXPECT_TRUE(story.facts().steps[1].parked) << "one word ends one parking";
  EXPECT_TRUE(story.facts().parked);
  EXPECT_EQ(story.state(), kRunning);
  story.Play({"retry by operator"});
  story.LetItEnd();
  EXPECT_EQ(story.state(), kSucceededSaga);
}

TEST(Schedules, RetriableRefusedForEver) {
  Story story({.steps = {{.name = "r", .service = kKeyed, .kind = kRetriable}}, .bounds = kTrouble});
  story.Play({"hand over r/action#1", "land r/action#1: FAILED_PRECONDITION", "reply r/action#1", "timer backoff",
              "hand over r/action#2", "land r/action#2: FAILED_PRECONDITION", "reply r/action#2"});
  EXPECT_TRUE(story.facts().parked) << "it neither spins for ever nor aborts";
  EXPECT_EQ(story.state(), kRunning);
}

TEST(Schedules, RetriableRefusedAfterAnUnknown) {
  Story story({.steps = {{.name = "r", .service = kKeyed, .kind = kRetriable}}, .bounds = kTrouble});
  story.Play({"hand over r/action#1", "land r/action#1: UNAVAILABLE", "reply r/action#1", "timer backoff",
              "hand over r/action#2", "land r/action#2: FAILED_PRECONDITION", "reply r/action#2"});
  EXPECT_EQ(story.state(), kRunning);
  EXPECT_FALSE(story.facts().parked);
  story.LetItEnd();
  EXPECT_EQ(story.state(), kSucceededSaga);
}

TEST(Schedules, OperatorResolvesByHandWhileAnAttemptCanLand) {
  Story story({.steps = {{.name = "p", .service = kKeyed, .kind = kPivot}}, .bounds = kTrouble});
  story.Play({"hand over p/action#1", "timed out p/action#1", "timer backoff", "hand over p/action#2",
              "land p/action#2: UNAVAILABLE", "reply p/action#2 UNAVAILABLE"});
  EXPECT_TRUE(story.facts().parked);
  EXPECT_TRUE(story.Ask({EventKind::kResolveUndone}).refused) << "attempt 1 can still land";
  EXPECT_TRUE(story.Ask({EventKind::kResolveDone}).refused);
  story.Play({"land p/action#1: OK, applied", "timer grace p/action#1", "timer grace p/action#2", "resolve p as DONE"});
  EXPECT_EQ(story.state(), kSucceededSaga);
  EXPECT_EQ(story.effect(0), 1);
}

TEST(Schedules, ActionAndCompensationConcurrentUnderSnapshotIsolation) {
  // Both lock one row: the loser of the lock is answered UNAVAILABLE without a mark, and meets what the winner left.
  for (const bool undo_wins : {true, false}) {
    Story story({.steps = {{.name = "a"}}, .bounds = kTrouble});
    story.Play({"hand over a/action#1", "cancel", "hand over a/compensation#1", "duplicate a/action#1",
                "land a/action#1: UNAVAILABLE"});
    if (undo_wins) {
      story.Play({"land a/compensation#1: OK mark=EMPTY", "land a/action#1: ABORTED mark=EMPTY"});
    } else {
      story.Play({"land a/action#1: OK mark=APPLIED, applied", "land a/compensation#1: OK mark=UNDONE, undone"});
    }
    story.LetItEnd();
    EXPECT_EQ(story.state(), kCompensatedSaga);
    EXPECT_EQ(story.effect(0), 0);
  }
}

TEST(Schedules, StoredRefusalAnswersEveryOperatorRetry) {
  const participant::Settlement settlement =
      participant::SettleAction(participant::StepKind::kRetriable, participant::HandlerEnd::kFinalRefusal);
  EXPECT_FALSE(settlement.store) << "a stored refusal would meet every retry";
  Story story({.steps = {{.name = "r", .kind = kRetriable}}, .bounds = kTrouble});
  story.Play({"hand over r/action#1", "land r/action#1: FAILED_PRECONDITION", "reply r/action#1", "timer backoff",
              "hand over r/action#2", "land r/action#2: FAILED_PRECONDITION", "reply r/action#2", "retry by operator",
              "hand over r/action#3", "land r/action#3: OK mark=APPLIED, applied"});
  story.LetItEnd();
  EXPECT_EQ(story.state(), kSucceededSaga);
}

TEST(Schedules, CompensationsRequestDiffersAfterALateReply) {
  Story story({.steps = {{.name = "a"}}, .bounds = kTroubleAndACrash});
  story.Play({"hand over a/action#1", "land a/action#1: OK mark=APPLIED, applied", "cancel",
              "hand over a/compensation#1", "reply a/action#1 OK mark=APPLIED"});
  EXPECT_TRUE(story.record().steps(0).has_reply()) << "the late success is recorded";
  EXPECT_EQ(story.record().steps(0).compensation().request(), "uid/a/compensation")
      << "but what was sent is mapped once";
  story.Play({"crash", "timer backoff", "hand over a/compensation#2"});
  EXPECT_EQ(story.record().steps(0).compensation().request(), "uid/a/compensation");
  story.LetItEnd();
  EXPECT_EQ(story.state(), kCompensatedSaga);
}

TEST(Schedules, OldReplicaWithoutBarrierNewOneWithIt) {
  Story story({.steps = {{.name = "a", .service = kOldReplica}}, .bounds = kTrouble});
  story.Play({"hand over a/action#1", "land a/action#1: OK, applied", "reply a/action#1 OK"});
  EXPECT_TRUE(story.facts().parked) << "an OK without a mark tells of a replica that does not speak the barrier";
  EXPECT_EQ(story.state(), kRunning);
}

TEST(Schedules, CallQueuedInAConnectingChannelLeavesAfterTheAbort) {
  Story story({.steps = {{.name = "a", .service = kKeyed}, {.name = "b"}}, .bounds = kTrouble});
  EXPECT_TRUE(story.Offers("hand over a/action#1"));
  story.Play({"hand over b/action#1", "land b/action#1: FAILED_PRECONDITION", "reply b/action#1"});
  EXPECT_FALSE(story.Offers("hand over a/action#1"));
  story.Play({"not sent a/action#1"});
  EXPECT_EQ(story.state(), kCompensatedSaga);
  EXPECT_EQ(story.effect(0), 0);
}

// The rest turns on clocks, ids and sequence numbers, which the model takes out: the state machine by itself.
class ByHand {
 public:
  explicit ByHand(const Scenario& scenario) : recipe_(MakeRecipe(scenario)) {}

  template <typename Body>
  saga::Decision Step(Body body) {
    return machine_.Step(recipe_, {.saga_id = "s", .now_ms = now_ms, .random = 42, .body = std::move(body)}, &record);
  }

  int64_t now_ms = 1'000'000;
  storage::v1::SagaRecord record;

 private:
  const Traits traits_;
  const saga::Recipe recipe_;
  const saga::StateMachine machine_{saga::Settings{}, &traits_};
};

saga::AttemptId ActionOf(const std::string& step, int number) {
  return {.step = step, .operation = v1::OPERATION_ACTION, .number = number};
}

template <typename Effect>
std::optional<Effect> FirstOf(const saga::Decision& decision) {
  for (const saga::Effect& effect : decision.effects) {
    if (std::holds_alternative<Effect>(effect)) return std::get<Effect>(effect);
  }
  return std::nullopt;
}

std::optional<saga::SetTimer> TimerOf(const saga::Decision& decision, saga::TimerKind kind) {
  for (const saga::Effect& effect : decision.effects) {
    const auto* timer = std::get_if<saga::SetTimer>(&effect);
    if (timer != nullptr && timer->timer.kind == kind) return *timer;
  }
  return std::nullopt;
}

TEST(Schedules, ClockJumpsAheadWhileAnAttemptCanLand) {
  ByHand hand({.steps = {{.name = "a", .service = kKeyed}}});
  hand.Step(saga::StartRequested{.uid = "uid"});
  hand.Step(saga::AttemptTimedOut{ActionOf("a", 1)});
  hand.now_ms += 365LL * 24 * 3600 * 1000;
  const saga::Decision recovered = hand.Step(saga::Recovered{});
  const std::optional<saga::SetTimer> grace = TimerOf(recovered, saga::TimerKind::kGraceOver);
  ASSERT_TRUE(grace.has_value());
  EXPECT_EQ(grace->delay_ms, 15'000) << "the grace begins anew in full, whatever the wall clock says";
  hand.Step(saga::CancelRequested{});
  EXPECT_EQ(hand.record.state(), kCompensatingSaga);
  EXPECT_FALSE(hand.record.steps(0).has_compensation());
}

TEST(Schedules, InboxRowExpiredBeforeTheLastRetry) {
  ByHand hand({.steps = {{.name = "r", .kind = kRetriable}}});
  hand.Step(saga::StartRequested{.uid = "uid"});
  hand.Step(saga::ReplyReceived{.attempt = ActionOf("r", 1), .code = 14});
  hand.now_ms += saga::Settings{}.command_horizon_ms + 1;
  const saga::Decision late = hand.Step(saga::TimerFired{
      {.kind = saga::TimerKind::kBackoffOver, .attempt = ActionOf("r", hand.record.steps(0).action().backoffs())}});
  EXPECT_FALSE(FirstOf<saga::SendCommand>(late).has_value()) << "the participant may have forgotten the key";
  EXPECT_EQ(hand.record.steps(0).parking().cause(), v1::PARKING_CAUSE_HORIZON);
}

// The inbox that forgot the row does not call it empty, so the undo is tried until its own key is too old, and then
// says that somebody must look.
TEST(Schedules, CompensationOfAnExpiredRowAfterAKnownSuccess) {
  ByHand hand({.steps = {{.name = "a"}, {.name = "b"}}});
  hand.Step(saga::StartRequested{.uid = "uid"});
  const int64_t born_ms = hand.now_ms;
  hand.Step(saga::ReplyReceived{.attempt = ActionOf("a", 1), .mark = v1::BARRIER_MARK_APPLIED});
  hand.now_ms += 30LL * 24 * 3600 * 1000;
  const auto undo = FirstOf<saga::SendCommand>(hand.Step(saga::CancelRequested{}));
  ASSERT_TRUE(undo.has_value());
  EXPECT_EQ(undo->key_born_ms, hand.now_ms);
  EXPECT_EQ(undo->step_born_ms, born_ms) << "by this the participant knows that its memory does not reach back";
  hand.Step(saga::ReplyReceived{.attempt = undo->attempt, .code = 14});
  hand.now_ms += saga::Settings{}.command_horizon_ms + 1;
  saga::AttemptId backoff = undo->attempt;
  backoff.number = hand.record.steps(0).compensation().backoffs();
  hand.Step(saga::TimerFired{{.kind = saga::TimerKind::kBackoffOver, .attempt = backoff}});
  EXPECT_EQ(hand.record.state(), kCompensatingSaga);
  EXPECT_EQ(hand.record.steps(0).parking().cause(), v1::PARKING_CAUSE_HORIZON);
}

TEST(Schedules, IdReusedAfterRetention) {
  shard::ShardWorld world(/*inline_done=*/true);
  std::vector<saga::SendCommand> sent;
  world.on_send = [&](const saga::SendCommand& command) { sent.push_back(command); };
  std::deque<shard::Message> mailbox;
  shard::ShardCore core(
      world.context(), 1, [&](shard::Message message) { mailbox.push_back(std::move(message)); },
      [](const absl::Status& detail) { FAIL() << detail; });
  const auto process = [&](shard::Message message) {
    mailbox.push_back(std::move(message));
    while (!mailbox.empty()) {
      std::vector<shard::Message> batch;
      batch.push_back(std::move(mailbox.front()));
      mailbox.pop_front();
      core.Process(std::move(batch));
    }
  };
  const auto start = [&](const std::string& content) {
    absl::StatusOr<shard::StartResult> answer;
    process(
        shard::StartMessage{.request = shard::ShardWorld::StartOf("s1", content),
                            .done = [&](absl::StatusOr<shard::StartResult> result) { answer = std::move(result); }});
    return answer;
  };
  const auto first = start("one");
  ASSERT_TRUE(first.ok()) << first.status();
  for (const char* step : {"charge", "confirm"}) {
    process(shard::ShardWorld::ReplyTo("s1", step, v1::OPERATION_ACTION, 1, 0));
  }
  EXPECT_TRUE(start("one")->already_started);
  EXPECT_TRUE(start("two")->differs);
  const saga::Event late{
      .saga_id = "s1", .saga_uid = first->record.uid(), .body = saga::ReplyReceived{.attempt = ActionOf("charge", 1)}};
  process(shard::ExpireMessage{.saga_id = "s1",
                               .ended_by_ms = world.store().GetSaga("s1")->finished_ms(),
                               .done = [](const absl::StatusOr<bool>& expired) { EXPECT_TRUE(*expired); }});
  const auto second = start("two");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(second->already_started);
  EXPECT_NE(second->record.uid(), first->record.uid());
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_NE(sent[0].key, sent[2].key) << "or the inbox would answer the new saga with the old one's outcome";
  EXPECT_NE(sent[0].saga_uid, sent[2].saga_uid);
  process(late);
  EXPECT_EQ(sent.size(), 3u) << "what the old saga still hears of is not taken for the new one's";
}

TEST(Schedules, StaleRetrySagaHitsALaterParking) {
  ByHand hand({.steps = {{.name = "r", .service = kKeyed, .kind = kRetriable}}});
  hand.Step(saga::StartRequested{.uid = "uid"});
  const auto refuse_until_parked = [&] {
    while (!hand.record.steps(0).has_parking()) {
      const storage::v1::CommandRecord& action = hand.record.steps(0).action();
      hand.Step(saga::ReplyReceived{.attempt = ActionOf("r", action.attempts()), .code = 9});
      hand.Step(saga::TimerFired{{.kind = saga::TimerKind::kBackoffOver, .attempt = ActionOf("r", action.backoffs())}});
    }
    return hand.record.steps(0).parking().history_sequence();
  };
  const int64_t earlier = refuse_until_parked();
  hand.Step(saga::RetryRequested{.parkings = {{.step = "r", .history_sequence = earlier}}});
  const int64_t later = refuse_until_parked();
  EXPECT_GT(later, earlier);
  const saga::Decision stale =
      hand.Step(saga::RetryRequested{.parkings = {{.step = "r", .history_sequence = earlier}}});
  EXPECT_FALSE(stale.answer.ok());
  EXPECT_STREQ(stale.reason, "PARKING_STALE");
  EXPECT_TRUE(hand.record.steps(0).has_parking());
}

TEST(Schedules, StartRepeatedAfterANewRevisionWasApplied) {
  shard::ShardWorld world(/*inline_done=*/true);
  std::deque<shard::Message> mailbox;
  shard::ShardCore core(
      world.context(), 1, [&](shard::Message message) { mailbox.push_back(std::move(message)); },
      [](const absl::Status& detail) { FAIL() << detail; });
  std::vector<shard::StartResult> results;
  for (const int64_t revision : {1, 2}) {
    shard::StartRequest request = shard::ShardWorld::StartOf("s1", "the same as sent");
    request.revision = revision;  // what the definition's name means by now
    if (revision == 2) request.validation = absl::InvalidArgumentError("the new revision would not take this input");
    mailbox.emplace_back(
        shard::StartMessage{.request = request, .done = [&](absl::StatusOr<shard::StartResult> result) {
                              ASSERT_TRUE(result.ok()) << result.status();
                              results.push_back(*std::move(result));
                            }});
    while (!mailbox.empty()) {
      std::vector<shard::Message> batch;
      batch.push_back(std::move(mailbox.front()));
      mailbox.pop_front();
      core.Process(std::move(batch));
    }
  }
  ASSERT_EQ(results.size(), 2u);
  EXPECT_FALSE(results[0].already_started);
  EXPECT_TRUE(results[1].already_started);
  EXPECT_EQ(results[1].record.uid(), results[0].record.uid());
  EXPECT_EQ(results[1].record.revision(), 1) << "a saga is pinned to the revision it started with";
}

}  // namespace
}  // namespace tutti::model
