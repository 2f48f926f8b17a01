// Rows that go, and what is answered when they are gone.
#include "participants/sdk/inbox_expiry.h"

#include <future>
#include <memory>
#include <string>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/participant_server.h"
#include "participants/sdk/test_directory.h"

namespace tutti::participant {
namespace {

using google::protobuf::StringValue;
using Progress = InboxSweeper::Progress;

constexpr int64_t kDayMs = 24LL * 3600 * 1000;
constexpr int64_t kLifeMs = 10 * kDayMs;
constexpr int64_t kBornMs = 1'000 * kDayMs;

class InboxExpiryTest : public testing::Test {
 protected:
  InboxExpiryTest() { Reopen(); }

  void Reopen() {
    sweeper_.reset();
    committer_.reset();
    db_.reset();
    absl::StatusOr<std::unique_ptr<LocalDb>> db = LocalDb::Open(directory_.path());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    committer_ = std::make_unique<Committer>(db_.get());
    UseSweeper({});
  }

  void UseSweeper(InboxSweeper::Options options) {
    options.life_ms = kLifeMs;
    options.on_expired = [this](size_t rows) { expired_ += rows; };
    sweeper_ = std::make_unique<InboxSweeper>(db_.get(), committer_.get(), options);
  }

  struct Result {
    absl::Status status;
    Mark mark = Mark::kNone;
  };

  // One command at wall time now_ms, of a step that was born at step_born_ms.
  Result Send(const std::string& uid, Operation operation, int64_t step_born_ms, int64_t now_ms) {
    CommandContext context;
    context.saga_id = "saga";
    context.saga_uid = uid;
    context.step = "step";
    context.operation = operation;
    context.idempotency_key = uid + "/step/" + std::string(ToString(operation));
    context.key_born_ms = operation == Operation::kAction ? step_born_ms : now_ms;
    context.step_born_ms = step_born_ms;
    StringValue reply;
    Command command;
    command.method = "test.Service/Method";
    command.reply = &reply;
    if (operation == Operation::kAction) {
      command.action = [this](WriteView&, const CommandContext&, std::string*) {
        ++effects_;
        return absl::OkStatus();
      };
    } else {
      command.inverse = [this](WriteView&, absl::string_view) {
        --effects_;
        return absl::OkStatus();
      };
    }
    Answer answer;
    Do([&](Transaction& transaction) {
      answer = RunBehindBarrier(transaction, context, command, now_ms);
      return answer.keep;
    });
    return {answer.status, answer.mark};
  }
  Result Act(const std::string& uid, int64_t born_ms, int64_t now_ms) {
    return Send(uid, Operation::kAction, born_ms, now_ms);
  }
  Result Undo(const std::string& uid, int64_t step_born_ms, int64_t now_ms) {
    return Send(uid, Operation::kCompensation, step_born_ms, now_ms);
  }

  void Do(std::function<bool(Transaction&)> run) {
    std::promise<void> done;
    committer_->Post({std::move(run), [&] { done.set_value(); }});
    done.get_future().wait();
  }

  // A whole walk; how many calls it took.
  int Sweep(int64_t now_ms) {
    for (int calls = 1;; ++calls) {
      const absl::StatusOr<Progress> progress = sweeper_->SweepOnce(now_ms);
      EXPECT_TRUE(progress.ok()) << progress.status();
      Do([](Transaction&) { return false; });  // whatever the sweeper posted is done by then
      if (!progress.ok() || *progress == Progress::kDone) return calls;
    }
  }

  int Rows() {
    int rows = 0;
    const absl::Status status = db_->InboxSnapshot()->Scan("", "", [&](absl::string_view key, absl::string_view) {
      rows += key.find('/') != absl::string_view::npos ? 1 : 0;
      return true;
    });
    EXPECT_TRUE(status.ok());
    return rows;
  }

