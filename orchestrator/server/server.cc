#include "orchestrator/server/server.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/certificate_metrics.h"
#include "common/limits.h"
#include "common/logging.h"
#include "common/port_file.h"
#include "orchestrator/metrics/metric_names.h"
#include "orchestrator/server/scrape_sources.h"
#include "orchestrator/store/restore.h"

namespace tutti::server {
namespace {

// A client that comes back later connects anew, without hearing of it.
constexpr int64_t kIdleConnectionMs = 10 * 60 * 1000;
constexpr char kReserveFile[] = "RESERVE";
constexpr uint64_t kLogBytesMin = 16u << 20;
constexpr uint64_t kStoreMemoryShare = 8;  // for cached blocks, and again for what no table holds yet

std::set<std::string> NamesOf(const std::vector<Participant>& participants) {
  std::set<std::string> names;
  for (const Participant& participant : participants) names.insert(participant.endpoint.name);
  return names;
}

constexpr int64_t kMissedLookMs = 60'000;

std::filesystem::path StorePath(const Options& options) {
  return std::filesystem::path(options.data_dir) / "store";
}

bool IsWithin(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  std::error_code error;
  const auto from = std::filesystem::weakly_canonical(inner, error);
  const auto relative = from.lexically_relative(std::filesystem::weakly_canonical(outer, error));
  return !relative.empty() && *relative.begin() != "..";
}

std::string Describe(const storage::v1::HoldRecord& record) {
  return absl::StrCat(
      "the store was restored from backup ", record.backup().backup_id(), " of ",
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMillis(record.backup().created_ms()), absl::UTCTimeZone()));
}

saga::Hold HoldOf(const store::Hold& hold) {
  if (!hold.held()) return {};
  const storage::v1::HoldRecord record = *hold.record();
  Log(LogLevel::kWarning, "the store is held: new sagas are refused, and those that were open wait for an operator",
      {{"why", Describe(record)}});
  return {.id = record.hold_id(), .what = Describe(record)};
}

}  // namespace

absl::Status RestoreStore(const Options& options) {
  std::error_code error;
  std::filesystem::create_directories(options.data_dir, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("--data-dir ", options.data_dir, ": ", error.message()));
  }
  Log(LogLevel::kInfo, "restoring", {{"from", options.restore_from}, {"into", StorePath(options).string()}});
  const auto hold = store::Restore({.backup_folder = options.restore_from,
                                    .backup_id = options.restore_backup_id,
                                    .path = StorePath(options).string(),
                                    .now_ms = SystemClock().WallMs()});
  if (!hold.ok()) return hold.status();
  Log(LogLevel::kInfo, "restored; the store is held until an operator releases it", {{"what", Describe(*hold)}});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options) {
  std::unique_ptr<Server> server(new Server(options));
  for (const auto step : {&Server::ServeMetrics, &Server::OpenStore, &Server::BeginBackups, &Server::LoadParticipants,
                          &Server::StartShards, &Server::StartSweeping, &Server::Serve, &Server::WritePortFile}) {
    if (absl::Status status = (server.get()->*step)(); !status.ok()) return status;
  }
  return server;
}

Server::~Server() {
  GoDown(/*reply_drain_ms=*/0);
}

absl::Status Server::ServeMetrics() {
  if (options_.metrics_address.empty()) return absl::OkStatus();
  auto listener = MetricsListener::Start(options_.metrics_address, process_metrics_);
  if (!listener.ok()) return listener.status();
  metrics_listener_ = *std::move(listener);
  return absl::OkStatus();
}

absl::Status Server::OpenStore() {
  std::error_code error;
  std::filesystem::create_directories(options_.data_dir, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("--data-dir ", options_.data_dir, ": ", error.message()));
  }
  const auto store_options = StoreOptions();
  if (!store_options.ok()) return store_options.status();
  auto store = store::RocksDbStore::Open(*store_options);
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  // The log was replayed, and what that took is free again.
  ReturnFreeMemory();
  hold_ = std::make_unique<store::Hold>(store_.get(), store_->hold());
  backups_ = std::make_unique<store::Backups>(
      store_.get(),
      store::Backups::Options{.folder = options_.backup_dir,
                              .bytes_per_second = static_cast<uint64_t>(options_.backup_bytes_per_second)});
  catalog_ = std::make_unique<catalog::Catalog>(store_.get(), store_.get(), &participants_, &clock_);
  if (absl::Status status = catalog_->Load(); !status.ok()) return status;
  process_metrics_->AddSource([this](Scrape* scrape) {
    DescribeStore(*store_, scrape);
    DescribeVolume(options_.data_dir, scrape);
    DescribeBackups(*backups_, scrape);
    scrape->Set(metrics::kStoreHeld, {}, hold_->held() ? 1 : 0);
    for (const auto& newest : catalog_->List()) saga_metrics_.AddDefinition(*newest->compiled->recipe());
    saga_metrics_.Describe(scrape);
  });
  return absl::OkStatus();
}

