// What a command says about itself in gRPC metadata, and what a participant's trailers say back.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_COMMAND_METADATA_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_COMMAND_METADATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "orchestrator/saga/effect.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace tutti::effects {

using MetadataList = std::vector<std::pair<std::string, std::string>>;

// deadline_wall_ms: when the attempt times out. bearer_token: the participant's, or empty; a definition that sets
// `authorization` itself takes its place, so that no command carries two. INVALID_ARGUMENT names an entry of the
// definition's that gRPC would not take (the library aborts the process on those) or whose name is reserved.
absl::StatusOr<MetadataList> CommandMetadata(const saga::SendCommand& command, int64_t deadline_wall_ms,
                                             absl::string_view bearer_token = "");

// W3C trace context: every attempt of a saga belongs to one trace, and each attempt is a span of its own. The trace and
// its flags are the caller's where it sent them; otherwise the trace is made of the saga's uid, and sampled.
std::string TraceParent(const saga::SendCommand& command);

// An absent, unknown or repeated mark is unmarked.
v1::BarrierMark MarkOf(const grpc::ClientContext& context);

// `grpc-retry-pushback-ms`, else google.rpc.RetryInfo. Negative: do not retry; a malformed header means that too, and
// gRPC itself takes a number beyond int64 for malformed. A RetryInfo is never negative, and clamped to int64.
std::optional<int64_t> PushbackOf(const grpc::ClientContext& context, const grpc::Status& status);

// Cut to limits::kStatusMessageBytesMax and made valid UTF-8, as history needs it.
std::string StatusMessage(absl::string_view message);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_COMMAND_METADATA_H_
