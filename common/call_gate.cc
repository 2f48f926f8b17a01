#include "common/call_gate.h"

#include <string>
#include <utility>

#include "common/check.h"
#include "grpc/grpc_security.h"
#include "grpcpp/support/status.h"

namespace tutti {
namespace {

constexpr char kRefusal[] = "the server is shutting down; repeat the same request, elsewhere or later";

using SharedGate = std::shared_ptr<CallGate>;

void AskGate(void* state, grpc_auth_context*, const grpc_metadata*, size_t, grpc_process_auth_metadata_done_cb done,
             void* call) {
  const bool closed = (*static_cast<SharedGate*>(state))->closed();
  done(call, nullptr, 0, nullptr, 0, closed ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_OK, closed ? kRefusal : nullptr);
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

grpc::Status CallGate::Process(const InputMetadata&, grpc::AuthContext*, OutputMetadata*, OutputMetadata*) {
  return closed() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, kRefusal) : grpc::Status::OK;
}

std::shared_ptr<grpc::ServerCredentials> PlaintextCredentials(std::shared_ptr<CallGate> gate) {
  return std::make_shared<GatedPlaintext>(std::move(gate));
}

}  // namespace tutti
