// The barrier table once more, through a real committer and a real database.
#include "participants/sdk/inbox.h"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "participants/sdk/committer.h"
#include "participants/sdk/test_directory.h"

namespace tutti::participant {
namespace {

using google::protobuf::StringValue;

constexpr char kDomainKey[] = "effect";

struct Result {
  absl::Status status;
  Mark mark;
  std::string reply;
};

// A service with one effect: the action writes "on" and answers "did:<request>", the inverse writes "off" and answers
// "undid:<reference>". Requests steer how it ends.
class InboxTest : public testing::Test {
 protected:
  InboxTest() { Reopen(); }

  void Reopen() {
    committer_.reset();
    db_.reset();
    absl::StatusOr<std::unique_ptr<LocalDb>> db = LocalDb::Open(directory_.path());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    committer_ = std::make_unique<Committer>(db_.get());
  }

  static CommandContext Context(Operation operation, StepKind kind = StepKind::kCompensatable) {
    CommandContext context;
    context.saga_id = "saga";
    context.saga_uid = "uid";
    context.step = "step";
    context.kind = kind;
    context.operation = operation;
    context.idempotency_key = operation == Operation::kAction ? "uid/step/action" : "uid/step/compensation";
    return context;
  }

  Result Act(const std::string& request = "do", StepKind kind = StepKind::kCompensatable) {
    return Send(Context(Operation::kAction, kind), request);
  }
  Result Compensate(const std::string& request = "undo") { return Send(Context(Operation::kCompensation), request); }

  Result Send(const CommandContext& context, const std::string& request) {
    StringValue reply;
    Command command;
    command.method = "test.Service/Method";
    command.request = request;
    command.reply = &reply;
    if (context.operation == Operation::kAction) {
      command.action = [&](WriteView& view, const CommandContext&, std::string* undo_reference) {
        ++action_runs_;
        view.Put(kDomainKey, "on");
        if (request == "refuse") return FinalRefusal(absl::FailedPreconditionError("no"));
        if (request == "error") return absl::InternalError("broken");
        *undo_reference = "reference";
        reply.set_value("did:" + request);
        return absl::OkStatus();
      };
    } else {
      command.inverse = [&](WriteView& view, absl::string_view undo_reference) {
        ++inverse_runs_;
        view.Put(kDomainKey, "off");
        if (fail_inverse_) return absl::UnavailableError("later");
        reply.set_value("undid:" + std::string(undo_reference));
        return absl::OkStatus();
      };
    }
    Answer answer;
    std::promise<void> done;
    committer_->Post({[&](Transaction& transaction) {
                        answer = RunBehindBarrier(transaction, context, command, 1);
                        return answer.keep;
                      },
                      [&] { done.set_value(); }});
    done.get_future().wait();
    return {answer.status, answer.mark, reply.value()};
  }

  std::string Effect() const { return db_->Snapshot()->Get(kDomainKey)->value_or("none"); }

