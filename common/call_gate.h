// Where calls are turned away before any handler: by a draining server, and those with too many headers. A call that
// reaches a gRPC server after Shutdown began, and before its client read that the connection is going away, would end
// as a bare CANCELLED, which tells the client that somebody gave the call up. The gate stands before that: in the
// security layer, the only place ahead of the server's own. Headers beyond limits::kHeaderBytesMax end their own call
// with RESOURCE_EXHAUSTED; gRPC's own limit would end the connection, with all calls on it, and does so from
// limits::kHeaderBytesHardMax on.
#ifndef TUTTI_COMMON_CALL_GATE_H_
#define TUTTI_COMMON_CALL_GATE_H_

#include <atomic>
#include <memory>

#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/security/server_credentials.h"

namespace tutti {

// Open at first. Thread-safe. Shared with the server's credentials, which outlive the server.
class CallGate final : public grpc::AuthMetadataProcessor {
 public:
  // New calls end with UNAVAILABLE from now on, before any handler hears of them; those under way are left alone.
  void Close() { closed_.store(true, std::memory_order_release); }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  bool IsBlocking() const override { return false; }  // asked on gRPC's own thread
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  std::atomic<bool> closed_{false};
};

// Plaintext credentials with a gate: gRPC's own refuse a processor.
std::shared_ptr<grpc::ServerCredentials> PlaintextCredentials(std::shared_ptr<CallGate> gate);

}  // namespace tutti

#endif  // TUTTI_COMMON_CALL_GATE_H_
