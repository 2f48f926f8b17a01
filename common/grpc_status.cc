#include "common/grpc_status.h"

#include <string>

#include "common/errors.h"
#include "common/limits.h"
#include "common/utf8.h"

namespace tutti {
namespace {

// gRPC percent-encodes what is not printable ASCII, three bytes for one.
size_t EncodedBytes(absl::string_view text) {
  size_t bytes = 0;
  for (const char c : text) bytes += (c >= 0x20 && c <= 0x7e && c != '%') ? 1 : 3;
  return bytes;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message = TruncateUtf8(status.message(), limits::kStatusMessageBytesMax);
  if (EncodedBytes(message) > limits::kStatusMessageBytesMax) {
    message = TruncateUtf8(message, limits::kStatusMessageBytesMax / 3);
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message, ErrorDetailsOf(status));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return FromErrorDetails(absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message()),
                          status.error_details());
}

}  // namespace tutti
