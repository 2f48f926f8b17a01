#include "participants/sdk/participant_server.h"

#include <cstdio>
#include <map>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/certificate_metrics.h"
#include "common/descriptor_limit.h"
#include "common/grpc_metrics.h"
#include "common/library_logs.h"
#include "common/log_level_file.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/paced_thread.h"
#include "common/port_file.h"
#include "common/program_options.h"
#include "common/version.h"
#include "participants/sdk/fault_service.h"

namespace tutti::participant {
namespace {

constexpr int64_t kDayMs = 24LL * 3600 * 1000;
constexpr int64_t kSweepPauseMs = 50;  // between two bites of the inbox

// Members are destroyed from the last to the first: the server's calls end before what they use.
class Server final : public ParticipantServer {
 public:
  ~Server() override { process_metrics_->DropSources(); }

  absl::Status Init(const ParticipantSpec& spec, const ParticipantOptions& options) {
    if (options.inbox_life_ms < kInboxLifeMsMin) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--inbox-life-days is too short: at least ", kInboxLifeMsMin / kDayMs,
          ", as the orchestrator may send a command again for 7 days; a shorter memory would apply it twice"));
    }
    absl::StatusOr<std::unique_ptr<LocalDb>> db = LocalDb::Open(options.data_dir);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    faults_ = std::make_unique<FaultSwitch>(spec.writing_methods);
    fault_service_ = std::make_unique<FaultServiceImpl>(faults_.get());
    committer_ = std::make_unique<Committer>(
        db_.get(), [this](size_t jobs, double seconds) { metrics_.CountCommit(jobs, seconds); });
    service_ = spec.make_service(
        {db_.get(), committer_.get(), options.enable_fault_injection ? faults_.get() : nullptr, &metrics_, &clock_});

    if (!options.metrics_listen.empty()) {
      absl::StatusOr<std::unique_ptr<MetricsListener>> listener =
          MetricsListener::Start(options.metrics_listen, process_metrics_);
      if (!listener.ok()) return listener.status();
      metrics_listener_ = *std::move(listener);
    }

    std::vector<grpc::Service*> services = {service_.get()};
    if (options.enable_fault_injection) services.push_back(fault_service_.get());
    GrpcServerOptions grpc_options = options.grpc;
    grpc_options.observer = &grpc_metrics_;
    absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Start(grpc_options, services);
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    process_metrics_->AddSource([this](Scrape* scrape) {
      DescribeCertificates(server_->certificates(), "server", /*participant=*/"", scrape);
    });
    process_metrics_->AddSource([this](Scrape* scrape) { DescribeListener(server_->listener(), scrape); });
    server_->SetServing(true);
    sweeper_ = std::make_unique<InboxSweeper>(
        db_.get(), committer_.get(),
        InboxSweeper::Options{.life_ms = options.inbox_life_ms,
                              .on_expired = [this](size_t rows) { metrics_.CountExpired(rows); }});
    sweep_thread_ = std::make_unique<PacedThread>(
        kSweepPauseMs, [this, interval_ms = options.inbox_sweep_interval_ms] { return Sweep(interval_ms); });
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }
  int health_port() const override { return server_->health_port(); }
  int metrics_port() const override { return metrics_listener_ == nullptr ? 0 : metrics_listener_->port(); }
  void Drain() override {
    sweep_thread_->Stop();
    server_->Drain();
  }

 private:
  int64_t Sweep(int64_t interval_ms) {
    const absl::StatusOr<InboxSweeper::Progress> progress = sweeper_->SweepOnce(clock_.WallMs());
    if (!progress.ok()) {
      Log(LogLevel::kError, "the inbox cannot be swept; trying again", {{"error", progress.status().ToString()}});
      return interval_ms;
    }
    return *progress == InboxSweeper::Progress::kDone ? interval_ms : kSweepPauseMs;
  }

  SystemClock clock_;
  std::unique_ptr<LocalDb> db_;
  const std::shared_ptr<ProcessMetrics> process_metrics_ = std::make_shared<ProcessMetrics>();
  ParticipantMetrics metrics_{process_metrics_->registry()};
  GrpcMetrics grpc_metrics_{process_metrics_->registry()};
  std::unique_ptr<FaultSwitch> faults_;
  std::unique_ptr<FaultServiceImpl> fault_service_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<MetricsListener> metrics_listener_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<InboxSweeper> sweeper_;
  std::unique_ptr<PacedThread> sweep_thread_;
};

struct Flags {
  ParticipantOptions options;
  std::string port_file;
  std::string log_level = "info";
  int inbox_life_days = static_cast<int>(kInboxLifeMsDefault / kDayMs);
};

