// absl::Status with the machine-readable details of AIP-193. Rooms attach them here; the gRPC edge turns them into
// google.rpc.Status details.
#ifndef TUTTI_COMMON_ERRORS_H_
#define TUTTI_COMMON_ERRORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tutti {

inline constexpr absl::string_view kErrorDomain = "tutti";

struct FieldViolation {
  std::string field;        // a path, e.g. "input.price" or "steps[1].action.method (line 12)"
  std::string description;  // what is wrong and what to do
};

// INVALID_ARGUMENT whose message lists the violations and whose details carry them. Needs at least one. They may quote
// any bytes: what is not UTF-8 in them is replaced.
absl::Status InvalidArgumentError(absl::string_view reason, const std::vector<FieldViolation>& violations);

// `reason` is stable, UPPER_SNAKE_CASE, and documented in docs/errors.md.
absl::Status WithReason(absl::Status status, absl::string_view reason);
absl::Status WithRetryDelay(absl::Status status, int64_t delay_ms);

// Empty when the status carries none.
std::string ReasonOf(const absl::Status& status);
std::vector<FieldViolation> ViolationsOf(const absl::Status& status);

// google.rpc.Status, serialized, for the trailer grpc-status-details-bin; details beyond the limit are left out, the
// violations last first.
std::string ErrorDetailsOf(const absl::Status& status);
// The other way: attaches the details of a serialized google.rpc.Status. Unreadable ones are ignored.
absl::Status FromErrorDetails(absl::Status status, absl::string_view details);

}  // namespace tutti

#endif  // TUTTI_COMMON_ERRORS_H_
