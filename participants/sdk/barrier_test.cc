#include "participants/sdk/barrier.h"

#include <vector>

#include "gtest/gtest.h"

namespace tutti::participant {
namespace {

struct TableRow {
  Operation operation;
  RowState state;
  Verdict verdict;
  Mark mark;
};

TEST(Barrier, EveryRowOfTheTable) {
  const std::vector<TableRow> table = {
      {Operation::kAction, RowState::kNothing, Verdict::kApply, Mark::kNone},
      {Operation::kAction, RowState::kApplied, Verdict::kAnswerAsStored, Mark::kApplied},
      {Operation::kAction, RowState::kRefused, Verdict::kAnswerAsStored, Mark::kRefused},
      {Operation::kAction, RowState::kUndone, Verdict::kAbort, Mark::kUndone},
      {Operation::kAction, RowState::kEmpty, Verdict::kAbort, Mark::kEmpty},
      {Operation::kCompensation, RowState::kApplied, Verdict::kUndo, Mark::kNone},
      {Operation::kCompensation, RowState::kNothing, Verdict::kStoreTombstone, Mark::kEmpty},
      {Operation::kCompensation, RowState::kRefused, Verdict::kStoreTombstone, Mark::kEmpty},
      {Operation::kCompensation, RowState::kUndone, Verdict::kAnswerAsStored, Mark::kUndone},
      {Operation::kCompensation, RowState::kEmpty, Verdict::kAnswerAsStored, Mark::kEmpty},
  };
  for (const TableRow& row : table) {
    const Decision decision =
        Decide({row.state, "a", "c"}, row.operation, row.operation == Operation::kAction ? "a" : "c");
    EXPECT_EQ(decision.verdict, row.verdict) << ToString(row.operation) << static_cast<int>(row.state);
    EXPECT_EQ(decision.mark, row.mark) << ToString(row.operation) << static_cast<int>(row.state);
  }
}

TEST(Barrier, AnotherRequestUnderTheSameKeyIsAMismatchInEveryState) {
  for (const RowState state : {RowState::kApplied, RowState::kRefused, RowState::kUndone, RowState::kEmpty}) {
    for (const Operation operation : {Operation::kAction, Operation::kCompensation}) {
      const Decision decision = Decide({state, "a", "c"}, operation, "other");
      EXPECT_EQ(decision.verdict, Verdict::kMismatch);
      EXPECT_EQ(decision.mark, Mark::kNone);
    }
  }
}

TEST(Barrier, AnActionAfterATombstoneIsAbortedThoughItsRequestWasNeverSeen) {
  EXPECT_EQ(Decide({RowState::kEmpty, "", "c"}, Operation::kAction, "a").verdict, Verdict::kAbort);
}

TEST(Barrier, SettlesActions) {
  for (const StepKind kind : {StepKind::kCompensatable, StepKind::kPivot, StepKind::kRetriable}) {
    const Settlement done = SettleAction(kind, HandlerEnd::kDone);
    EXPECT_TRUE(done.store);
    EXPECT_EQ(done.next_state, RowState::kApplied);
    EXPECT_EQ(done.mark, Mark::kApplied);
    const Settlement error = SettleAction(kind, HandlerEnd::kError);
    EXPECT_FALSE(error.store);
    EXPECT_EQ(error.mark, Mark::kNone);
    const Settlement refusal = SettleAction(kind, HandlerEnd::kFinalRefusal);
    EXPECT_EQ(refusal.store, kind != StepKind::kRetriable);
    EXPECT_EQ(refusal.mark, kind != StepKind::kRetriable ? Mark::kRefused : Mark::kNone);
  }
}

TEST(Barrier, OnlyAnInverseThatWorkedIsStored) {
  EXPECT_EQ(SettleInverse(HandlerEnd::kDone).next_state, RowState::kUndone);
  EXPECT_EQ(SettleInverse(HandlerEnd::kDone).mark, Mark::kUndone);
  EXPECT_FALSE(SettleInverse(HandlerEnd::kError).store);
  EXPECT_FALSE(SettleInverse(HandlerEnd::kFinalRefusal).store);
  EXPECT_EQ(SettleInverse(HandlerEnd::kFinalRefusal).mark, Mark::kNone);
}

}  // namespace
}  // namespace tutti::participant
