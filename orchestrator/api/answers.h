// Small things every handler shares.
#ifndef TUTTI_ORCHESTRATOR_API_ANSWERS_H_
#define TUTTI_ORCHESTRATOR_API_ANSWERS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace tutti::api {

// Every error that leaves has a reason; where the room it comes from gave none, one that follows from its code.
grpc::Status ToAnswer(const absl::Status& status);

// RESOURCE_EXHAUSTED (OVERLOADED) with a retry delay: there are more of `what` than the server holds.
absl::Status OverloadedError(absl::string_view what);

// An operator's word: why, and who says it. INVALID_ARGUMENT when one is too long.
absl::Status CheckReason(absl::string_view reason, absl::string_view by);

// The store says that something is missing; a client wants to know that it was the saga.
absl::Status SagaError(const absl::Status& status, absl::string_view saga_id);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_ANSWERS_H_
