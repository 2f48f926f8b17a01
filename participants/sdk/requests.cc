#include "participants/sdk/requests.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"
#include "google/protobuf/util/time_util.h"

namespace tutti::participant {

absl::Status CheckId(absl::string_view field, absl::string_view id) {
  if (ValidateSagaId(id).ok()) return absl::OkStatus();
  return InvalidArgumentError(
      "ID_INVALID", {{std::string(field), absl::StrCat("must be 1 to ", limits::kSagaIdBytesMax,
                                                       " printable characters without '/', '|' and spaces")}});
}

absl::Status CheckPositive(absl::string_view field, int64_t number) {
  if (number > 0) return absl::OkStatus();
  return InvalidArgumentError("NUMBER_INVALID", {{std::string(field), "must be at least 1"}});
}

google::protobuf::Timestamp ToTimestamp(int64_t wall_ms) {
  return google::protobuf::util::TimeUtil::MillisecondsToTimestamp(wall_ms);
}

}  // namespace tutti::participant
