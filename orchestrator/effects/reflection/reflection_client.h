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

// The file that defines `symbol`, and all it imports, in no order. Blocks for at most `timeout_ms`, both versions
// together. NOT_FOUND when the server does not have the symbol; UNAVAILABLE when it cannot be reached, does not answer
// in time, serves no reflection or answers nonsense. Thread-safe.
absl::StatusOr<google::protobuf::FileDescriptorSet> FetchSymbol(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                                                absl::string_view symbol,
                                                                int64_t timeout_ms = kReflectionTimeoutMs);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_REFLECTION_CLIENT_H_