void AddFlags(CLI::App& app, Flags* flags) {
  ParticipantOptions& options = flags->options;
  options.metrics_listen = "127.0.0.1:0";
  app.add_option("--listen", options.grpc.address, "gRPC address; port 0 picks a free one")->capture_default_str();
  app.add_option("--health-listen", options.grpc.health_address, "Plaintext address for gRPC health probes");
  app.add_option("--metrics-listen", options.metrics_listen,
                 "HTTP address of /metrics; port 0 picks a free one, empty: none")
      ->capture_default_str();
  app.add_option("--data-dir", options.data_dir, "directory of the database; made when missing")->required();
  app.add_option("--port-file", flags->port_file, "file to write the bound ports to, as JSON, once serving");
  app.add_option("--tls-certificate", options.grpc.certificate_file, "PEM; re-read when it changes");
  app.add_option("--tls-private-key", options.grpc.private_key_file, "PEM");
  app.add_option("--tls-client-ca", options.grpc.client_ca_file, "PEM; clients must show a certificate of this CA");
  const CLI::AsNumberWithUnit duration(std::map<std::string, int64_t>{{"ms", 1}, {"s", 1'000}, {"m", 60'000}},
                                       CLI::AsNumberWithUnit::UNIT_REQUIRED, "DURATION");
  app.add_option("--drain-delay", options.grpc.drain_delay_ms, "between NOT_SERVING and refusing calls (default 0)")
      ->transform(duration);
  app.add_option("--drain-deadline", options.grpc.drain_deadline_ms, "for calls in flight (default 10s)")
      ->transform(duration);
  app.add_flag("--enable-fault-injection", options.enable_fault_injection,
               "serve tutti.participant.v1.FaultService; never in production");
  app.add_option("--inbox-life-days", flags->inbox_life_days, "how long a command's outcome is remembered")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  app.add_option("--log-level", flags->log_level,
                 "debug, info, warning or error; the file log-level in --data-dir overrides it, read again on SIGHUP")
      ->capture_default_str();
}

int Fail(const absl::Status& status) {
  Log(LogLevel::kError, "cannot start", {{"error", status.ToString()}});
  return 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ParticipantServer>> ParticipantServer::Start(const ParticipantSpec& spec,
                                                                            const ParticipantOptions& options) {
  auto server = std::make_unique<Server>();
  if (absl::Status status = server->Init(spec, options); !status.ok()) return status;
  return server;
}

int ParticipantMain(int argc, char** argv, const ParticipantSpec& spec) {
  BlockTerminationSignals();
  RaiseDescriptorLimit();
  CLI::App app(absl::StrCat("tutti-", spec.name, ": a participant with a barrier and a database of its own"));
  Flags flags;
  AddFlags(app, &flags);
  AddVersion(&app, absl::StrCat("tutti-", spec.name));
  CLI11_PARSE(app, argc, argv);
  LogLevel level;
  if (!ParseLogLevel(flags.log_level, &level)) {
    std::fprintf(stderr, "--log-level must be debug, info, warning or error\n");
    return 2;
  }
  flags.options.inbox_life_ms = flags.inbox_life_days * kDayMs;
  InitLogging(spec.name, level);
  TakeOverLibraryLogs();
  Log(LogLevel::kInfo, "starting",
      {{"version", kVersion},
       {"revision", kRevision},
       {"options", GivenOptions(app)},
       {"data_dir", flags.options.data_dir},
       {"listen", flags.options.grpc.address},
       {"health_listen", flags.options.grpc.health_address},
       {"metrics_listen", flags.options.metrics_listen}});
  const auto read_log_level = [&] { ReadLogLevel(flags.options.data_dir, level); };
  read_log_level();
  absl::StatusOr<std::unique_ptr<ParticipantServer>> server = ParticipantServer::Start(spec, flags.options);
  if (!server.ok()) return Fail(server.status());
  if (!flags.port_file.empty()) {
    absl::Status written = WritePortFile(
        flags.port_file,
        {.grpc = (*server)->port(), .health = (*server)->health_port(), .metrics = (*server)->metrics_port()});
    if (!written.ok()) return Fail(written);
  }
  Log(LogLevel::kInfo, "serving",
      {{"grpc_port", std::to_string((*server)->port())}, {"metrics_port", std::to_string((*server)->metrics_port())}});
  WaitForTermination(read_log_level);
  Log(LogLevel::kInfo, "draining");
  (*server)->Drain();
  Log(LogLevel::kInfo, "stopped");
  return 0;
}

}  // namespace tutti::participant
