// What the service tests share: a server on loopback over a memory store, with a router the test plays.
#ifndef TUTTI_ORCHESTRATOR_API_SERVICE_WORLD_H_
#define TUTTI_ORCHESTRATOR_API_SERVICE_WORLD_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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

// Where work is held until somebody opens it. Open at first.
class Gate {
 public:
  void Close() {
    MutexLock lock(&mu_);
    open_ = false;
  }
  void Open() {
    MutexLock lock(&mu_);
    open_ = true;
    changed_.SignalAll();
  }
  void Pass();
  // False when that takes too long.
  bool AwaitWaiting(int count);

 private:
  Mutex mu_;
  CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mu_) = true;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

// Another reader's answers; for those that change some of them.
class ForwardingReader : public store::SagaReader {
 public:
  explicit ForwardingReader(const store::SagaReader* reader) : reader_(reader) {}
  absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view saga_id) const override {
    return reader_->GetSaga(saga_id);
  }
  absl::StatusOr<std::string> GetRaw(absl::string_view saga_id) const override { return reader_->GetRaw(saga_id); }
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                           int limit) const override {
    return reader_->GetHistory(saga_id, from_sequence, limit);
  }
  absl::StatusOr<store::ListPage> ListSagas(const store::ListQuery& query) const override {
    return reader_->ListSagas(query);
  }
  absl::StatusOr<store::EndedPage> FindEnded(const store::EndedQuery& query) const override {
    return reader_->FindEnded(query);
  }
  absl::Status ForEachActive(uint32_t first_slot, uint32_t end_slot, const store::RecordVisitor& visitor,
                             const store::UnreadableVisitor& unreadable) const override {
    return reader_->ForEachActive(first_slot, end_slot, visitor, unreadable);
  }
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override {
    return reader_->GetDefinitions();
  }

 private:
  const store::SagaReader* const reader_;
};

// Listings and histories can be held; histories are counted.
class GatedReader final : public ForwardingReader {
 public:
  using ForwardingReader::ForwardingReader;
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                           int limit) const override {
    ++history_reads;
    histories.Pass();
    return ForwardingReader::GetHistory(saga_id, from_sequence, limit);
  }
  absl::StatusOr<store::ListPage> ListSagas(const store::ListQuery& query) const override {
    lists.Pass();
    return ForwardingReader::ListSagas(query);
  }

  mutable Gate lists;
  mutable Gate histories;
  mutable std::atomic<int> history_reads{0};
};

// One step, "charge" at "payment". The input must have a field `user`; `price` is kept as a string.
class FakeDefinition final : public definition::CompiledDefinition {
 public:
  explicit FakeDefinition(const std::string& name, int64_t revision);
  std::shared_ptr<const saga::Recipe> recipe() const override { return recipe_; }
  absl::StatusOr<std::string> EncodeInput(const google::protobuf::Struct& input) const override;
  absl::StatusOr<google::protobuf::Struct> DecodeInput(absl::string_view encoded) const override;
  // Nothing in is nothing out; an empty reply becomes "reply".
  absl::StatusOr<std::optional<std::string>> EncodeReply(
      absl::string_view step, const std::optional<google::protobuf::Struct>& reply) const override;
  absl::StatusOr<std::map<std::string, std::string>> MapLabels(absl::string_view encoded_input) const override;

 private:
  std::shared_ptr<saga::Recipe> recipe_;
};

// "book-ticket" in revisions 1 and 2, and whatever is applied: the source is the name. Applies can be held.
class FakeDefinitions final : public Definitions {
 public:
  FakeDefinitions();
  absl::StatusOr<catalog::ApplyResult> Apply(absl::string_view source, bool dry_run) override;
  absl::StatusOr<std::shared_ptr<const catalog::Revision>> Get(absl::string_view name, int64_t revision) const override;
  std::vector<std::shared_ptr<const catalog::Revision>> List() const override;
  std::optional<storage::v1::DisablementRecord> FindDisablement(absl::string_view name) const override;
  bool KnowsParticipant(absl::string_view participant) const override;
  absl::Status Disable(absl::string_view name, absl::string_view reason, absl::string_view by) override;
  absl::Status Enable(absl::string_view name) override;

  // Nothing is known any more until it is called again with true.
  void SetParticipantsKnown(bool known) { participants_known_ = known; }

  Gate applies;

 private:
  std::shared_ptr<const catalog::Revision> Add(const std::string& name, int64_t revision) ABSL_LOCKS_EXCLUDED(mu_);

  std::atomic<bool> participants_known_{true};
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
  void Write(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events,
             const std::string& message = "");
  // As Write, but nobody is told.
  void WriteSilently(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events) {
    Commit(record, events, /*message=*/"");
  }

  void RefuseStarts(absl::Status status);
  shard::StartRequest last_start() const;
  // "b-1|cancel by u1: changed my mind"
  std::string last_word() const;

 private:
  std::vector<v1::HistoryEvent> Commit(storage::v1::SagaRecord* record, const std::vector<v1::EventType>& events,
                                       const std::string& message);

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
  // `hold`: of a store that was restored from a backup.
  explicit ServiceWorld(std::optional<storage::v1::HoldRecord> hold = std::nullopt);
  ~ServiceWorld();

  v1::SagaService::Stub& sagas() { return *sagas_; }
  v1::DefinitionService::Stub& definitions() { return *definition_stub_; }
  Admission& admission() { return admission_; }
  FakeRouter& router() { return router_; }
  effects::WatchHub& hub() { return hub_; }
  GatedReader& reader() { return reader_; }
  FakeDefinitions& fake_definitions() { return fake_definitions_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }
  void EndWaits() { saga_service_.EndWaits(); }
  store::Hold& hold() { return hold_; }

  // A running saga in the store, with SAGA_STARTED as its history.
  storage::v1::SagaRecord NewSaga(const std::string& saga_id);
  // Waits until so many calls wait at the hub; false when that takes too long.
  bool AwaitSubscriptions(int64_t count) const;

 private:
  store::MemoryStore store_;
  GatedReader reader_;
  effects::WatchHub hub_;
  FakeDefinitions fake_definitions_;
  FakeRouter router_;
  Admission admission_{/*memory_limit_bytes=*/0};
  store::Hold hold_;
  SagaService saga_service_;
  DefinitionService definition_service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SagaService::Stub> sagas_;
  std::unique_ptr<v1::DefinitionService::Stub> definition_stub_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_SERVICE_WORLD_H_
