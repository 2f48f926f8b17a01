#include "orchestrator/effects/call_answer.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "orchestrator/saga/outcome.h"

namespace tutti::effects {
namespace {

// Empty when the participant may have said it.
std::string WhatCameInstead(absl::string_view message) {
  if (absl::ConsumePrefix(&message, "Received http2 header with status: ")) {
    return absl::StrCat("answered HTTP ", message, " without a gRPC status: that was something on the way, or no gRPC");
  }
  if (absl::ConsumePrefix(&message, "Received RST_STREAM with error code ")) {
    return absl::StrCat("the call was reset with HTTP/2 error ", message);
  }
  if (absl::StartsWith(message, "Compression algorithm '") && absl::EndsWith(message, "' is disabled.")) {
    return "answered with a compressed reply, which was not asked for and is not read";
  }
  return "";
}

// The library shows how a message is compressed to its own readers only.
class CompressionReader final : public grpc::ProtoBufferReader {
 public:
  using ProtoBufferReader::ProtoBufferReader;
  bool compressed() { return reader()->buffer_in->data.raw.compression != GRPC_COMPRESS_NONE; }
};

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return "";
  std::string bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

}  // namespace

grpc::Status OwnWord(const grpc::Status& status) {
  const int code = status.error_code();
  if (code < 0 || code > grpc::StatusCode::UNAUTHENTICATED) {
    return grpc::Status(grpc::StatusCode::UNKNOWN,
                        absl::StrCat("status ", code, ", which gRPC does not define: ", status.error_message()),
                        status.error_details());
  }
  if (saga::DefaultOutcome(code) != v1::OUTCOME_REJECTED) return status;
  const std::string instead = WhatCameInstead(status.error_message());
  return instead.empty() ? status : grpc::Status(grpc::StatusCode::UNKNOWN, instead, status.error_details());
}

CallAnswer AnswerOf(const grpc::Status& status, grpc::ByteBuffer* reply) {
  if (!status.ok()) return {.status = OwnWord(status), .reply = ""};
  if (!reply->Valid()) {
    return {.status = grpc::Status(grpc::StatusCode::INTERNAL, "answered OK without a whole reply message"),
            .reply = ""};
  }
  if (CompressionReader(reply).compressed()) {
    return {.status = grpc::Status(grpc::StatusCode::INTERNAL,
                                   "answered OK with a compressed reply, which was not asked for and is not read"),
            .reply = ""};
  }
  return {.status = status, .reply = ToString(*reply)};
}

}  // namespace tutti::effects
