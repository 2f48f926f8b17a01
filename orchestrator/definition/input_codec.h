// A client's JSON-shaped input into the declared message, with all its mistakes at once.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_INPUT_CODEC_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_INPUT_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"

namespace tutti::definition {

// The deterministic encoding of `input` as `prototype`'s type. `all_required`: every singular field that is not
// declared optional must be there (inline inputs). INVALID_ARGUMENT, reason INPUT_INVALID, violations at "<root>.…";
// one of them where the messages take more than limits::kDecodedBytesMax in memory. Thread-safe.
absl::StatusOr<std::string> EncodeStruct(const google::protobuf::Struct& input,
                                         const google::protobuf::Message& prototype, bool all_required,
                                         const std::string& root);

// Equal messages become equal bytes, maps included.
std::string SerializeDeterministically(const google::protobuf::Message& message);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_INPUT_CODEC_H_
