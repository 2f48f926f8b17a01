#include "orchestrator/api/answers.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/grpc_status.h"
#include "common/limits.h"

namespace tutti::api {
namespace {

constexpr int64_t kOverloadedRetryMs = 500;

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

absl::Status OverloadedError(absl::string_view what) {
  return WithReason(WithRetryDelay(absl::ResourceExhaustedError(absl::StrCat("there are more ", what,
                                                                             " than the server holds; repeat "
                                                                             "the same request later")),
                                   kOverloadedRetryMs),
                    "OVERLOADED");
}

absl::Status CheckReason(absl::string_view reason, absl::string_view by) {
  const auto check = [](const char* field, absl::string_view text, size_t bytes_max) {
    if (text.size() <= bytes_max) return absl::OkStatus();
    return InvalidArgumentError("FIELD_INVALID",
                                {{field, absl::StrCat("has ", text.size(), " bytes; at most ", bytes_max)}});
  };
  const absl::Status status = check("reason", reason, limits::kStatusMessageBytesMax);
  return status.ok() ? check("by", by, limits::kLabelBytesMax) : status;
}

absl::Status SagaError(const absl::Status& status, absl::string_view saga_id) {
  if (!absl::IsNotFound(status)) return status;
  return WithReason(absl::NotFoundError(absl::StrCat("saga_id: there is no saga ", saga_id)), "SAGA_NOT_FOUND");
}

}  // namespace tutti::api
