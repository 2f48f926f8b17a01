#include "common/grpc_server.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/call_gate.h"
#include "common/call_interceptor.h"
#include "common/certificates.h"
#include "common/clock.h"
#include "common/health_service.h"
#include "common/held_certificates.h"
#include "common/limits.h"
#include "common/listener_health.h"
#include "common/listening_sockets.h"
#include "common/logging.h"
#include "common/mutex.h"
#include "common/paced_thread.h"
#include "common/reflection_service.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "grpcpp/impl/server_initializer.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace tutti {
namespace {

// Clients may ping this often, calls open or not, without being told to calm down.
constexpr int kPingIntervalMinMs = 5'000;
// Between closing the gate and Shutdown: what passed the gate just before must have reached its handler by then.
constexpr auto kGateSettles = std::chrono::milliseconds(50);

// gRPC tells a server's service names to plugins only.
class NamesPlugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit NamesPlugin(std::shared_ptr<ServiceNames> names) : names_(std::move(names)) {}
  std::string name() override { return "tutti-service-names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* initializer) override { *names_ = *initializer->GetServiceList(); }
  void ChangeArguments(const std::string&, void*) override {}

 private:
  const std::shared_ptr<ServiceNames> names_;
};

class NamesOption final : public grpc::ServerBuilderOption {
 public:
  explicit NamesOption(std::shared_ptr<ServiceNames> names) : names_(std::move(names)) {}
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<NamesPlugin>(names_));
  }

 private:
  const std::shared_ptr<ServiceNames> names_;
};

// gRPC itself only logs files that it cannot use, and then refuses every connection.
absl::Status CheckCertificates(const GrpcServerOptions& options) {
  const auto refuse = [](absl::string_view option, const std::string& mistake) {
    return mistake.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat(option, " ", mistake));
  };
  absl::Status status = refuse("certificate_file", CertificateMistake(options.certificate_file));
  if (status.ok()) {
    status = refuse("private_key_file", PrivateKeyMistake(options.private_key_file, options.certificate_file));
  }
  if (status.ok() && !options.client_ca_file.empty()) {
    status = refuse("client_ca_file", CertificateMistake(options.client_ca_file));
  }
  return status;
}

struct Credentials {
  std::shared_ptr<HeldCertificates> certificates;  // null: plaintext
  std::shared_ptr<grpc::ServerCredentials> grpc;
};

absl::StatusOr<Credentials> MakeCredentials(const GrpcServerOptions& options, const std::shared_ptr<CallGate>& gate) {
  if (options.certificate_file.empty() && options.private_key_file.empty()) {
    if (!options.client_ca_file.empty()) {
      return absl::InvalidArgumentError("client_ca_file needs certificate_file and private_key_file");
    }
    return Credentials{nullptr, PlaintextCredentials(gate)};
  }
  if (absl::Status status = CheckCertificates(options); !status.ok()) return status;
  auto certificates =
      HeldCertificates::Hold({options.certificate_file, options.private_key_file, options.client_ca_file});
  if (!certificates.ok()) return certificates.status();
  grpc::experimental::TlsServerCredentialsOptions tls((*certificates)->NewProvider());
  tls.watch_identity_key_cert_pairs();
  if (!options.client_ca_file.empty()) {
    tls.watch_root_certs();
    tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  auto credentials = grpc::experimental::TlsServerCredentials(tls);
  credentials->SetAuthMetadataProcessor(gate);
  return Credentials{*std::move(certificates), std::move(credentials)};
}

// A gRPC server and the listener that feeds it.
struct Listener {
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<ConnectionAcceptor> acceptor;  // after the server: nothing is handed on to one that is gone
  int port() const { return acceptor == nullptr ? 0 : acceptor->port(); }
  // New connections are refused by the system from now on; calls under way are over by the deadline.
  void Shutdown(int64_t deadline_ms) {
    if (server == nullptr) return;
    acceptor->Stop();
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(deadline_ms));
  }
};

ConnectionAcceptor::Options ApiBounds(const GrpcServerOptions& options) {
  // The rest of the process has some descriptors open already; a peer's share need not be exact.
  const size_t possible =
      std::min(options.connections.max, DescriptorLimit() - SpareDescriptors(limits::kSpareDescriptorsShare));
  return {.name = "api",
          .connections_max = options.connections.max,
          .peer_connections_max = std::max<size_t>(possible / limits::kPeerConnectionsShare, 1),
          .spare_share = limits::kSpareDescriptorsShare};
}

