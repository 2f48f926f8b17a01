#include "common/call_gate.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "grpc/grpc_security.h"
#include "grpcpp/support/status.h"

namespace tutti {
namespace {

constexpr char kRefusal[] = "the server is shutting down; repeat the same request, elsewhere or later";

using SharedGate = std::shared_ptr<CallGate>;

constexpr size_t kHeaderOverhead = 32;  // RFC 9113, 6.5.2

grpc::Status Judge(const CallGate& gate, size_t header_bytes) {
  if (gate.closed()) return grpc::Status(grpc::StatusCode::UNAVAILABLE, kRefusal);
  if (header_bytes <= limits::kHeaderBytesMax) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                      absl::StrCat("the headers of this call have ", header_bytes, " bytes; at most ",
                                   limits::kHeaderBytesMax, " are taken: send less metadata"));
}

void AskGate(void* state, grpc_auth_context*, const grpc_metadata* headers, size_t count,
             grpc_process_auth_metadata_done_cb done, void* call) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    bytes += GRPC_SLICE_LENGTH(headers[i].key) + GRPC_SLICE_LENGTH(headers[i].value) + kHeaderOverhead;
  }
  const grpc::Status status = Judge(**static_cast<SharedGate*>(state), bytes);
  done(call, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.error_code()),
       status.ok() ? nullptr : status.error_message().c_str());
}

void ForgetGate(void* state) {
  delete static_cast<SharedGate*>(state);
}

class GatedPlaintext final : public grpc::ServerCredentials {
 public:
  explicit GatedPlaintext(SharedGate gate) : gate_(std::move(gate)) {}

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    TUTTI_CHECK(false, "the gate is the only processor of these credentials");
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* credentials = grpc_insecure_server_credentials_create();
    grpc_server_credentials_set_auth_metadata_processor(
        credentials, {.process = AskGate, .destroy = ForgetGate, .state = new SharedGate(gate_)});
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  const SharedGate gate_;
};

}  // namespace

grpc::Status CallGate::Process(const InputMetadata& headers, grpc::AuthContext*, OutputMetadata*, OutputMetadata*) {
  size_t bytes = 0;
  for (const auto& [key, value] : headers) bytes += key.size() + value.size() + kHeaderOverhead;
  return Judge(*this, bytes);
}

std::shared_ptr<grpc::ServerCredentials> PlaintextCredentials(std::shared_ptr<CallGate> gate) {
  return std::make_shared<GatedPlaintext>(std::move(gate));
}

}  // namespace tutti