absl::StatusOr<store::RocksDbStoreOptions> Server::StoreOptions() {
  const std::filesystem::path folder(options_.data_dir);
  const absl::StatusOr<store::Room> room = store::ReadRoom(options_.data_dir);
  if (!room.ok()) return room.status();
  const uint64_t usual_reserve = store::DefaultReserveBytes(*room);
  reserve_ = std::make_unique<store::DiskReserve>(
      store::DiskReserve::Options{.file = folder / kReserveFile,
                                  .bytes = options_.disk_reserve_bytes.value_or(usual_reserve)},
      [path = options_.data_dir] { return store::ReadRoom(path); });
  store::RocksDbStoreOptions store_options;
  store_options.path = StorePath(options_).string();
  store_options.reserve = reserve_.get();
  // What the logs hold must find room in tables even when the volume is full.
  store_options.log_bytes_max = std::clamp(usual_reserve, kLogBytesMin, store_options.log_bytes_max);
  // Of little memory the store takes a part, so that some is left for sagas.
  const uint64_t share = admission_.memory_limit_bytes() / kStoreMemoryShare;
  if (share < store_options.block_cache_bytes) store_options.block_cache_bytes = share;
  if (share < store_options.log_bytes_max) store_options.write_buffers_bytes = share;
  store_options.observer = [this](const store::CommitReport& report) {
    engine_metrics_.OnCommit(report.seconds, report.sagas);
  };
  store_options.on_unreadable = [this](const store::UnreadableRecord& record) {
    saga_metrics_.OnUnreadable(record.saga_id, absl::DataLossError(record.error));
  };
  return store_options;
}

// A folder that is not there yet, or not now, keeps nobody from serving sagas: whoever asks for a backup is told.
absl::Status Server::BeginBackups() {
  if (options_.backup_dir.empty()) return absl::OkStatus();
  if (IsWithin(options_.backup_dir, StorePath(options_))) {
    return absl::FailedPreconditionError(absl::StrCat("--backup-dir ", options_.backup_dir,
                                                      " lies in the store's own folder, ", StorePath(options_).string(),
                                                      "; give another, on another volume if there is one"));
  }
  if (absl::Status status = backups_->Begin(); !status.ok()) {
    Log(LogLevel::kError, "backups cannot be made", {{"reason", status.message()}});
  }
  return absl::OkStatus();
}

absl::Status Server::LoadParticipants() {
  absl::StatusOr<std::vector<Participant>> participants = ReadParticipants(options_.participants_file);
  if (!participants.ok()) return participants.status();
  // The router does not exist yet, but neither does anything that could reply.
  const effects::EventSink sink = [this](saga::Event event) { router_->PostEvent(std::move(event)); };
  timers_ = std::make_unique<effects::TimerQueue>(&clock_, sink,
                                                  effects::TimerQueue::Options{.on_lag = [this](int64_t lag_ms) {
                                                    engine_metrics_.OnTimerLag(static_cast<double>(lag_ms) / 1000.0);
                                                  }});
  effects::ParticipantInvoker::Options invoker_options;
  invoker_options.on_not_sent = [this](const std::string& participant) { engine_metrics_.OnNotSent(participant); };
  invoker_ = std::make_unique<effects::ParticipantInvoker>(&clock_, sink, std::move(invoker_options));
  // Whoever starts the whole anew may bring the rest of the file later.
  const auto missed = FindMissed(*catalog_, *store_, NamesOf(*participants));
  if (!missed.ok()) return missed.status();
  missed_.Set(*missed);
  return SetParticipants(*participants);
}

