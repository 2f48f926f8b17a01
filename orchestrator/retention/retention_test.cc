#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>

#include "common/limits.h"
#include "orchestrator/retention/sweep_thread.h"
#include "orchestrator/retention/sweeper.h"
#include "orchestrator/shard/shard_world.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::retention {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using Progress = Sweeper::Progress;

constexpr int64_t kDayMs = 24LL * 3600 * 1000;
constexpr int64_t kNowMs = 1000 * kDayMs;
constexpr int64_t kRetentionMs = 14 * kDayMs;

store::SagaWrite Saga(const std::string& id, int64_t finished_ms, v1::SagaState state = v1::SAGA_STATE_SUCCEEDED) {
  store::SagaWrite write;
  write.record.set_version(1);
  write.record.set_saga_id(id);
  write.record.set_uid("uid-" + id);
  write.record.set_definition("two-steps");
  write.record.set_revision(1);
  write.record.set_state(state);
  write.record.set_started_ms(finished_ms == 0 ? 1 : finished_ms - 10);
  write.record.set_finished_ms(finished_ms);
  write.record.set_last_sequence(1);
  write.history.emplace_back().set_sequence(1);
  return write;
}

// A store's ended sagas; the rest is not asked for. Looks fail on demand.
class FailingReader final : public store::SagaReader {
 public:
  explicit FailingReader(const store::SagaReader* reader) : reader_(reader) {}
  absl::StatusOr<store::EndedPage> FindEnded(const store::EndedQuery& query) const override {
    if (failing) return absl::DataLossError("the store is damaged");
    return reader_->FindEnded(query);
  }
  absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view) const override { return Unasked(); }
  absl::StatusOr<std::string> GetRaw(absl::string_view) const override { return Unasked(); }
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view, int64_t, int) const override {
    return Unasked();
  }
  absl::StatusOr<store::ListPage> ListSagas(const store::ListQuery&) const override { return Unasked(); }
  absl::Status ForEachActive(uint32_t, uint32_t, const store::RecordVisitor&,
                             const store::UnreadableVisitor&) const override {
    return Unasked();
  }
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override { return Unasked(); }

  std::atomic<bool> failing{false};

 private:
  static absl::Status Unasked() { return absl::UnimplementedError("not asked for"); }

  const store::SagaReader* const reader_;
};

// A sweeper over a store, whose expiries wait to be answered.
class SweeperTest : public testing::Test {
 protected:
  void Keep(std::vector<store::SagaWrite> sagas) {
    world_.store().Commit({.sagas = std::move(sagas)}, [](store::CommitResult, const absl::Status&) {});
  }
  std::vector<std::string> Asked() {
    std::vector<std::string> ids;
    for (const auto& [id, done] : asked_) ids.push_back(id);
    return ids;
  }
  void AnswerAll() {
    for (auto& [id, done] : std::exchange(asked_, {})) done(true);
  }

  shard::ShardWorld world_{/*inline_done=*/true};
  std::deque<std::pair<std::string, shard::ExpireDone>> asked_;
  std::vector<int64_t> ended_by_;
  FailingReader reader_{&world_.store()};
  Sweeper sweeper_{&reader_,
                   [this](std::string id, int64_t ended_by_ms, shard::ExpireDone done) {
                     asked_.emplace_back(std::move(id), std::move(done));
                     ended_by_.push_back(ended_by_ms);
                   },
                   {.retention_ms = kRetentionMs, .page_size = 3}};
};

TEST_F(SweeperTest, AsksForWhatEndedLongEnoughAgoAndNothingElse) {
  Keep({Saga("old", kNowMs - kRetentionMs), Saga("young", kNowMs - kRetentionMs + 1),
        Saga("running", 0, v1::SAGA_STATE_RUNNING)});
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kDone);
  EXPECT_THAT(Asked(), ElementsAre("old"));
  EXPECT_THAT(ended_by_, ElementsAre(kNowMs - kRetentionMs));
}

TEST_F(SweeperTest, WaitsForTheAnswersOfAPageAndWalksToTheEnd) {
  for (int i = 0; i < 7; ++i) Keep({Saga("s" + std::to_string(i), 1'000 + i)});
  std::vector<std::string> all;
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kMore);
  EXPECT_THAT(Asked(), SizeIs(3));
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kWaiting);
  EXPECT_THAT(Asked(), SizeIs(3));
  Progress progress = Progress::kMore;
  while (progress == Progress::kMore) {
    for (const std::string& id : Asked()) all.push_back(id);
    AnswerAll();
    progress = sweeper_.SweepOnce(kNowMs);
  }
  for (const std::string& id : Asked()) all.push_back(id);
  EXPECT_EQ(progress, Progress::kDone);
  EXPECT_THAT(all, UnorderedElementsAre("s0", "s1", "s2", "s3", "s4", "s5", "s6"));
  AnswerAll();
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kMore) << "nothing went, so the next walk asks again";
}

