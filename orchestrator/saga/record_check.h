// Whether a record that was read back can be stepped at all: the state machine aborts on one that cannot, because a
// record it made itself always can.
#ifndef TUTTI_ORCHESTRATOR_SAGA_RECORD_CHECK_H_
#define TUTTI_ORCHESTRATOR_SAGA_RECORD_CHECK_H_

#include "absl/status/status.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::saga {

// DATA_LOSS says what does not fit the recipe it is pinned to; whoever read it knows which saga it is.
absl::Status CheckRecord(const Recipe& recipe, const storage::v1::SagaRecord& record);

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_RECORD_CHECK_H_
