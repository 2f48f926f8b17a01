// One way to run a gRPC server in this project: health, reflection that current tools understand, TLS, graceful drain.
#ifndef TUTTI_COMMON_GRPC_SERVER_H_
#define TUTTI_COMMON_GRPC_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/certificates.h"
#include "common/connection_acceptor.h"
#include "common/limits.h"

namespace grpc {
class Service;
}

namespace tutti {

class CallObserver;

struct GrpcServerOptions {
  // Of the connections that clients make. The listener for probes has its own bound and the same times.
  struct Connections {
    size_t max = limits::kConnectionsMax;  // of one peer, 1 / limits::kPeerConnectionsShare of it
    int64_t handshake_ms = 20'000;         // TLS and the first HTTP/2 settings; then it is closed
    int64_t idle_ms = 0;                   // without a call; then GOAWAY and the end. 0: for ever
    // A client that vanished without a word is asked whether it is there, however long its calls are.
    int64_t keepalive_ms = 600'000;
    int64_t keepalive_timeout_ms = 60'000;
    // A listener that accepts nobody for so long is NOT_SERVING, and then not alive; it is looked at every look_ms.
    int64_t look_ms = 1'000;
    int64_t deaf_after_ms = 10'000;
    int64_t lost_after_ms = 60'000;
  };

  std::string address = "127.0.0.1:0";  // port 0: any free one; see port()
  // A plaintext listener of its own for probes; empty: none. It knows the service "liveness" too, which stays SERVING
  // through a drain.
  std::string health_address;
  // PEM files; both empty: plaintext. client_ca_file asks clients for certificates. Read again when they change, and
  // used when they are in order; see held_certificates.h.
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
  int64_t drain_delay_ms = 0;          // between NOT_SERVING and refusing new calls, for load balancers to notice
  int64_t drain_deadline_ms = 10'000;  // for calls in flight, after that
  CallObserver* observer = nullptr;    // of calls, those of the health listener aside; must outlive the server
  Connections connections;
};

// Starts NOT_SERVING. Thread-safe.
//
// What a client sends is bounded before any handler: requests by limits::kRequestMessageBytesMax, headers by
// limits::kHeaderBytesMax (both RESOURCE_EXHAUSTED, for that call alone; headers beyond limits::kHeaderBytesHardMax end
// the connection), calls of a connection by limits::kConnectionStreamsMax. Compressed requests are UNIMPLEMENTED and
// never inflated. Connections are bounded, too, in all, of a peer, and by the descriptors that the rest of the process
// needs; those beyond are closed at once.
//
// While the API's listener accepts nobody, health says NOT_SERVING, and in the end "liveness" as well.
class GrpcServer {
 public:
  // Services are not owned and must outlive the server. UNAVAILABLE when the address cannot be bound; INVALID_ARGUMENT
  // for certificate files that cannot be used.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                           const std::vector<grpc::Service*>& services);
  virtual ~GrpcServer() = default;  // drains when Drain was not called

  virtual int port() const = 0;
  virtual int health_port() const = 0;                              // 0: none
  virtual std::vector<CertificateStatus> certificates() const = 0;  // none: plaintext
  virtual void SetServing(bool serving) = 0;
  virtual AcceptorStatus listener() const = 0;  // the API's, when it was last looked at
  // NOT_SERVING; waits drain_delay_ms; refuses new calls with UNAVAILABLE; lets `end_waits` answer calls that would go
  // on for ever; gives those under way until the deadline, then breaks their connections. No client sees CANCELLED.
  // Blocks.
  virtual void Drain(const std::function<void()>& end_waits) = 0;
  void Drain() { Drain({}); }
};

// Blocks until SIGTERM or SIGINT. SIGHUP runs `on_hangup`, on this thread; without one it ends the wait as well. Call
// BlockTerminationSignals first in main, before any thread starts.
void BlockTerminationSignals();
void WaitForTermination(const std::function<void()>& on_hangup = {});

}  // namespace tutti

#endif  // TUTTI_COMMON_GRPC_SERVER_H_
