// What makes two starts the same start.
#ifndef TUTTI_ORCHESTRATOR_API_FINGERPRINT_H_
#define TUTTI_ORCHESTRATOR_API_FINGERPRINT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"

namespace tutti::api {

// SHA-256 over the definition's name, the revision as sent (0: not said) and the input as sent. The order of fields in
// the input does not matter. Kept for as long as sagas are, so what goes into it never changes: an encoding of our own,
// not protobuf's, which promises nothing across versions.
std::string StartFingerprint(absl::string_view definition, int64_t revision, const google::protobuf::Struct& input);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_FINGERPRINT_H_
