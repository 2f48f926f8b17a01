#include "common/grpc_server.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/call_gate.h"
#include "common/call_interceptor.h"
#include "common/certificates.h"
#include "common/health_service.h"
#include "common/held_certificates.h"
#include "common/limits.h"
#include "common/mutex.h"
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

// gRPC would take it modulo 65,536.
absl::Status CheckPort(const std::string& address) {
  const std::string port = address.substr(address.rfind(':') + 1);  // all of it where there is none
  const bool number =
      !port.empty() && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  int value = 0;
  if (!number || (absl::SimpleAtoi(port, &value) && value <= 65'535)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot listen on ", address, ": a port is at most 65535"));
}

struct Listener {
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

absl::StatusOr<Listener> Listen(const std::string& address, std::shared_ptr<grpc::ServerCredentials> credentials,
                                const std::vector<grpc::Service*>& services, const std::shared_ptr<ServiceNames>& names,
                                CallObserver* observer) {
  if (absl::Status status = CheckPort(address); !status.ok()) return status;
  grpc::ServerBuilder builder;
  Listener listener;
  builder.AddListeningPort(address, std::move(credentials), &listener.port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else a second process would share the port unnoticed
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMinMs);
  // gRPC inflates a message before it looks at its size. Without the filter that does, a compressed one is refused as
  // it came.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kRequestMessageBytesMax));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits::kHeaderBytesHardMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits::kConnectionStreamsMax);
  builder.SetOption(std::make_unique<NamesOption>(names));
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (observer != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(MakeCallInterceptor(names, observer));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
  }
  listener.server = builder.BuildAndStart();
  if (listener.server == nullptr || listener.port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": is the port in use?"));
  }
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
    auto main = tutti::Listen(options_.address, std::move(credentials->grpc), all, names_, options_.observer);
    if (!main.ok()) return main.status();
    main_ = *std::move(main);
    health_.SetServices(*names_);
    if (options_.observer != nullptr) ObserveServices(*names_, options_.observer);
    if (options_.health_address.empty()) return absl::OkStatus();
    probe_health_.AnswerLiveness();
    auto probe = tutti::Listen(options_.health_address, grpc::InsecureServerCredentials(), {&probe_health_},
                               std::make_shared<ServiceNames>(), /*observer=*/nullptr);
    if (!probe.ok()) return probe.status();
    probe_ = *std::move(probe);
    probe_health_.SetServices(*names_);
    return absl::OkStatus();
  }

  int port() const override { return main_.port; }
  int health_port() const override { return probe_.port; }
  std::vector<CertificateStatus> certificates() const override {
    return certificates_ == nullptr ? std::vector<CertificateStatus>() : certificates_->Status();
  }

  void SetServing(bool serving) override {
    MutexLock lock(&mu_);
    if (draining_) return;
    health_.SetServing(serving);
    probe_health_.SetServing(serving);
  }

  void Drain(const std::function<void()>& end_waits) override {
    MutexLock drain_lock(&drain_mu_);  // a second caller waits for the first
    {
      MutexLock lock(&mu_);
      if (draining_) return;
      draining_ = true;
    }
    health_.SetServing(false);
    probe_health_.SetServing(false);
    if (main_.server != nullptr) {
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.drain_delay_ms));
      gate_->Close();
      std::this_thread::sleep_for(kGateSettles);
      if (end_waits) end_waits();
      health_.EndWatches();
      main_.server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(options_.drain_deadline_ms));
    }
    probe_health_.EndWatches();
    if (probe_.server != nullptr) {
      probe_.server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(options_.drain_deadline_ms));
    }
  }

 private:
  const GrpcServerOptions options_;
  std::shared_ptr<HeldCertificates> certificates_;  // outlives the servers
  const std::shared_ptr<ServiceNames> names_ = std::make_shared<ServiceNames>();
  const std::shared_ptr<CallGate> gate_ = std::make_shared<CallGate>();
  HealthService health_;
  HealthService probe_health_;  // a service object belongs to one server
  const std::vector<std::unique_ptr<grpc::Service>> reflection_ = MakeReflectionServices(names_);
  Listener main_;
  Listener probe_;
  Mutex drain_mu_;
  Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
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
