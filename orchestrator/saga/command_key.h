// The idempotency key of a command: one for its whole life.
#ifndef TUTTI_ORCHESTRATOR_SAGA_COMMAND_KEY_H_
#define TUTTI_ORCHESTRATOR_SAGA_COMMAND_KEY_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::saga {

// "<saga uid>/<step>/action" or "<saga uid>/<step>/compensation".
inline std::string CommandKey(absl::string_view saga_uid, absl::string_view step, v1::Operation operation) {
  return absl::StrCat(saga_uid, "/", step, operation == v1::OPERATION_COMPENSATION ? "/compensation" : "/action");
}

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_COMMAND_KEY_H_