// Probes find a descriptor when clients do not any more.
ConnectionAcceptor::Options ProbeBounds() {
  return {.name = "health",
          .connections_max = limits::kProbeConnectionsMax,
          .peer_connections_max = limits::kProbeConnectionsMax,
          .spare_share = 2 * limits::kSpareDescriptorsShare};
}

void SetConnectionTimes(const GrpcServerOptions::Connections& times, grpc::ServerBuilder* builder) {
  const auto set = [builder](const char* name, int64_t ms) {
    builder->AddChannelArgument(name, static_cast<int>(std::min<int64_t>(ms, INT_MAX)));
  };
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, times.handshake_ms);
  if (times.idle_ms > 0) set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, times.idle_ms);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, times.keepalive_ms);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, times.keepalive_timeout_ms);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no end to them: a watch may be silent for days
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMinMs);
}

void SetMessageBounds(grpc::ServerBuilder* builder) {
  // gRPC inflates a message before it looks at its size. Without the filter that does, a compressed one is refused as
  // it came.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder->SetMaxReceiveMessageSize(static_cast<int>(limits::kRequestMessageBytesMax));
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits::kHeaderBytesHardMax);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits::kConnectionStreamsMax);
}

// gRPC's own listener ends for good at the first accept() without a free descriptor, and knows no bound.
std::unique_ptr<ConnectionAcceptor> Feed(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server,
                                         ListeningSockets sockets, ConnectionAcceptor::Options bounds) {
  const std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> shared = std::move(server);
  return std::make_unique<ConnectionAcceptor>(std::move(sockets), std::move(bounds), [shared](int descriptor) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = descriptor;
    shared->HandleNewConnection(&connection);
  });
}

struct ListenerParts {
  std::string address;
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::vector<grpc::Service*> services;
  std::shared_ptr<ServiceNames> names;
  CallObserver* observer = nullptr;
  ConnectionAcceptor::Options bounds;
};

absl::StatusOr<Listener> Listen(const ListenerParts& parts, const GrpcServerOptions::Connections& times) {
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Bind(parts.address);
  if (!sockets.ok()) return sockets.status();
  grpc::ServerBuilder builder;
  auto connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, parts.credentials);
  SetConnectionTimes(times, &builder);
  SetMessageBounds(&builder);
  builder.SetOption(std::make_unique<NamesOption>(parts.names));
  for (grpc::Service* service : parts.services) builder.RegisterService(service);
  if (parts.observer != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(MakeCallInterceptor(parts.names, parts.observer));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
  }
  Listener listener;
  listener.server = builder.BuildAndStart();
  if (listener.server == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", parts.address, ": gRPC does not start"));
  }
  listener.acceptor = Feed(std::move(connections), *std::move(sockets), parts.bounds);
  return listener;
}

class GrpcServerImpl final : public GrpcServer {
 public:
  explicit GrpcServerImpl(const GrpcServerOptions& options) : options_(options) {}
  ~GrpcServerImpl() override { Drain({}); }

  absl::Status Listen(const std::vector<grpc::Service*>& services) {
    auto credentials = MakeCredentials(options_, gate_);
    if (!credentials.ok()) return credentials.status();
    certificates_ = std::move(credentials->certificates);
    std::vector<grpc::Service*> all = services;
    all.push_back(&health_);
    for (const auto& service : reflection_) all.push_back(service.get());
    auto main = tutti::Listen({.address = options_.address,
                               .credentials = std::move(credentials->grpc),
                               .services = all,
                               .names = names_,
                               .observer = options_.observer,
                               .bounds = ApiBounds(options_)},
                              options_.connections);
    if (!main.ok()) return main.status();
    main_ = *std::move(main);
    health_.SetServices(*names_);
    if (options_.observer != nullptr) ObserveServices(*names_, options_.observer);
    if (absl::Status status = ListenForProbes(); !status.ok()) return status;
    LookAtListener();
    watch_ = std::make_unique<PacedThread>(options_.connections.look_ms, [this] {
      LookAtListener();
      return options_.connections.look_ms;
    });
    return absl::OkStatus();
  }

  int port() const override { return main_.port(); }
  int health_port() const override { return probe_.port(); }
  std::vector<CertificateStatus> certificates() const override {
    return certificates_ == nullptr ? std::vector<CertificateStatus>() : certificates_->Status();
  }

