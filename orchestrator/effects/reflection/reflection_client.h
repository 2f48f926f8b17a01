// Asks a running server what it serves. Speaks grpc.reflection.v1, and v1alpha to servers that know no better.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_REFLECTION_CLIENT_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_REFLECTION_CLIENT_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"

namespace grpc {
class ChannelInterface;
}

namespace tutti::effects {

inline constexpr int64_t kReflectionTimeoutMs = 5'000;

// The file that defines `symbol`, and all it imports, in no order; limits::kDescriptorBytesMax together. Waits for the
// channel to be READY; blocks for at most `timeout_ms`, that and both versions together. `bearer_token` goes with the
// question unless it is empty. Thread-safe.
//
// NOT_FOUND: the server does not have the symbol. UNAVAILABLE: it cannot be reached, does not answer in time, or fails
// in a way that may pass. FAILED_PRECONDITION, with the remedy: it serves no reflection, refuses the question, lacks a
// file that another imports, or gives files that cannot be used.
absl::StatusOr<google::protobuf::FileDescriptorSet> FetchSymbol(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                                                absl::string_view symbol,
                                                                absl::string_view bearer_token = "",
                                                                int64_t timeout_ms = kReflectionTimeoutMs);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_REFLECTION_CLIENT_H_
