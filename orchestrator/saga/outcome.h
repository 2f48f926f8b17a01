// What one reply means: the outcome table of the semantics, a definition's overrides, and the barrier's marks.
#ifndef TUTTI_ORCHESTRATOR_SAGA_OUTCOME_H_
#define TUTTI_ORCHESTRATOR_SAGA_OUTCOME_H_

#include "absl/strings/string_view.h"
#include "orchestrator/saga/event.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::saga {

inline constexpr StatusCode kOk = 0;
inline constexpr StatusCode kDeadlineExceeded = 4;
inline constexpr StatusCode kInternal = 13;
inline constexpr StatusCode kUnavailable = 14;

// "OK", "FAILED_PRECONDITION", …; "CODE_<n>" for numbers gRPC does not define.
std::string StatusCodeName(StatusCode code);
// -1 for a name gRPC does not define.
StatusCode StatusCodeFromName(absl::string_view name);

// Without overrides. OK is SUCCEEDED; everything that is not a refusal is UNKNOWN.
v1::Outcome DefaultOutcome(StatusCode code);

struct Judgement {
  v1::Outcome outcome = v1::OUTCOME_UNKNOWN;
  // The answer binds the key, not only this attempt: a barrier's mark.
  bool speaks_for_key = false;
  // REJECTED, and the attempt (or key) can have no effect any more.
  bool refused_with_proof = false;
  // A barrier participant answered success without a mark: nobody knows which side of the barrier it is on.
  bool unmarked_success = false;
};

// `verdict` is the mapper's word on the reply message; it matters only for OK.
Judgement Judge(const CommandRecipe& command, v1::Operation operation, const storage::v1::StepRecord& step,
                const ReplyReceived& reply, ReplyVerdict verdict);

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_OUTCOME_H_
