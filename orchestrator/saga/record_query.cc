#include "orchestrator/saga/record_query.h"

#include <algorithm>

namespace tutti::saga {

using storage::v1::CommandRecord;
using storage::v1::SagaRecord;
using storage::v1::StepRecord;

bool IsTerminal(v1::SagaState state) {
  return state == v1::SAGA_STATE_SUCCEEDED || state == v1::SAGA_STATE_COMPENSATED;
}

bool IsSettling(const SagaRecord& record) {
  return std::any_of(record.steps().begin(), record.steps().end(), [](const StepRecord& step) {
    return step.action().open_size() > 0 || step.compensation().open_size() > 0;
  });
}

bool IsActive(const SagaRecord& record) {
  return !IsTerminal(record.state()) || IsSettling(record);
}

bool IsParked(const SagaRecord& record) {
  return std::any_of(record.steps().begin(), record.steps().end(),
                     [](const StepRecord& step) { return step.has_parking(); });
}

bool MayHaveEffect(const StepRecord& step) {
  const CommandRecord& action = step.action();
  return action.succeeded() || action.unmarked_success() || action.effect_possible() || action.open_size() > 0;
}

bool HasAwaitedAttempt(const CommandRecord& command) {
  return std::any_of(command.open().begin(), command.open().end(), [](const storage::v1::OpenAttempt& attempt) {
    return attempt.phase() == storage::v1::ATTEMPT_PHASE_AWAITED;
  });
}

}  // namespace tutti::saga