absl::Status Server::SetParticipants(const std::vector<Participant>& participants) {
  std::vector<effects::ParticipantEndpoint> endpoints;
  for (const Participant& participant : participants) endpoints.push_back(participant.endpoint);
  if (absl::Status status = invoker_->SetParticipants(endpoints); !status.ok()) return status;
  participants_.Replace(participants);
  for (const Participant& participant : participants) engine_metrics_.AddParticipant(participant.endpoint.name);
  return absl::OkStatus();
}

// A typo in a name would leave sagas without their service, and nobody would hear of it but their callers.
absl::Status Server::CheckMissed(const std::vector<Participant>& participants) {
  const auto missed = FindMissed(*catalog_, *store_, NamesOf(participants));
  if (!missed.ok()) return missed.status();
  if (missed->empty() || options_.allow_missing) {
    missed_.Set(*missed);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(options_.participants_file, " lacks participants that are called: ", Describe(*missed),
                   "; name them again, or disable those definitions and let their sagas end, or start with "
                   "--allow-missing"));
}

void Server::LookForMissed() {
  std::set<std::string> known;
  for (const effects::ParticipantStatus& participant : invoker_->Status()) known.insert(participant.name);
  const auto missed = FindMissed(*catalog_, *store_, known);
  if (missed.ok()) missed_.Set(*missed);
}

void Server::ReloadParticipants() {
  absl::StatusOr<std::vector<Participant>> participants = ReadParticipants(options_.participants_file);
  absl::Status status = participants.status();
  if (status.ok()) status = CheckMissed(*participants);
  if (status.ok()) status = SetParticipants(*participants);
  if (!status.ok()) {
    return Log(LogLevel::kError, "participants were not reloaded; the former ones hold",
               {{"reason", status.message()}});
  }
  Log(LogLevel::kInfo, "participants reloaded", {{"count", absl::StrCat(participants->size())}});
}

absl::Status Server::StartShards() {
  const shard::ShardContext context{.machine = &machine_,
                                    .recipes = catalog_.get(),
                                    .store = store_.get(),
                                    .reader = store_.get(),
                                    .sender = invoker_.get(),
                                    .timers = timers_.get(),
                                    .publisher = &hub_,
                                    .observer = &saga_metrics_,
                                    .clock = &clock_,
                                    .hold = HoldOf(*hold_)};
  router_ = std::make_unique<shard::ShardRouter>(context, options_.shards, [](const absl::Status& detail) {
    // After a failed sync nobody can say what is on disk. Opening the store again can.
    Log(LogLevel::kError, "a commit did not end durable; restarting is the only way to know what is there",
        {{"reason", detail.message()}});
    std::_Exit(75);
  });
  const int64_t began_ms = clock_.MonotonicMs();
  if (absl::Status status = router_->Start(); !status.ok()) return status;
  const int64_t duration_ms = clock_.MonotonicMs() - began_ms;
  engine_metrics_.OnRecoveryOver(static_cast<double>(duration_ms) / 1000.0);
  ReturnFreeMemory();
  room_keeper_ = std::make_unique<RoomKeeper>(&admission_, reserve_.get(), ResidentBytes,
                                              [this] { return router_->resident_bytes(); });
  process_metrics_->AddSource([this](Scrape* scrape) {
    DescribeMailboxes(*router_, scrape);
    DescribeRoom(*router_, *reserve_, admission_.memory_limit_bytes(), scrape);
    DescribeParticipants(*invoker_, missed_.names(), scrape);
    scrape->Set(metrics::kTimersPending, {}, static_cast<double>(timers_->size()));
  });
  Log(LogLevel::kInfo, "recovered", {{"duration_ms", absl::StrCat(duration_ms)}});
  return absl::OkStatus();
}

absl::Status Server::StartSweeping() {
  sweeper_ = std::make_unique<retention::Sweeper>(
      store_.get(),
      [this](std::string saga_id, int64_t ended_by_ms, shard::ExpireDone done) {
        router_->Expire(std::move(saga_id), ended_by_ms, std::move(done));
      },
      retention::Sweeper::Options{.retention_ms = options_.id_retention_ms});
  // More than a batch waits: the sagas that run come first.
  const auto busy = [this] { return router_->mailbox_depth() > limits::kShardBatchMax; };
  sweep_thread_ = std::make_unique<retention::SweepThread>(
      sweeper_.get(), &clock_, busy,
      retention::SweepThread::Options{.interval_ms = options_.sweep_interval_ms,
                                      .on_walk_over = [this] { store_->Reclaim(reserve_->short_of_room()); }});
  process_metrics_->AddSource([this, began_ms = clock_.WallMs()](Scrape* scrape) {
    DescribeSweep(*sweeper_, began_ms, clock_.WallMs(), scrape);
  });
  return absl::OkStatus();
}

