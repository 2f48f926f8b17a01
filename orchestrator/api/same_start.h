// Whether a start that is spelled otherwise is the same start.
#ifndef TUTTI_ORCHESTRATOR_API_SAME_START_H_
#define TUTTI_ORCHESTRATOR_API_SAME_START_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/struct.pb.h"
#include "orchestrator/api/definitions.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::api {

// OK when definition and revision are asked for as the saga's were, and the input has the same values in the type of
// the revision that the saga is pinned to: 300 and "300" of an int64, a name and a number of an enum, null and nothing.
// Otherwise ALREADY_EXISTS (SAGA_EXISTS), which names what differs: of the input the paths alone, since values may be
// nobody's business.
absl::Status CheckSameStart(const storage::v1::SagaRecord& record, const std::string& definition, int64_t revision,
                            const google::protobuf::Struct& input, const Definitions& definitions);

// Paths below `root` at which the two differ, at most `count_max` of them; a value that only one of them has is said to
// be missing "before" or "now".
std::vector<std::string> DifferingPaths(const std::string& root, const google::protobuf::Struct& before,
                                        const google::protobuf::Struct& now, size_t count_max);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SAME_START_H_
