#include "orchestrator/saga/outcome.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/mutation.h"

namespace tutti::saga {
namespace {

constexpr std::array<absl::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

Judgement JudgeMarked(v1::Operation operation, const ReplyReceived& reply, ReplyVerdict verdict) {
  const bool closed = reply.mark == v1::BARRIER_MARK_UNDONE || reply.mark == v1::BARRIER_MARK_EMPTY;
  if (operation == v1::OPERATION_COMPENSATION) {
    // A compensation answered `applied` or `refused` is not something the barrier can say; ask again.
    if (!closed) return {};
    return {.outcome = v1::OUTCOME_SUCCEEDED, .speaks_for_key = true};
  }
  if (reply.mark == v1::BARRIER_MARK_REFUSED || closed) {
    return {.outcome = v1::OUTCOME_REJECTED, .speaks_for_key = true, .refused_with_proof = true};
  }
  // `applied` without a readable reply: the stored reply will come with the next attempt.
  if (reply.code != kOk || verdict == ReplyVerdict::kUndecodable) return {};
  return {.outcome = v1::OUTCOME_SUCCEEDED, .speaks_for_key = true};
}

v1::Outcome TableOutcome(const CommandRecipe& command, const ReplyReceived& reply, ReplyVerdict verdict) {
  if (reply.code == kOk) {
    if (verdict == ReplyVerdict::kUndecodable) return v1::OUTCOME_UNKNOWN;
    return verdict == ReplyVerdict::kRejected ? v1::OUTCOME_REJECTED : v1::OUTCOME_SUCCEEDED;
  }
  const auto override = command.outcomes.find(reply.code);
  return override != command.outcomes.end() ? override->second : DefaultOutcome(reply.code);
}

}  // namespace

std::string StatusCodeName(StatusCode code) {
  if (code >= 0 && code < static_cast<int>(kCodeNames.size())) return std::string(kCodeNames[code]);
  return absl::StrCat("CODE_", code);
}

StatusCode StatusCodeFromName(absl::string_view name) {
  for (size_t code = 0; code < kCodeNames.size(); ++code) {
    if (kCodeNames[code] == name) return static_cast<StatusCode>(code);
  }
  return -1;
}

v1::Outcome DefaultOutcome(StatusCode code) {
  switch (code) {
    case 0:
      return v1::OUTCOME_SUCCEEDED;
    case 3:   // INVALID_ARGUMENT
    case 5:   // NOT_FOUND
    case 6:   // ALREADY_EXISTS
    case 7:   // PERMISSION_DENIED
    case 9:   // FAILED_PRECONDITION
    case 10:  // ABORTED
    case 11:  // OUT_OF_RANGE
    case 12:  // UNIMPLEMENTED
    case 16:  // UNAUTHENTICATED
      return v1::OUTCOME_REJECTED;
    default:
      return v1::OUTCOME_UNKNOWN;
  }
}

Judgement Judge(const CommandRecipe& command, v1::Operation operation, const storage::v1::StepRecord& step,
                const ReplyReceived& reply, ReplyVerdict verdict) {
  if (step.barrier() && reply.mark != v1::BARRIER_MARK_UNSPECIFIED) return JudgeMarked(operation, reply, verdict);
  Judgement judgement;
  judgement.outcome = TableOutcome(command, reply, verdict);
  if (step.barrier()) {
    // OK without a mark is no barrier's answer, whatever its content says or does not say.
    const bool success = reply.code == kOk || judgement.outcome == v1::OUTCOME_SUCCEEDED;
    judgement.unmarked_success = TUTTI_MUTATE(kIgnoreBarrierMark, success, false);
    if (judgement.unmarked_success) judgement.outcome = v1::OUTCOME_UNKNOWN;
    judgement.refused_with_proof =
        TUTTI_MUTATE(kUnmarkedRefusalIsProof, false, judgement.outcome == v1::OUTCOME_REJECTED);
  } else {
    const bool proof = TUTTI_MUTATE(kOpenRefusalIsProof, !step.refusals_open(), true);
    judgement.refused_with_proof = judgement.outcome == v1::OUTCOME_REJECTED && proof;
  }
  return judgement;
}

}  // namespace tutti::saga
