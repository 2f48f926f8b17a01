#include "orchestrator/effects/command_metadata.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/grpc.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/slice.h"
#include "grpcpp/support/status.h"

namespace tutti::effects {
namespace {

absl::string_view KindName(v1::StepKind kind) {
  switch (kind) {
    case v1::STEP_KIND_PIVOT:
      return "pivot";
    case v1::STEP_KIND_RETRIABLE:
      return "retriable";
    default:
      return "compensatable";
  }
}

absl::string_view OperationName(v1::Operation operation) {
  return operation == v1::OPERATION_COMPENSATION ? "compensation" : "action";
}

grpc_slice BorrowedSlice(absl::string_view text) {
  return grpc_slice_from_static_buffer(text.data(), text.size());
}

absl::Status CheckEntry(absl::string_view key, absl::string_view value) {
  const auto invalid = [key](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("metadata \"", absl::CHexEscape(key), "\" ", what));
  };
  if (!grpc_header_key_is_legal(BorrowedSlice(key))) return invalid("is not a legal metadata key");
  if (absl::StartsWith(key, "tutti-") || absl::StartsWith(key, "grpc-") || key == "traceparent" || key == "te" ||
      key == "content-type" || key == "user-agent") {
    return invalid("is reserved");
  }
  if (!grpc_is_binary_header(BorrowedSlice(key)) && !grpc_header_nonbin_value_is_legal(BorrowedSlice(value))) {
    return invalid("has a value with characters other than printable ASCII");
  }
  return absl::OkStatus();
}

uint64_t Fnv1a(absl::string_view text, uint64_t seed) {
  uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  // FNV leaves the high bits of short texts nearly constant; trace back ends sample by them.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33);
}

// A negative delay has no meaning in RetryInfo; only the header can forbid a retry.
int64_t DelayMs(const google::protobuf::Duration& delay) {
  constexpr int64_t kMsMax = std::numeric_limits<int64_t>::max();
  if (delay.seconds() < 0) return 0;
  if (delay.seconds() >= kMsMax / 1000 - 1'000'000) return kMsMax;
  return std::max<int64_t>(delay.seconds() * 1000 + delay.nanos() / 1'000'000, 0);
}

}  // namespace

absl::StatusOr<MetadataList> CommandMetadata(const saga::SendCommand& command, int64_t deadline_wall_ms,
                                             absl::string_view bearer_token) {
  MetadataList list;
  list.reserve(13 + command.metadata.size());
  list.emplace_back("tutti-saga-id", command.saga_id);
  list.emplace_back("tutti-saga-uid", command.saga_uid);
  list.emplace_back("tutti-step", command.attempt.step);
  list.emplace_back("tutti-kind", KindName(command.kind));
  list.emplace_back("tutti-operation", OperationName(command.attempt.operation));
  list.emplace_back("tutti-attempt", absl::StrCat(command.attempt.number));
  list.emplace_back("tutti-idempotency-key", command.key);
  list.emplace_back("tutti-key-born-ms", absl::StrCat(command.key_born_ms));
  list.emplace_back("tutti-step-born-ms", absl::StrCat(command.step_born_ms));
  list.emplace_back("tutti-deadline-ms", absl::StrCat(deadline_wall_ms));
  list.emplace_back("traceparent", TraceParent(command));
  for (const auto& [key, value] : command.metadata) {
    if (const absl::Status status = CheckEntry(key, value); !status.ok()) return status;
    list.emplace_back(key, value);
  }
  if (!command.tracestate.empty() && !command.metadata.contains("tracestate")) {
    list.emplace_back("tracestate", command.tracestate);
  }
  if (!bearer_token.empty() && !command.metadata.contains("authorization")) {
    list.emplace_back("authorization", absl::StrCat("Bearer ", bearer_token));
  }
  return list;
}

std::string TraceParent(const saga::SendCommand& command) {
  // A trace or span id of all zeros is invalid.
  const uint64_t span = Fnv1a(absl::StrCat(command.key, "#", command.attempt.number), 0) | 1;
  if (!command.traceparent.empty()) {
    const absl::string_view caller = command.traceparent;  // version-trace-span-flags
    return absl::StrFormat("%s-%016x-%s", caller.substr(0, 35), span, caller.substr(53, 2));
  }
  const uint64_t trace_high = Fnv1a(command.saga_uid, 0) | 1;
  const uint64_t trace_low = Fnv1a(command.saga_uid, 0x9e3779b97f4a7c15ULL);
  return absl::StrFormat("00-%016x%016x-%016x-01", trace_high, trace_low, span);
}

v1::BarrierMark MarkOf(const grpc::ClientContext& context) {
  const auto [begin, end] = context.GetServerTrailingMetadata().equal_range("tutti-barrier");
  if (begin == end || std::next(begin) != end) return v1::BARRIER_MARK_UNSPECIFIED;
  const absl::string_view mark(begin->second.data(), begin->second.size());
  if (mark == "applied") return v1::BARRIER_MARK_APPLIED;
  if (mark == "refused") return v1::BARRIER_MARK_REFUSED;
  if (mark == "undone") return v1::BARRIER_MARK_UNDONE;
  if (mark == "empty") return v1::BARRIER_MARK_EMPTY;
  return v1::BARRIER_MARK_UNSPECIFIED;
}

std::optional<int64_t> PushbackOf(const grpc::ClientContext& context, const grpc::Status& status) {
  if (status.ok()) return std::nullopt;
  const auto& trailers = context.GetServerTrailingMetadata();
  if (const auto found = trailers.find("grpc-retry-pushback-ms"); found != trailers.end()) {
    int64_t pushback_ms = 0;
    const absl::string_view text(found->second.data(), found->second.size());
    return absl::SimpleAtoi(text, &pushback_ms) ? std::max<int64_t>(pushback_ms, -1) : -1;
  }
  const std::string details = status.error_details();
  if (details.empty()) return std::nullopt;
  google::rpc::Status rich;
  if (!rich.ParseFromString(details)) return std::nullopt;
  for (const auto& detail : rich.details()) {
    google::rpc::RetryInfo info;
    if (!detail.Is<google::rpc::RetryInfo>() || !detail.UnpackTo(&info)) continue;
    return DelayMs(info.retry_delay());
  }
  return std::nullopt;
}

std::string StatusMessage(absl::string_view message) {
  return TruncateUtf8(message, limits::kStatusMessageBytesMax);
}

}  // namespace tutti::effects
