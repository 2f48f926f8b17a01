// Questions about a saga's record that rules, stores and readers ask alike.
#ifndef TUTTI_ORCHESTRATOR_SAGA_RECORD_QUERY_H_
#define TUTTI_ORCHESTRATOR_SAGA_RECORD_QUERY_H_

#include "tutti/storage/v1/record.pb.h"

namespace tutti::saga {

// SUCCEEDED and COMPENSATED absorb.
bool IsTerminal(v1::SagaState state);

// An attempt may still land, so replies and grace timers still matter; a terminal saga may be settling too.
bool IsSettling(const storage::v1::SagaRecord& record);

// Recovery must read this record: it is not terminal, or it is settling.
bool IsActive(const storage::v1::SagaRecord& record);

bool IsParked(const storage::v1::SagaRecord& record);

// Some attempt of the action with a durable intent is neither refused with proof nor known never to have been sent.
bool MayHaveEffect(const storage::v1::StepRecord& step);

// An attempt whose reply decides what comes next.
bool HasAwaitedAttempt(const storage::v1::CommandRecord& command);

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_RECORD_QUERY_H_
