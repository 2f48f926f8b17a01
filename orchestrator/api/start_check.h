// From a client's start to the router's: what is checked, and when.
#ifndef TUTTI_ORCHESTRATOR_API_START_CHECK_H_
#define TUTTI_ORCHESTRATOR_API_START_CHECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/struct.pb.h"
#include "orchestrator/api/admission.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/shard/router.h"

namespace tutti::api {

// `admission` may be null. Only a saga id that cannot be looked up is an error here. All that is wrong with the rest
// goes into StartRequest::validation, because look-up comes before validation: a repeated start finds its saga even
// after a new revision has made its input wrong, or while there is no room for new ones.
absl::StatusOr<shard::StartRequest> CheckStart(const std::string& saga_id, const std::string& definition,
                                               int64_t revision, const google::protobuf::Struct& input,
                                               const Definitions& definitions, Admission* admission);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_START_CHECK_H_