TEST_F(SweeperTest, AnErrorIsAnAnswerToo) {
  Keep({Saga("a", 1'000)});
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kDone);
  for (auto& [id, done] : std::exchange(asked_, {})) done(absl::UnavailableError("the mailbox is full"));
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kDone);
  EXPECT_THAT(Asked(), ElementsAre("a")) << "asked for again";
}

TEST_F(SweeperTest, AfterALookThatFailedTheWalkBeginsAnew) {
  for (int i = 0; i < 4; ++i) Keep({Saga("s" + std::to_string(i), 1'000 + i)});
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kMore);
  const std::vector<std::string> first = Asked();
  AnswerAll();
  reader_.failing = true;
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kFailed);
  EXPECT_THAT(Asked(), IsEmpty());
  reader_.failing = false;
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kMore);
  EXPECT_EQ(Asked(), first);
}

TEST_F(SweeperTest, ARecordThatIsGoneOrGarbledIsPassedOver) {
  Keep({Saga("a", 2'000), Saga("garbled", 2'500), Saga("gone", 3'000), Saga("z", 4'000)});
  world_.store().Edit([](store::Tables* tables) {
    (*tables)[store::Column::kSaga].at(store::SagaKey("garbled")).pop_back();
    (*tables)[store::Column::kSaga].erase(store::SagaKey("gone"));
  });
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kDone);
  EXPECT_THAT(Asked(), UnorderedElementsAre("a", "z"));
}

TEST_F(SweeperTest, ARecordOfANewerVersionIsPassedOver) {
  storage::v1::SagaRecord newer = Saga("newer", 3'000).record;
  newer.set_version(999);
  Keep({Saga("a", 2'000), {.record = newer}, Saga("z", 4'000)});
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kDone);
  EXPECT_THAT(Asked(), UnorderedElementsAre("a", "z"));
}