  void SetServing(bool serving) override {
    MutexLock lock(&mu_);
    serving_ = serving;
    TellHealth();
  }

  AcceptorStatus listener() const override {
    MutexLock lock(&mu_);
    return listener_status_;
  }

  void Drain(const std::function<void()>& end_waits) override {
    MutexLock drain_lock(&drain_mu_);  // a second caller waits for the first
    {
      MutexLock lock(&mu_);
      if (draining_) return;
      draining_ = true;
      TellHealth();
    }
    if (main_.server != nullptr) {
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.drain_delay_ms));
      gate_->Close();
      std::this_thread::sleep_for(kGateSettles);
      if (end_waits) end_waits();
      health_.EndWatches();
      if (watch_ != nullptr) watch_->Stop();
      main_.Shutdown(options_.drain_deadline_ms);
      SetListenerStatus(main_.acceptor->Look());
    }
    probe_health_.EndWatches();
    probe_.Shutdown(options_.drain_deadline_ms);
  }

 private:
  absl::Status ListenForProbes() {
    if (options_.health_address.empty()) return absl::OkStatus();
    probe_health_.AnswerLiveness();
    auto probe = tutti::Listen({.address = options_.health_address,
                                .credentials = grpc::InsecureServerCredentials(),
                                .services = {&probe_health_},
                                .names = std::make_shared<ServiceNames>(),
                                .bounds = ProbeBounds()},
                               options_.connections);
    if (!probe.ok()) return probe.status();
    probe_ = *std::move(probe);
    probe_health_.SetServices(*names_);
    return absl::OkStatus();
  }

  void LookAtListener() {
    const AcceptorStatus status = main_.acceptor->Look();
    const Hearing hearing = listener_health_.Observe(status.accepting, SystemClock().MonotonicMs());
    SetListenerStatus(status);
    MutexLock lock(&mu_);
    const Hearing before = std::exchange(hearing_, hearing);
    if (hearing == before) return;
    TellHealth();
    Log(hearing == Hearing::kHears ? LogLevel::kWarning : LogLevel::kError,
        hearing == Hearing::kHears  ? "the API accepts connections again"
        : hearing == Hearing::kDeaf ? "the API accepts no connections; health says NOT_SERVING"
                                    : "the API has accepted no connections for so long that liveness ends",
        {{"connections", absl::StrCat(status.connections)}});
  }

  void SetListenerStatus(const AcceptorStatus& status) {
    MutexLock lock(&mu_);
    listener_status_ = status;
  }

  // Health services have locks of their own, which they never hold while they wait for this one.
  void TellHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool serving = serving_ && !draining_ && hearing_ == Hearing::kHears;
    health_.SetServing(serving);
    probe_health_.SetServing(serving);
    probe_health_.SetAlive(draining_ || hearing_ != Hearing::kLost);
  }

  const GrpcServerOptions options_;
  std::shared_ptr<HeldCertificates> certificates_;  // outlives the servers
  const std::shared_ptr<ServiceNames> names_ = std::make_shared<ServiceNames>();
  const std::shared_ptr<CallGate> gate_ = std::make_shared<CallGate>();
  HealthService health_;
  HealthService probe_health_;  // a service object belongs to one server
  const std::vector<std::unique_ptr<grpc::Service>> reflection_ = MakeReflectionServices(names_);
  Listener main_;
  Listener probe_;
  ListenerHealth listener_health_{options_.connections.deaf_after_ms, options_.connections.lost_after_ms};
  Mutex drain_mu_;
  mutable Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  Hearing hearing_ ABSL_GUARDED_BY(mu_) = Hearing::kHears;
  AcceptorStatus listener_status_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<PacedThread> watch_;  // last: it uses the rest
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                              const std::vector<grpc::Service*>& services) {
  // Keeps the descriptors in the binary: without them reflection clients print error details as base64.
  google::rpc::ErrorInfo::descriptor();
  google::rpc::Status::descriptor();
  // The distribution's Abseil looks for lock cycles in production builds too, at some 4 % of a loaded server's time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  auto server = std::make_unique<GrpcServerImpl>(options);
  if (absl::Status status = server->Listen(services); !status.ok()) return status;
  return server;
}

namespace {
sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}
}  // namespace

void BlockTerminationSignals() {
  const sigset_t signals = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void WaitForTermination(const std::function<void()>& on_hangup) {
  const sigset_t signals = TerminationSignals();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP || !on_hangup) return;
    on_hangup();
  }
}

}  // namespace tutti