  TestDirectory directory_;
  std::unique_ptr<LocalDb> db_;
  std::unique_ptr<Committer> committer_;
  std::atomic<int> action_runs_{0};
  std::atomic<int> inverse_runs_{0};
  std::atomic<bool> fail_inverse_{false};
};

TEST_F(InboxTest, ActionOnNothingIsAppliedOnceAndAnsweredAsStoredAfterwards) {
  for (int i = 0; i < 3; ++i) {
    const Result result = Act();
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.mark, Mark::kApplied);
    EXPECT_EQ(result.reply, "did:do");
    Reopen();
  }
  EXPECT_EQ(action_runs_, 1);
  EXPECT_EQ(Effect(), "on");
}

TEST_F(InboxTest, FinalRefusalIsStoredWithoutTheRefusedActionsWrites) {
  for (const StepKind kind : {StepKind::kCompensatable, StepKind::kPivot}) {
    const Result result = Act("refuse", kind);
    EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(result.status.message(), "no");
    EXPECT_EQ(result.mark, Mark::kRefused);
    Reopen();
  }
  EXPECT_EQ(action_runs_, 1);
  EXPECT_EQ(Effect(), "none");
}

TEST_F(InboxTest, PivotRefusalIsStored) {
  EXPECT_EQ(Act("refuse", StepKind::kPivot).mark, Mark::kRefused);
  EXPECT_EQ(Act("refuse", StepKind::kPivot).mark, Mark::kRefused);
  EXPECT_EQ(action_runs_, 1);
}

TEST_F(InboxTest, RetriableRefusalIsNotStored) {
  for (int i = 0; i < 2; ++i) {
    const Result result = Act("refuse", StepKind::kRetriable);
    EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(result.mark, Mark::kNone);
  }
  EXPECT_EQ(action_runs_, 2);
  EXPECT_EQ(Effect(), "none");
}

TEST_F(InboxTest, OtherErrorsRollBackUnmarked) {
  for (int i = 0; i < 2; ++i) {
    const Result result = Act("error");
    EXPECT_EQ(result.status.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(result.mark, Mark::kNone);
  }
  EXPECT_EQ(action_runs_, 2);
  EXPECT_EQ(Effect(), "none");
  EXPECT_EQ(Act("do").mark, Mark::kApplied) << "nothing may be bound to the key yet";
}

TEST_F(InboxTest, CompensationUndoesByTheRowAndIsAnsweredAsStoredAfterwards) {
  Act();
  for (int i = 0; i < 3; ++i) {
    const Result result = Compensate();
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.mark, Mark::kUndone);
    EXPECT_EQ(result.reply, "undid:reference");
    Reopen();
  }
  EXPECT_EQ(inverse_runs_, 1);
  EXPECT_EQ(Effect(), "off");
}

TEST_F(InboxTest, ActionAfterItsUndoIsAborted) {
  Act();
  Compensate();
  const Result result = Act();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(result.mark, Mark::kUndone);
  EXPECT_EQ(Effect(), "off");
}

TEST_F(InboxTest, CompensationOfNothingLeavesATombstoneThatStopsTheAction) {
  for (int i = 0; i < 2; ++i) {
    const Result result = Compensate();
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.mark, Mark::kEmpty);
    EXPECT_EQ(result.reply, "");
    Reopen();
  }
  const Result late = Act();
  EXPECT_EQ(late.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(late.mark, Mark::kEmpty);
  EXPECT_EQ(action_runs_, 0);
  EXPECT_EQ(inverse_runs_, 0);
  EXPECT_EQ(Effect(), "none");
}

TEST_F(InboxTest, CompensationOfARefusedActionIsEmpty) {
  Act("refuse");
  EXPECT_EQ(Compensate().mark, Mark::kEmpty);
  const Result late = Act("refuse");
  EXPECT_EQ(late.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(late.mark, Mark::kEmpty);
}

TEST_F(InboxTest, FailingInverseRollsBackUnmarkedAndCanBeTriedAgain) {
  Act();
  fail_inverse_ = true;
  const Result failed = Compensate();
  EXPECT_EQ(failed.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failed.mark, Mark::kNone);
  EXPECT_EQ(Effect(), "on");
  fail_inverse_ = false;
  EXPECT_EQ(Compensate().mark, Mark::kUndone);
  EXPECT_EQ(Effect(), "off");
}

TEST_F(InboxTest, SameKeyWithOtherBytesIsRefusedUnmarked) {
  Act("do");
  const Result action = Act("do something else");
  EXPECT_EQ(action.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(action.mark, Mark::kNone);
  Compensate("undo");
  const Result compensation = Compensate("undo something else");
  EXPECT_EQ(compensation.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(compensation.mark, Mark::kNone);
  EXPECT_EQ(Compensate("undo").mark, Mark::kUndone);
}

TEST_F(InboxTest, AnotherKeyForTheSameCommandIsRefusedUnmarked) {
  Act();
  CommandContext context = Context(Operation::kAction);
  context.idempotency_key = "another";
  const Result result = Send(context, "do");
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(result.mark, Mark::kNone);
}

TEST_F(InboxTest, AReusedSagaIdWithANewUidIsAnotherSaga) {
  Act();
  CommandContext context = Context(Operation::kAction);
  context.saga_uid = "uid-2";
  EXPECT_EQ(Send(context, "do").mark, Mark::kApplied);
  EXPECT_EQ(action_runs_, 2);
}

TEST_F(InboxTest, MethodMustFitTheOperation) {
  StringValue reply;
  Command inverse_only{"test.Service/Undo", "undo", &reply, nullptr,
                       [](WriteView&, absl::string_view) { return absl::OkStatus(); }};
  Transaction transaction(*db_);
  const Answer answer = RunBehindBarrier(transaction, Context(Operation::kAction), inverse_only, 1);
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(answer.mark, Mark::kNone);
  EXPECT_TRUE(transaction.empty());
}

// Whoever comes first: in the end nothing is left, and every answer tells the same story.
TEST_F(InboxTest, ActionAndCompensationAtTheSameTimeNeverBothPass) {
  for (int round = 0; round < 200; ++round) {
    CommandContext action = Context(Operation::kAction);
    CommandContext compensation = Context(Operation::kCompensation);
    action.saga_uid = compensation.saga_uid = "uid-" + std::to_string(round);
    const int applied_before = action_runs_;
    const int undone_before = inverse_runs_;
    std::vector<Result> acted(2);
    Result compensated;
    std::thread first([&] { acted[0] = Send(action, "do"); });
    std::thread second([&] { acted[1] = Send(action, "do"); });
    std::thread third([&] { compensated = Send(compensation, "undo"); });
    first.join();
    second.join();
    third.join();
    ASSERT_TRUE(compensated.status.ok());
    EXPECT_EQ(action_runs_ - applied_before, inverse_runs_ - undone_before) << "an effect is left, or undone twice";
    const bool applied = action_runs_ > applied_before;
    EXPECT_EQ(compensated.mark, applied ? Mark::kUndone : Mark::kEmpty);
    for (const Result& result : acted) {
      const Mark late = applied ? Mark::kUndone : Mark::kEmpty;
      EXPECT_EQ(result.mark, result.status.ok() ? Mark::kApplied : late);
    }
  }
}

}  // namespace
}  // namespace tutti::participant
