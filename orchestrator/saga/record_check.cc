#include "orchestrator/saga/record_check.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::saga {
namespace {

using storage::v1::CommandRecord;
using storage::v1::OpenAttempt;
using storage::v1::SagaRecord;
using storage::v1::StepRecord;

bool IsCommandSound(const CommandRecord& command) {
  if (command.attempts() < 0 || command.budget_start() < 0 || command.budget_start() > command.attempts()) return false;
  std::set<int> numbers;
  int awaited = 0;
  for (const OpenAttempt& attempt : command.open()) {
    if (attempt.number() < 1 || attempt.number() > command.attempts()) return false;
    if (!numbers.insert(attempt.number()).second) return false;
    if (attempt.phase() != storage::v1::ATTEMPT_PHASE_AWAITED &&
        attempt.phase() != storage::v1::ATTEMPT_PHASE_LINGERING) {
      return false;
    }
    awaited += attempt.phase() == storage::v1::ATTEMPT_PHASE_AWAITED ? 1 : 0;
  }
  return awaited <= 1;
}

bool IsStepSound(const StepRecipe& recipe, const StepRecord& step) {
  if (step.name() != recipe.name) return false;
  if (!v1::StepState_IsValid(step.state()) || step.state() == v1::STEP_STATE_UNSPECIFIED) return false;
  if (step.compensation().attempts() > 0 && !recipe.compensation.has_value()) return false;
  return IsCommandSound(step.action()) && IsCommandSound(step.compensation());
}

}  // namespace

absl::Status CheckRecord(const Recipe& recipe, const SagaRecord& record) {
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("the record of saga ", record.saga_id(), " does not fit revision ",
                                            recipe.revision, " of definition ", recipe.definition, ": ", what));
  };
  if (record.uid().empty()) return damaged("it has no uid");
  if (!v1::SagaState_IsValid(record.state()) || record.state() == v1::SAGA_STATE_UNSPECIFIED) {
    return damaged("its state is unknown");
  }
  if (record.steps_size() != static_cast<int>(recipe.steps.size())) return damaged("it has other steps");
  for (int i = 0; i < record.steps_size(); ++i) {
    if (!IsStepSound(recipe.steps[i], record.steps(i))) {
      return damaged(absl::StrCat("step ", recipe.steps[i].name, " cannot be continued"));
    }
  }
  return absl::OkStatus();
}

}  // namespace tutti::saga
