// The orchestrator, put together: the only place that knows which concrete room stands behind which interface.
#ifndef TUTTI_ORCHESTRATOR_SERVER_SERVER_H_
#define TUTTI_ORCHESTRATOR_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/grpc_metrics.h"
#include "common/memory.h"
#include "common/metrics.h"
#include "common/paced_thread.h"
#include "common/process_metrics.h"
#include "orchestrator/api/admin_service.h"
#include "orchestrator/api/admission.h"
#include "orchestrator/api/catalog_definitions.h"
#include "orchestrator/api/definition_service.h"
#include "orchestrator/api/saga_service.h"
#include "orchestrator/catalog/catalog.h"
#include "orchestrator/effects/participant_invoker.h"
#include "orchestrator/effects/timer_queue.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/metrics/engine_metrics.h"
#include "orchestrator/metrics/saga_metrics.h"
#include "orchestrator/retention/sweep_thread.h"
#include "orchestrator/server/missed_participants.h"
#include "orchestrator/server/options.h"
#include "orchestrator/server/participants.h"
#include "orchestrator/server/room_keeper.h"
#include "orchestrator/shard/shard_router.h"
#include "orchestrator/store/backups.h"
#include "orchestrator/store/hold.h"
#include "orchestrator/store/rocksdb_store.h"

namespace tutti::server {

// Makes a store of the backup that the options name, and nothing more.
absl::Status RestoreStore(const Options& options);

// Not thread-safe: main's thread drives it.
class Server {
 public:
  // Opens the store, reads definitions, recovers every saga, then serves.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options);
  ~Server();

  // Reads participants.yaml again. A file with a mistake changes nothing and is logged.
  void ReloadParticipants();

  // Refuses new requests, hears out what is under way, leaves everything durable. Blocks.
  void Shutdown();

 private:
  explicit Server(const Options& options) : options_(options) {}

  // The one way down, of a server that serves and of one whose start failed half-way. Afterwards no thread of the rooms
  // runs, so that the order in which they are destroyed does not matter.
  void GoDown(int64_t reply_drain_ms);

  // FAILED_PRECONDITION when somebody would miss what is not among them any more.
  absl::Status CheckMissed(const std::vector<Participant>& participants);
  // What is missed changes when sagas end and definitions are enabled, too.
  void LookForMissed();
  absl::Status SetParticipants(const std::vector<Participant>& participants);

  // First of all, so that a long recovery can be watched.
  absl::Status ServeMetrics();
  absl::Status OpenStore();
  absl::StatusOr<store::RocksDbStoreOptions> StoreOptions();
  absl::Status LoadParticipants();
  absl::Status StartShards();
  absl::Status BeginBackups();
  absl::Status StartSweeping();
  absl::Status Serve();
  absl::Status WritePortFile();

  const Options options_;
  bool down_ = false;
  SystemClock clock_;
  const std::shared_ptr<ProcessMetrics> process_metrics_ = std::make_shared<ProcessMetrics>();
  metrics::EngineMetrics engine_metrics_{process_metrics_->registry()};
  metrics::SagaMetrics saga_metrics_{process_metrics_->registry(), &clock_};
  GrpcMetrics grpc_metrics_{process_metrics_->registry()};
  Participants participants_;
  MissedParticipants missed_;
  saga::StateMachine machine_{options_.saga, &participants_};
  effects::WatchHub hub_;
  std::unique_ptr<store::DiskReserve> reserve_;
  api::Admission admission_{options_.memory_limit_bytes != 0 ? options_.memory_limit_bytes : SystemMemoryLimit()};
  std::unique_ptr<store::RocksDbStore> store_;
  std::unique_ptr<store::Hold> hold_;
  std::unique_ptr<store::Backups> backups_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<shard::ShardRouter> router_;
  std::unique_ptr<retention::Sweeper> sweeper_;
  std::unique_ptr<retention::SweepThread> sweep_thread_;
  std::unique_ptr<RoomKeeper> room_keeper_;
  std::unique_ptr<effects::TimerQueue> timers_;
  std::unique_ptr<effects::ParticipantInvoker> invoker_;
  std::unique_ptr<api::CatalogDefinitions> definitions_;
  std::unique_ptr<api::SagaService> saga_service_;
  std::unique_ptr<api::DefinitionService> definition_service_;
  std::unique_ptr<PacedThread> missed_thread_;
  std::unique_ptr<api::AdminService> admin_service_;
  std::unique_ptr<MetricsListener> metrics_listener_;
  std::unique_ptr<GrpcServer> grpc_server_;
};

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_SERVER_H_
