// A world around shards, for tests: a recipe of two steps, sinks that remember, a store in memory.
#ifndef TUTTI_ORCHESTRATOR_SHARD_SHARD_WORLD_H_
#define TUTTI_ORCHESTRATOR_SHARD_SHARD_WORLD_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "orchestrator/shard/shard_core.h"
#include "orchestrator/store/memory_store.h"

namespace tutti::shard {

// Thread-safe: the loop's tests call it from several threads.
class ShardWorld final : public saga::RecipeSource,
                         public saga::ParticipantTraitsSource,
                         public effects::CommandSender,
                         public effects::TimerService,
                         public effects::Publisher,
                         public ShardObserver {
 public:
  // inline_done: see MemoryStore.
  explicit ShardWorld(bool inline_done);

  ShardContext context();
  void UseStore(std::unique_ptr<store::MemoryStore> store) { store_ = std::move(store); }
  store::MemoryStore& store() { return *store_; }

  std::shared_ptr<const saga::Recipe> Find(absl::string_view definition, int64_t revision) const override;
  saga::ParticipantTraits TraitsOf(absl::string_view) const override { return {}; }
  void Send(saga::SendCommand command) override;
  void Drop(const saga::DropCommand& command) override;
  void Set(saga::SetTimer timer) override;
  void Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) override;
  void OnHistory(const storage::v1::SagaRecord&, const std::vector<v1::HistoryEvent>&) override {}
  void OnRecovered(const storage::v1::SagaRecord&) override {}
  void OnExpired(const storage::v1::SagaRecord& record) override { Note("expired " + record.saga_id()); }
  void OnUnreadable(const std::string& saga_id, const absl::Status& why) override {
    Note("unreadable " + saga_id + " " + why.ToString());
  }
  void OnBatch(size_t events) override;
  void OnMailboxWaits(const std::vector<double>& seconds) override { waits_told_ += seconds.size(); }

  // What left since the last call, in order: "send s1 charge/action#1", "drop …", "publish s1 RUNNING …".
  std::vector<std::string> TakeLog();
  size_t largest_batch() const { return largest_batch_; }
  size_t waits_told() const { return waits_told_; }  // one for each message
  // Runs for every Send, before it is logged. Set it before the shards start.
  std::function<void(const saga::SendCommand&)> on_send;
  saga::Hold hold;  // of the shards that are made from here on

  static StartRequest StartOf(std::string saga_id, std::string fingerprint = "fp");
  static saga::Event ReplyTo(const std::string& saga_id, const std::string& step, v1::Operation operation, int attempt,
                             saga::StatusCode code);

 private:
  void Note(std::string line);

  saga::StateMachine machine_;
  std::shared_ptr<const saga::Recipe> recipe_;
  std::unique_ptr<store::MemoryStore> store_;
  SystemClock clock_;
  std::atomic<size_t> largest_batch_{0};
  std::atomic<size_t> waits_told_{0};
  Mutex mu_;
  std::vector<std::string> log_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::shard

#endif  // TUTTI_ORCHESTRATOR_SHARD_SHARD_WORLD_H_
