// The filter language of ListSagas: a subset of AIP-160.
//
//   filter = [term {"AND" term}]
//   term   = "state" "=" state | "definition" "=" name | "parked" "=" ("true" | "false")
//          | "labels." key "=" text | "start_time" ("=" | ">=" | ">" | "<=" | "<") RFC 3339 time
//
// Texts may stand in single or double quotes; a backslash takes the next character as it is.
#ifndef TUTTI_ORCHESTRATOR_API_FILTER_H_
#define TUTTI_ORCHESTRATOR_API_FILTER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::api {

// Fills in the query's terms, not its page. INVALID_ARGUMENT (FILTER_INVALID) names the position, from 1, and what
// would be right there.
absl::StatusOr<store::ListQuery> ParseFilter(absl::string_view filter);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_FILTER_H_
