#include "participants/sdk/barrier.h"

#include "common/mutation.h"

namespace tutti::participant {
namespace {

Decision DecideAction(RowState state) {
  switch (state) {
    case RowState::kNothing:
      return {Verdict::kApply};
    case RowState::kApplied:
      return {Verdict::kAnswerAsStored, Mark::kApplied};
    case RowState::kRefused:
      return {Verdict::kAnswerAsStored, Mark::kRefused};
    case RowState::kUndone:
      return TUTTI_MUTATE(kForgottenUndo, (Decision{Verdict::kAbort, Mark::kUndone}), Decision{Verdict::kApply});
    case RowState::kEmpty:
      return {Verdict::kAbort, Mark::kEmpty};
  }
  return {Verdict::kAbort};
}

Decision DecideCompensation(RowState state) {
  switch (state) {
    case RowState::kApplied:
      return {Verdict::kUndo};
    case RowState::kNothing:
    case RowState::kRefused:
      return {TUTTI_MUTATE(kSkipTombstone, Verdict::kStoreTombstone, Verdict::kAnswerAsStored), Mark::kEmpty};
    case RowState::kUndone:
      return {Verdict::kAnswerAsStored, Mark::kUndone};
    case RowState::kEmpty:
      return {Verdict::kAnswerAsStored, Mark::kEmpty};
  }
  return {Verdict::kAbort};
}

}  // namespace

Decision Decide(const RowView& row, Operation operation, absl::string_view digest) {
  const bool action = operation == Operation::kAction;
  const absl::string_view known = action ? row.action_digest : row.compensation_digest;
  if (!known.empty() && known != digest) return {Verdict::kMismatch};
  return action ? DecideAction(row.state) : DecideCompensation(row.state);
}

Settlement SettleAction(StepKind kind, HandlerEnd end) {
  if (end == HandlerEnd::kDone) return {true, RowState::kApplied, Mark::kApplied};
  // A retriable action has to get through in the end, so no refusal of it may ever be bound to the key.
  if (end == HandlerEnd::kFinalRefusal && kind != StepKind::kRetriable) {
    return {true, RowState::kRefused, Mark::kRefused};
  }
  return {};
}

Settlement SettleInverse(HandlerEnd end) {
  if (end == HandlerEnd::kDone) return {true, RowState::kUndone, Mark::kUndone};
  return {};
}

absl::string_view ToString(Operation operation) {
  return operation == Operation::kAction ? "action" : "compensation";
}

absl::string_view ToString(Mark mark) {
  switch (mark) {
    case Mark::kNone:
      return "";
    case Mark::kApplied:
      return "applied";
    case Mark::kRefused:
      return "refused";
    case Mark::kUndone:
      return "undone";
    case Mark::kEmpty:
      return "empty";
  }
  return "";
}

}  // namespace tutti::participant
