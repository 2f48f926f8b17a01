// The barrier's decisions as pure functions: no I/O, no clock, no protos, so that a model checker can drive them. The
// rules are the barrier table of the semantics: per (saga uid, step) an action and its compensation meet in one row,
// and whichever comes second finds what the first left.
#ifndef TUTTI_PARTICIPANTS_SDK_BARRIER_H_
#define TUTTI_PARTICIPANTS_SDK_BARRIER_H_

#include "absl/strings/string_view.h"

namespace tutti::participant {

enum class Operation { kAction, kCompensation };
enum class StepKind { kCompensatable, kPivot, kRetriable };

// What the trailing metadata `tutti-barrier` says. kNone: the answer is unmarked and proves nothing.
enum class Mark { kNone, kApplied, kRefused, kUndone, kEmpty };

enum class RowState { kNothing, kApplied, kRefused, kUndone, kEmpty };

// The part of an inbox row that decides. A digest is empty while its operation was never answered for good.
struct RowView {
  RowState state = RowState::kNothing;
  absl::string_view action_digest;
  absl::string_view compensation_digest;
};

enum class Verdict {
  kApply,           // run the action, then ask SettleAction
  kUndo,            // run the inverse, then ask SettleInverse
  kStoreTombstone,  // store kEmpty, answer OK
  kAnswerAsStored,  // of this operation
  kAbort,           // refuse with ABORTED: the compensation came first
  kMismatch,        // refuse with INVALID_ARGUMENT: same key, other request
};

struct Decision {
  Verdict verdict;
  Mark mark = Mark::kNone;  // of the answer; kApply and kUndo get theirs from the settlement
};

// `digest` stands for the whole request, key and method included.
Decision Decide(const RowView& row, Operation operation, absl::string_view digest);

// How the service's own code ended. A final refusal is one that the same request would meet for ever.
enum class HandlerEnd { kDone, kFinalRefusal, kError };

struct Settlement {
  bool store = false;  // the row, with next_state, in the domain change's transaction; otherwise everything rolls back
  RowState next_state = RowState::kNothing;
  Mark mark = Mark::kNone;
};

Settlement SettleAction(StepKind kind, HandlerEnd end);
Settlement SettleInverse(HandlerEnd end);

absl::string_view ToString(Operation operation);
absl::string_view ToString(Mark mark);  // as on the wire; empty for kNone

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_BARRIER_H_