absl::Status Server::Serve() {
  definitions_ = std::make_unique<api::CatalogDefinitions>(catalog_.get(), &participants_);
  saga_service_ = std::make_unique<api::SagaService>(api::SagaService::Rooms{.router = router_.get(),
                                                                             .reader = store_.get(),
                                                                             .definitions = definitions_.get(),
                                                                             .hub = &hub_,
                                                                             .admission = &admission_,
                                                                             .hold = hold_.get()});
  admin_service_ = std::make_unique<api::AdminService>(
      api::AdminService::Rooms{.backups = backups_.get(), .hold = hold_.get(), .clock = &clock_});
  definition_service_ = std::make_unique<api::DefinitionService>(definitions_.get());
  GrpcServerOptions grpc_options = options_.grpc;
  grpc_options.observer = &grpc_metrics_;
  grpc_options.connections.idle_ms = kIdleConnectionMs;
  auto grpc_server =
      GrpcServer::Start(grpc_options, {saga_service_.get(), definition_service_.get(), admin_service_.get()});
  if (!grpc_server.ok()) return grpc_server.status();
  grpc_server_ = *std::move(grpc_server);
  process_metrics_->AddSource([this](Scrape* scrape) {
    DescribeCertificates(grpc_server_->certificates(), "server", /*participant=*/"", scrape);
  });
  missed_thread_ = std::make_unique<PacedThread>(kMissedLookMs, [this] {
    LookForMissed();
    return kMissedLookMs;
  });
  process_metrics_->AddSource([this](Scrape* scrape) { DescribeListener(grpc_server_->listener(), scrape); });
  grpc_server_->SetServing(true);
  engine_metrics_.SetReady(true);
  Log(LogLevel::kInfo, "serving",
      {{"port", absl::StrCat(grpc_server_->port())},
       {"health_port", absl::StrCat(grpc_server_->health_port())},
       {"metrics_port", absl::StrCat(metrics_listener_ == nullptr ? 0 : metrics_listener_->port())}});
  return absl::OkStatus();
}

absl::Status Server::WritePortFile() {
  if (options_.port_file.empty()) return absl::OkStatus();
  return tutti::WritePortFile(options_.port_file,
                              {.grpc = grpc_server_->port(),
                               .health = grpc_server_->health_port(),
                               .metrics = metrics_listener_ == nullptr ? 0 : metrics_listener_->port()});
}

void Server::Shutdown() {
  Log(LogLevel::kInfo, "draining");
  GoDown(options_.reply_drain_ms);
  Log(LogLevel::kInfo, "stopped");
}

// Whoever hands work on ends before whoever takes it. What a start that failed did not get to make is not there.
void Server::GoDown(int64_t reply_drain_ms) {
  if (std::exchange(down_, true)) return;
  engine_metrics_.SetReady(false);
  if (store_ != nullptr) store_->CancelReclaim();
  if (sweep_thread_ != nullptr) sweep_thread_->Stop();
  if (missed_thread_ != nullptr) missed_thread_->Stop();
  const auto end_waits = [this] {
    saga_service_->EndWaits();
    admin_service_->EndWaits();
  };
  if (grpc_server_ != nullptr) grpc_server_->Drain(end_waits);
  if (router_ != nullptr) router_->Drain(reply_drain_ms);
  if (invoker_ != nullptr) invoker_->Shutdown();
  if (timers_ != nullptr) timers_->Stop();
  if (room_keeper_ != nullptr) room_keeper_->Stop();
  process_metrics_->DropSources();
  if (backups_ != nullptr) {
    backups_->Stop();
    backups_->AwaitIdle();
  }
  // The store writes what it was handed over when it goes, and tells the shards, which are still there.
  store_.reset();
}

}  // namespace tutti::server
