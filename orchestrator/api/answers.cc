#include "orchestrator/api/answers.h"

#include "common/errors.h"
#include "common/grpc_status.h"

namespace tutti::api {
namespace {

absl::string_view DefaultReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "FIELD_INVALID";
    case absl::StatusCode::kNotFound:
      return "NOT_FOUND";
    case absl::StatusCode::kDataLoss:
      return "RECORD_DAMAGED";
    case absl::StatusCode::kFailedPrecondition:
      return "RECORD_NEWER";
    case absl::StatusCode::kUnavailable:
      return "UNAVAILABLE";
    case absl::StatusCode::kResourceExhausted:
      return "OVERLOADED";
    default:
      return "INTERNAL";
  }
}

}  // namespace

grpc::Status ToAnswer(const absl::Status& status) {
  if (status.ok() || !ReasonOf(status).empty()) return ToGrpcStatus(status);
  return ToGrpcStatus(WithReason(status, DefaultReason(status.code())));
}

}  // namespace tutti::api
