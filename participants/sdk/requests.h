// Checks of request fields that all participants share.
#ifndef TUTTI_PARTICIPANTS_SDK_REQUESTS_H_
#define TUTTI_PARTICIPANTS_SDK_REQUESTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"

namespace tutti::participant {

// INVALID_ARGUMENT that names the field. Ids become parts of keys.
absl::Status CheckId(absl::string_view field, absl::string_view id);
absl::Status CheckPositive(absl::string_view field, int64_t number);

google::protobuf::Timestamp ToTimestamp(int64_t wall_ms);

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_REQUESTS_H_
