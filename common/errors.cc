#include "common/errors.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tutti {
namespace {

constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr absl::string_view kBadRequestUrl = "type.googleapis.com/google.rpc.BadRequest";
constexpr absl::string_view kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

// The details carry them all; the message is for a person who sees nothing else.
constexpr size_t kViolationsInMessageMax = 5;

template <typename T>
T PayloadOf(const absl::Status& status, absl::string_view url) {
  T message;
  if (const auto payload = status.GetPayload(url)) message.ParseFromString(std::string(*payload));
  return message;
}

void AddDetail(absl::string_view url, std::string value, google::rpc::Status* out) {
  auto* detail = out->add_details();
  detail->set_type_url(std::string(url));
  detail->set_value(std::move(value));
}

}  // namespace

absl::Status InvalidArgumentError(absl::string_view reason, const std::vector<FieldViolation>& violations) {
  TUTTI_CHECK(!violations.empty(), "an invalid argument needs at least one violation");
  std::string message;
  google::rpc::BadRequest bad_request;
  for (size_t i = 0; i < violations.size(); ++i) {
    auto* violation = bad_request.add_field_violations();
    violation->set_field(ToUtf8(violations[i].field));
    violation->set_description(ToUtf8(violations[i].description));
    if (i < kViolationsInMessageMax) {
      absl::StrAppend(&message, i == 0 ? "" : "; ", violation->field(), violation->field().empty() ? "" : ": ",
                      violation->description());
    }
  }
  if (violations.size() > kViolationsInMessageMax) {
    absl::StrAppend(&message, "; and ", violations.size() - kViolationsInMessageMax, " more");
  }
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kBadRequestUrl, absl::Cord(bad_request.SerializeAsString()));
  return WithReason(std::move(status), reason);
}

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

absl::Status WithRetryDelay(absl::Status status, int64_t delay_ms) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(delay_ms / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay_ms % 1000) * 1'000'000);
  status.SetPayload(kRetryInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  return PayloadOf<google::rpc::ErrorInfo>(status, kErrorInfoUrl).reason();
}

std::vector<FieldViolation> ViolationsOf(const absl::Status& status) {
  const auto bad_request = PayloadOf<google::rpc::BadRequest>(status, kBadRequestUrl);
  std::vector<FieldViolation> violations;
  for (const auto& violation : bad_request.field_violations()) {
    violations.push_back({violation.field(), violation.description()});
  }
  return violations;
}

std::string ErrorDetailsOf(const absl::Status& status) {
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  out.set_message(TruncateUtf8(status.message(), limits::kStatusMessageBytesMax));
  bool has_bad_request = false;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    if (url == kBadRequestUrl) {
      has_bad_request = true;
    } else if (out.ByteSizeLong() + url.size() + payload.size() + 16 <= limits::kStatusDetailsBytesMax) {
      AddDetail(url, std::string(payload), &out);
    }
  });
  if (!has_bad_request) return out.SerializeAsString();

  auto bad_request = PayloadOf<google::rpc::BadRequest>(status, kBadRequestUrl);
  const size_t used = out.ByteSizeLong() + kBadRequestUrl.size() + 16;  // 16: tags and lengths around the detail
  while (bad_request.field_violations_size() > 0 &&
         used + bad_request.ByteSizeLong() > limits::kStatusDetailsBytesMax) {
    bad_request.mutable_field_violations()->RemoveLast();
  }
  if (bad_request.field_violations_size() > 0) AddDetail(kBadRequestUrl, bad_request.SerializeAsString(), &out);
  return out.SerializeAsString();
}

absl::Status FromErrorDetails(absl::Status status, absl::string_view details) {
  google::rpc::Status rpc_status;
  if (status.ok() || !rpc_status.ParseFromArray(details.data(), static_cast<int>(details.size()))) return status;
  for (const auto& detail : rpc_status.details()) status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  return status;
}

}  // namespace tutti