  TestDirectory directory_;
  std::unique_ptr<LocalDb> db_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<InboxSweeper> sweeper_;
  int effects_ = 0;  // applied and not undone
  size_t expired_ = 0;
};

TEST_F(InboxExpiryTest, RowsGoAtTheEndOfTheirLifeCountedFromTheLastWrite) {
  Act("old", kBornMs, kBornMs);
  Act("undone", kBornMs, kBornMs);
  Undo("undone", kBornMs, kBornMs + kDayMs);
  Sweep(kBornMs + kLifeMs - 1);
  EXPECT_EQ(Rows(), 2);
  Sweep(kBornMs + kLifeMs);
  EXPECT_EQ(Rows(), 1);
  EXPECT_EQ(expired_, 1u);
  EXPECT_EQ(Undo("undone", kBornMs, kBornMs + kLifeMs).mark, Mark::kUndone);
  Sweep(kBornMs + kDayMs + kLifeMs);
  EXPECT_EQ(Rows(), 0);
}

TEST_F(InboxExpiryTest, RowExpiredBeforeTheLastRetryIsNotTakenForAFirstCommand) {
  EXPECT_EQ(Act("a", kBornMs, kBornMs).mark, Mark::kApplied);
  Sweep(kBornMs + kLifeMs);
  for (int i = 0; i < 2; ++i) {
    const Result late = Act("a", kBornMs, kBornMs + kLifeMs + 1);
    EXPECT_TRUE(absl::IsUnavailable(late.status)) << late.status;
    EXPECT_EQ(late.mark, Mark::kNone);
    Reopen();
  }
  EXPECT_EQ(effects_, 1);
  EXPECT_EQ(Rows(), 0);
}

// The reply of the action was lost and its saga took its time to come to the undo: "empty" would be a lie.
TEST_F(InboxExpiryTest, YoungCompensationOfAnExpiredRowIsNoTombstone) {
  Act("a", kBornMs, kBornMs);
  Sweep(kBornMs + kLifeMs);
  const Result undo = Undo("a", kBornMs, kBornMs + kLifeMs + 1);
  EXPECT_TRUE(absl::IsUnavailable(undo.status)) << undo.status;
  EXPECT_EQ(undo.mark, Mark::kNone);
  EXPECT_EQ(Rows(), 0);
}

TEST_F(InboxExpiryTest, AnOldCommandOfAnInboxThatForgotNothingIsAnswered) {
  EXPECT_EQ(Undo("a", kBornMs, kBornMs + 100 * kDayMs).mark, Mark::kEmpty);
  EXPECT_EQ(Act("b", kBornMs, kBornMs + 100 * kDayMs).mark, Mark::kApplied);
}

TEST_F(InboxExpiryTest, YoungerCommandsGoOnAsBefore) {
  Act("a", kBornMs, kBornMs);
  Sweep(kBornMs + kLifeMs);
  const int64_t now_ms = kBornMs + kLifeMs;
  EXPECT_TRUE(absl::IsUnavailable(Act("skewed", kBornMs + kClockSkewMsMax, now_ms).status));
  EXPECT_EQ(Act("b", kBornMs + kClockSkewMsMax + 1, now_ms).mark, Mark::kApplied);
  EXPECT_EQ(Undo("c", now_ms, now_ms).mark, Mark::kEmpty);
}

TEST_F(InboxExpiryTest, AClockThatJumpsAheadAndBackAppliesNothingTwice) {
  Act("a", kBornMs, kBornMs);
  Sweep(kBornMs + 1'000 * kDayMs);
  EXPECT_EQ(Rows(), 0);
  EXPECT_TRUE(absl::IsUnavailable(Act("a", kBornMs, kBornMs + 1).status)) << "the clock is right again";
  EXPECT_EQ(effects_, 1);
  EXPECT_EQ(Act("b", kBornMs + kClockSkewMsMax + 1, kBornMs + kClockSkewMsMax + 1).mark, Mark::kApplied);
}

TEST_F(InboxExpiryTest, WalksInBitesAndForgetsEveryRow) {
  UseSweeper({.scan_max = 10, .batch_max = 3});
  for (int i = 0; i < 20; ++i) Act("old" + std::to_string(i), kBornMs, kBornMs);
  for (int i = 0; i < 20; ++i) Act("young" + std::to_string(i), kBornMs, kBornMs + kDayMs);
  EXPECT_GE(Sweep(kBornMs + kLifeMs), 20 / 3);
  EXPECT_EQ(Rows(), 20);
  EXPECT_EQ(expired_, 20u);
  Sweep(kBornMs + kDayMs + kLifeMs);
  EXPECT_EQ(Rows(), 0);
}

TEST_F(InboxExpiryTest, ACommandThatComesFirstKeepsItsRow) {
  Act("a", kBornMs, kBornMs);
  const int64_t now_ms = kBornMs + kLifeMs;
  // The committer is kept busy until the sweeper has chosen its row and the undo stands before it.
  std::promise<void> go;
  committer_->Post({[released = go.get_future().share()](Transaction&) {
                      released.wait();
                      return false;
                    },
                    [] {}});
  Result undone;
  std::promise<void> undo_done;
  StringValue reply;
  Command command;
  command.method = "test.Service/Method";
  command.reply = &reply;
  command.inverse = [](WriteView&, absl::string_view) { return absl::OkStatus(); };
  CommandContext context;
  context.saga_id = "saga";
  context.saga_uid = "a";
  context.step = "step";
  context.operation = Operation::kCompensation;
  context.idempotency_key = "a/step/compensation";
  context.step_born_ms = kBornMs;
  committer_->Post({[&](Transaction& transaction) {
                      const Answer answer = RunBehindBarrier(transaction, context, command, now_ms);
                      undone = {answer.status, answer.mark};
                      return answer.keep;
                    },
                    [&] { undo_done.set_value(); }});
  ASSERT_TRUE(sweeper_->SweepOnce(now_ms).ok());
  EXPECT_EQ(*sweeper_->SweepOnce(now_ms), Progress::kWaiting);
  go.set_value();
  undo_done.get_future().wait();
  Do([](Transaction&) { return false; });
  EXPECT_EQ(undone.mark, Mark::kUndone);
  EXPECT_EQ(Rows(), 1);
  EXPECT_EQ(expired_, 0u);
}

TEST(InboxLifeTest, AMemoryShorterThanTheCommandHorizonIsRefused) {
  TestDirectory directory;
  ParticipantOptions options;
  options.data_dir = directory.path();
  options.inbox_life_ms = 7 * kDayMs;
  const auto server = ParticipantServer::Start({.name = "test"}, options);
  ASSERT_TRUE(absl::IsInvalidArgument(server.status())) << server.status();
  EXPECT_NE(std::string(server.status().message()).find("--inbox-life-days"), std::string::npos);
}

}  // namespace
}  // namespace tutti::participant