TEST_F(SweeperTest, TellsHowFarItIsBehindAndWhenItWasThrough) {
  EXPECT_EQ(sweeper_.StatusAt(kNowMs).overdue_ms, 0);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs).last_finished_ms, 0);
  for (int i = 0; i < 4; ++i) Keep({Saga("s" + std::to_string(i), kNowMs - kRetentionMs - 1'000 * (i + 1))});
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kMore);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs).overdue_ms, 3'000) << "newest starts come first";
  AnswerAll();
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs), Progress::kDone);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs).overdue_ms, 4'000);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs + 60'000).overdue_ms, 64'000) << "it grows while nobody looks";
  EXPECT_EQ(sweeper_.StatusAt(kNowMs + 60'000).last_finished_ms, kNowMs);
  AnswerAll();
  world_.store().Edit([](store::Tables* tables) {
    for (int i = 0; i < 3; ++i) (*tables)[store::Column::kSaga].erase(store::SagaKey("s" + std::to_string(i)));
  });
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs + 60'000), Progress::kDone);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs + 60'000).overdue_ms, 64'000) << "one would not go";
  AnswerAll();
  world_.store().Edit([](store::Tables* tables) { (*tables)[store::Column::kSaga].erase(store::SagaKey("s3")); });
  EXPECT_EQ(sweeper_.SweepOnce(kNowMs + 120'000), Progress::kDone);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs + 120'000).overdue_ms, 0);
  EXPECT_EQ(sweeper_.StatusAt(kNowMs + 120'000).last_finished_ms, kNowMs + 120'000);
}

TEST_F(SweeperTest, AnswersMayComeWhenTheSweeperIsGone) {
  Keep({Saga("a", 2'000)});
  auto sweeper = std::make_unique<Sweeper>(
      &world_.store(),
      [this](std::string id, int64_t, shard::ExpireDone done) { asked_.emplace_back(std::move(id), std::move(done)); },
      Sweeper::Options{.retention_ms = kRetentionMs});
  sweeper->SweepOnce(kNowMs);
  sweeper.reset();
  AnswerAll();
  EXPECT_THAT(Asked(), IsEmpty());
}

// The thread: real time, but every wait is for something that must happen.
class SweepThreadTest : public testing::Test {
 protected:
  struct Always final : Clock {
    int64_t WallMs() const override { return kNowMs; }
    int64_t MonotonicMs() const override { return 0; }
  };

  bool Await(const std::function<bool()>& condition, std::chrono::milliseconds patience = std::chrono::seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    MutexLock lock(&mu_);
    while (!condition()) {
      if (!changed_.WaitUntil(&mu_, deadline)) return condition();
    }
    return true;
  }

  Mutex mu_;
  CondVar changed_;
  int asked_ = 0;
  int looks_ = 0;
  bool busy_ = false;
  Always clock_;
  shard::ShardWorld world_{/*inline_done=*/true};
  FailingReader reader_{&world_.store()};
  bool answers_ = true;
  std::vector<shard::ExpireDone> unanswered_;
  Sweeper sweeper_{&reader_,
                   [this](const std::string&, int64_t, shard::ExpireDone done) {
                     {
                       MutexLock lock(&mu_);
                       ++asked_;
                       changed_.SignalAll();
                       if (!answers_) return unanswered_.push_back(std::move(done));
                     }
                     done(true);
                   },
                   {.retention_ms = kRetentionMs, .page_size = 2}};
  std::function<bool()> looks_around_ = [this] {
    MutexLock lock(&mu_);
    ++looks_;
    changed_.SignalAll();
    return busy_;
  };
};

TEST_F(SweepThreadTest, GivesWayWhileThereIsSomethingBetterToDo) {
  for (int i = 0; i < 5; ++i) {
    world_.store().Commit({.sagas = {Saga("s" + std::to_string(i), 1'000 + i)}},
                          [](store::CommitResult, const absl::Status&) {});
  }
  busy_ = true;
  SweepThread thread(&sweeper_, &clock_, looks_around_, {.interval_ms = 60'000, .pause_ms = 1});
  ASSERT_TRUE(Await([this] { return looks_ >= 5; }));
  {
    MutexLock lock(&mu_);
    EXPECT_EQ(asked_, 0);
    busy_ = false;
  }
  EXPECT_TRUE(Await([this] { return asked_ == 5; }));
}

TEST_F(SweepThreadTest, LooksAgainSoonWhileShardsWorkOnAPage) {
  for (int i = 0; i < 3; ++i) {
    world_.store().Commit({.sagas = {Saga("s" + std::to_string(i), 1'000 + i)}},
                          [](store::CommitResult, const absl::Status&) {});
  }
  answers_ = false;
  SweepThread thread(&sweeper_, &clock_, looks_around_, {.interval_ms = 24LL * 3600 * 1000, .pause_ms = 1});
  ASSERT_TRUE(Await([this] { return asked_ == 2; }));
  int looks = 0;
  {
    MutexLock lock(&mu_);
    looks = looks_;
  }
  ASSERT_TRUE(Await([this, looks] { return looks_ >= looks + 3; })) << "while it waits";
  std::vector<shard::ExpireDone> unanswered;
  {
    MutexLock lock(&mu_);
    EXPECT_EQ(asked_, 2);
    unanswered.swap(unanswered_);
    answers_ = true;
  }
  for (const auto& done : unanswered) done(true);
  EXPECT_TRUE(Await([this] { return asked_ == 3; }));
}

TEST_F(SweepThreadTest, AStoreThatCannotBeReadIsLeftInPeaceForAWhile) {
  reader_.failing = true;
  SweepThread thread(&sweeper_, &clock_, looks_around_, {.interval_ms = 24LL * 3600 * 1000, .pause_ms = 1});
  ASSERT_TRUE(Await([this] { return looks_ >= 1; }));
  EXPECT_FALSE(Await([this] { return looks_ >= 2; }, std::chrono::milliseconds(100)));
}

TEST_F(SweepThreadTest, SaysWhenAWalkIsOver) {
  for (int i = 0; i < 3; ++i) {
    world_.store().Commit({.sagas = {Saga("s" + std::to_string(i), 1'000 + i)}},
                          [](store::CommitResult, const absl::Status&) {});
  }
  std::vector<int> asked_at_end;
  SweepThread thread(&sweeper_, &clock_, looks_around_,
                     {.interval_ms = 24LL * 3600 * 1000, .pause_ms = 1, .on_walk_over = [&] {
                        MutexLock lock(&mu_);
                        asked_at_end.push_back(asked_);
                        changed_.SignalAll();
                      }});
  ASSERT_TRUE(Await([&] { return !asked_at_end.empty(); }));
  thread.Stop();
  EXPECT_THAT(asked_at_end, ElementsAre(3)) << "once, after its last page";
}

TEST_F(SweepThreadTest, StopsInTheMiddleOfItsRest) {
  SweepThread thread(&sweeper_, &clock_, looks_around_, {.interval_ms = 24LL * 3600 * 1000, .pause_ms = 1});
  ASSERT_TRUE(Await([this] { return looks_ >= 1; }));
  EXPECT_FALSE(Await([this] { return looks_ >= 2; }, std::chrono::milliseconds(100))) << "it rests";
  thread.Stop();
  EXPECT_EQ(looks_, 1);
}

}  // namespace
}  // namespace tutti::retention
