// Small things every handler shares.
#ifndef TUTTI_ORCHESTRATOR_API_ANSWERS_H_
#define TUTTI_ORCHESTRATOR_API_ANSWERS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace tutti::api {

// Every error that leaves has a reason; where the room it comes from gave none, one that follows from its code.
grpc::Status ToAnswer(const absl::Status& status);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_ANSWERS_H_
