// What the service tests share: a server on loopback over a memory store, with a router the test plays.
#ifndef TUTTI_ORCHESTRATOR_API_SERVICE_WORLD_H_
#define TUTTI_ORCHESTRATOR_API_SERVICE_WORLD_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "google/protobuf/struct.pb.h"
#include "grpcpp/server.h"
#include "orchestrator/api/definition_service.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/api/saga_service.h"
#include "orchestrator/effects/watch_hub.h"
#include "orchestrator/shard/router.h"
#include "orchestrator/store/memory_store.h"
#include "tutti/v1/definition_service.grpc.pb.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::api {

google::protobuf::Struct Json(const std::string& json);

// One step, "charge" at "payment". The input must have a field `user`; `price` is a string when read back.
class FakeDefinition final : public definition::CompiledDefinition {
 public:
  explicit FakeDefinition(const std::string& name, int64_t revision);
  std::shared_ptr<const saga::Recipe> recipe() const override { return recipe_; }
  absl::StatusOr<std::string> EncodeInput(const google::protobuf::Struct& input) const override;
  absl::StatusOr<google::protobuf::Struct> DecodeInput(absl::string_view encoded) const override;
  // Nothing in is nothing out; anything else becomes "reply".
  absl::StatusOr<std::optional<std::string>> EncodeReply(
      absl::string_view step, const std::optional<google::protobuf::Struct>& reply) const override;
  absl::StatusOr<std::map<std::string, std::string>> MapLabels(absl::string_view encoded_input) const override;

 private:
  std::shared_ptr<saga::Recipe> recipe_;
};

// "book-ticket" in revisions 1 and 2, and whatever is applied: the source is the name.
class FakeDefinitions final : public Definitions {
 public:
  FakeDefinitions();
  absl::StatusOr<catalog::ApplyResult> Apply(absl::string_view source, bool dry_run) override;
  absl::StatusOr<std::shared_ptr<const catalog::Revision>> Get(absl::string_view name, int64_t revision) const override;
  std::vector<std::shared_ptr<const catalog::Revision>> List() const override;
  std::optional<storage::v1::DisablementRecord> FindDisablement(absl::string_view name) const override;
  absl::Status Disable(absl::string_view name, absl::string_view reason, absl::string_view by) override;
  absl::Status Enable(absl::string_view name) override;

 private:
  std::shared_ptr<const catalog::Revision> Add(const std::string& name, int64_t revision) ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  std::map<std::string, std::map<int64_t, std::shared_ptr<const catalog::Revision>>, std::less<>> revisions_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, storage::v1::DisablementRecord, std::less<>> disablements_ ABSL_GUARDED_BY(mu_);
};

// Starts are as the shards make them; cancels answer as told.
class FakeRouter final : public shard::Router {
 public:
  FakeRouter(store::MemoryStore* store, effects::WatchHub* hub) : store_(store), hub_(hub) {}

  void Start(shard::StartRequest request, shard::StartDone done) override;
  void Tell(std::string saga_id, shard::SagaWord word, shard::SagaDone done) override;

  // Commits and publishes, as a shard does. Adds one history event per type.
  void Write(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events);
  // As Write, but nobody is told.
  void WriteSilently(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events) {
    Commit(record, events);
  }

  void RefuseStarts(absl::Status status);
  shard::StartRequest last_start() const;
  // "b-1|cancel by u1: changed my mind"
  std::string last_word() const;

 private:
  std::vector<v1::HistoryEvent> Commit(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events);

  store::MemoryStore* const store_;
  effects::WatchHub* const hub_;
  Mutex start_mu_;  // one start at a time, as on a shard; taken before mu_
  mutable Mutex mu_;
  absl::Status refusal_ ABSL_GUARDED_BY(mu_);
  shard::StartRequest last_start_ ABSL_GUARDED_BY(mu_);
  std::string last_word_ ABSL_GUARDED_BY(mu_);
};

class ServiceWorld {
 public:
  ServiceWorld();
  ~ServiceWorld();

  v1::SagaService::Stub& sagas() { return *sagas_; }
  v1::DefinitionService::Stub& definitions() { return *definition_stub_; }
  FakeRouter& router() { return router_; }
  effects::WatchHub& hub() { return hub_; }
  void EndWaits() { saga_service_.EndWaits(); }

  // A running saga in the store, with SAGA_STARTED as its history.
  storage::v1::SagaRecord NewSaga(const std::string& saga_id);
  // Waits until so many calls wait at the hub; false when that takes too long.
  bool AwaitSubscriptions(int64_t count) const;

 private:
  store::MemoryStore store_;
  effects::WatchHub hub_;
  FakeDefinitions fake_definitions_;
  FakeRouter router_;
  SagaService saga_service_;
  DefinitionService definition_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::SagaService::Stub> sagas_;
  std::unique_ptr<v1::DefinitionService::Stub> definition_stub_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SERVICE_WORLD_H_
