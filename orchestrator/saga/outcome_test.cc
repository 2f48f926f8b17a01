#include "orchestrator/saga/outcome.h"

#include <gtest/gtest.h>

#include <set>

namespace tutti::saga {
namespace {

storage::v1::StepRecord StepWith(bool barrier, bool refusals_open = false) {
  storage::v1::StepRecord step;
  step.set_barrier(barrier);
  step.set_refusals_open(refusals_open);
  return step;
}

Judgement JudgeCode(absl::string_view code, const storage::v1::StepRecord& step,
                    v1::BarrierMark mark = v1::BARRIER_MARK_UNSPECIFIED, v1::Operation operation = v1::OPERATION_ACTION,
                    ReplyVerdict verdict = ReplyVerdict::kAccepted, const CommandRecipe& command = {}) {
  ReplyReceived reply;
  reply.code = StatusCodeFromName(code);
  reply.mark = mark;
  return Judge(command, operation, step, reply, verdict);
}

TEST(OutcomeTest, TableNamesExactlyTheRefusals) {
  const std::set<std::string> refusals = {"INVALID_ARGUMENT",  "NOT_FOUND",       "ALREADY_EXISTS",
                                          "PERMISSION_DENIED", "UNAUTHENTICATED", "ABORTED",
                                          "OUT_OF_RANGE",      "UNIMPLEMENTED",   "FAILED_PRECONDITION"};
  for (StatusCode code = 1; code <= 16; ++code) {
    const bool refusal = refusals.contains(StatusCodeName(code));
    EXPECT_EQ(DefaultOutcome(code), refusal ? v1::OUTCOME_REJECTED : v1::OUTCOME_UNKNOWN) << StatusCodeName(code);
    EXPECT_EQ(StatusCodeFromName(StatusCodeName(code)), code);
  }
  EXPECT_EQ(DefaultOutcome(0), v1::OUTCOME_SUCCEEDED);
  EXPECT_EQ(DefaultOutcome(99), v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(StatusCodeFromName("TEAPOT"), -1);
}

TEST(OutcomeTest, PlainRefusalIsProofUnlessRefusalsAreOpen) {
  EXPECT_TRUE(JudgeCode("ABORTED", StepWith(false)).refused_with_proof);
  const Judgement open = JudgeCode("ABORTED", StepWith(false, true));
  EXPECT_EQ(open.outcome, v1::OUTCOME_REJECTED);
  EXPECT_FALSE(open.refused_with_proof);
}

TEST(OutcomeTest, UnmarkedRefusalOfABarrierParticipantIsNoProof) {
  const Judgement judgement = JudgeCode("ABORTED", StepWith(true));
  EXPECT_EQ(judgement.outcome, v1::OUTCOME_REJECTED);
  EXPECT_FALSE(judgement.refused_with_proof);
  EXPECT_FALSE(judgement.speaks_for_key);
}

TEST(OutcomeTest, UnmarkedSuccessOfABarrierParticipantIsFlagged) {
  for (const v1::Operation operation : {v1::OPERATION_ACTION, v1::OPERATION_COMPENSATION}) {
    const Judgement judgement = JudgeCode("OK", StepWith(true), v1::BARRIER_MARK_UNSPECIFIED, operation);
    EXPECT_TRUE(judgement.unmarked_success);
    EXPECT_EQ(judgement.outcome, v1::OUTCOME_UNKNOWN);
  }
}

TEST(OutcomeTest, MarkedAnswerIsWhatItsMarkSays) {
  CommandRecipe command;
  command.outcomes[StatusCodeFromName("FAILED_PRECONDITION")] = v1::OUTCOME_UNKNOWN;
  const Judgement refused = JudgeCode("FAILED_PRECONDITION", StepWith(true), v1::BARRIER_MARK_REFUSED,
                                      v1::OPERATION_ACTION, ReplyVerdict::kAccepted, command);
  EXPECT_EQ(refused.outcome, v1::OUTCOME_REJECTED);
  EXPECT_TRUE(refused.refused_with_proof && refused.speaks_for_key);
  // `rejected_when` does not outvote the barrier.
  EXPECT_EQ(
      JudgeCode("OK", StepWith(true), v1::BARRIER_MARK_APPLIED, v1::OPERATION_ACTION, ReplyVerdict::kRejected).outcome,
      v1::OUTCOME_SUCCEEDED);
  for (const v1::BarrierMark mark : {v1::BARRIER_MARK_UNDONE, v1::BARRIER_MARK_EMPTY}) {
    EXPECT_TRUE(JudgeCode("ABORTED", StepWith(true), mark).refused_with_proof);
    EXPECT_EQ(JudgeCode("OK", StepWith(true), mark, v1::OPERATION_COMPENSATION).outcome, v1::OUTCOME_SUCCEEDED);
  }
}

TEST(OutcomeTest, MarksThatMakeNoSenseAreUnknown) {
  EXPECT_EQ(JudgeCode("OK", StepWith(true), v1::BARRIER_MARK_APPLIED, v1::OPERATION_COMPENSATION).outcome,
            v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(JudgeCode("INTERNAL", StepWith(true), v1::BARRIER_MARK_APPLIED).outcome, v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(JudgeCode("OK", StepWith(true), v1::BARRIER_MARK_APPLIED, v1::OPERATION_ACTION, ReplyVerdict::kUndecodable)
                .outcome,
            v1::OUTCOME_UNKNOWN);
}

TEST(OutcomeTest, MarksOfParticipantsNotDeclaredBarrierCountForNothing) {
  const Judgement judgement = JudgeCode("OK", StepWith(false), v1::BARRIER_MARK_REFUSED);
  EXPECT_EQ(judgement.outcome, v1::OUTCOME_SUCCEEDED);
  EXPECT_FALSE(judgement.speaks_for_key);
}

TEST(OutcomeTest, RepliesAreReadAndOverridesHold) {
  const auto plain = StepWith(false);
  EXPECT_EQ(JudgeCode("OK", plain, {}, v1::OPERATION_ACTION, ReplyVerdict::kRejected).outcome, v1::OUTCOME_REJECTED);
  EXPECT_EQ(JudgeCode("OK", plain, {}, v1::OPERATION_ACTION, ReplyVerdict::kUndecodable).outcome, v1::OUTCOME_UNKNOWN);
  CommandRecipe command;
  command.outcomes[StatusCodeFromName("NOT_FOUND")] = v1::OUTCOME_SUCCEEDED;
  EXPECT_EQ(JudgeCode("NOT_FOUND", plain, {}, v1::OPERATION_COMPENSATION, ReplyVerdict::kAccepted, command).outcome,
            v1::OUTCOME_SUCCEEDED);
}

}  // namespace
}  // namespace tutti::saga
