// One shard's logic, without a thread of its own: messages in, one write set out, effects released when it is durable.
// Everything is called by one thread (the loop, a test, a simulator); only the `done` of a commit comes from elsewhere,
// and it does no more than post CommitFinished back.
#ifndef TUTTI_ORCHESTRATOR_SHARD_SHARD_CORE_H_
#define TUTTI_ORCHESTRATOR_SHARD_SHARD_CORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/clock.h"
#include "orchestrator/effects/effect_sinks.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/shard/router.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::shard {

struct StartMessage {
  StartRequest request;
  StartDone done;
};

struct WordMessage {
  std::string saga_id;
  SagaWord word;
  SagaDone done;
};

// Whether the saga expires by this message, once that is durable. False: there is none of this id, it is active or
// ended later, or its expiry is under way already.
using ExpireDone = std::function<void(absl::StatusOr<bool>)>;

// Forgets a saga that ended at or before this time, milliseconds since the epoch.
struct ExpireMessage {
  std::string saga_id;
  int64_t ended_by_ms = 0;
  ExpireDone done;
};

struct CommitFinished {
  store::CommitResult result = store::CommitResult::kUnknown;
  absl::Status detail;
};

using Message = std::variant<saga::Event, StartMessage, WordMessage, ExpireMessage, CommitFinished>;

// Told what became durable, on the shard's thread. For metrics; must not block.
class ShardObserver {
 public:
  virtual ~ShardObserver() = default;
  virtual void OnHistory(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) = 0;
  // Once per saga read back at recovery.
  virtual void OnRecovered(const storage::v1::SagaRecord& record) = 0;
  // The saga is gone from the store; this is its last record.
  virtual void OnExpired(const storage::v1::SagaRecord& record) = 0;
  // The saga's record was there, at recovery or since, and could not be read. Told as often as somebody meets it.
  virtual void OnUnreadable(const std::string& /*saga_id*/, const absl::Status& /*why*/) {}
  virtual void OnBatch(size_t events) = 0;
  // An operator's or client's word was answered: obeyed and durable, or refused.
  virtual void OnWord(const SagaWord&, bool /*accepted*/) {}
  // How long each message of a batch lay in the mailbox.
  virtual void OnMailboxWaits(const std::vector<double>& /*seconds*/) {}
};

// What a shard works with. All pointers must outlive it.
struct ShardContext {
  const saga::StateMachine* machine = nullptr;
  const saga::RecipeSource* recipes = nullptr;
  store::SagaStore* store = nullptr;
  const store::SagaReader* reader = nullptr;
  effects::CommandSender* sender = nullptr;
  effects::TimerService* timers = nullptr;
  effects::Publisher* publisher = nullptr;
  ShardObserver* observer = nullptr;
  const Clock* clock = nullptr;
  saga::Hold hold;  // of a store that was restored from a backup
};

class ShardCore {
 public:
  // `post` brings a message back to this shard from any thread. `on_fatal` is called once, when a commit did not end
  // durable: nothing more is released, and whoever owns the shard forgets it and recovers.
  ShardCore(const ShardContext& context, uint64_t seed, std::function<void(Message)> post,
            std::function<void(const absl::Status&)> on_fatal);

  // Reads back every active saga of the slots [first_slot, end_slot) and takes up its outstanding effects. One whose
  // record cannot be read, or be stepped, is left as it is: nothing is done for it, and requests about it are
  // DATA_LOSS. FAILED_PRECONDITION when a record is of a newer version, which is then the one to start, or pinned to a
  // revision that is not there: somebody might apply another one under its number.
  // What it commits on the way is handed over a little at a time; `breathe` is called in between, and may process what
  // has come meanwhile.
  absl::Status Recover(
      uint32_t first_slot, uint32_t end_slot, const std::function<void()>& breathe = [] {});

  // Steps every message, hands over one write set. Effects follow with the CommitFinished of that write set.
  void Process(std::vector<Message> messages);

  // Sagas kept in memory: active ones, and ended ones whose last write is not durable yet.
  size_t resident() const { return sagas_.size(); }
  // Of their records, as they were last committed or read.
  size_t resident_bytes() const { return resident_bytes_; }
  // Sagas that wait for the reply of an attempt.
  bool HasAwaitedAttempts() const;
  // Write sets handed over and not yet finished.
  size_t commits_in_flight() const { return in_flight_.size(); }

 private:
  struct Resident {
    storage::v1::SagaRecord record;
    std::shared_ptr<const saga::Recipe> recipe;
    std::optional<store::SagaWrite::Indexed> stored;  // as of the newest write handed over
    int writes_in_flight = 0;
    size_t bytes = 0;  // counted in resident_bytes_
  };

  // Waits for its write set.
  struct Batch {
    store::WriteSet write_set;          // records are filled in when the batch is complete
    std::vector<std::string> saga_ids;  // of write_set.sagas
    std::vector<saga::Effect> effects;
    std::vector<std::function<void(bool durable)>> replies;
  };

  void Handle(saga::Event event, Batch* batch);
  void Handle(StartMessage message, Batch* batch);
  void Handle(WordMessage message, Batch* batch);
  void Handle(ExpireMessage message, Batch* batch);
  void Handle(CommitFinished finished, Batch* batch);

  // Null when there is no such saga. An error is a record or a store that cannot be read, or an expiry that is not
  // durable yet: until then nobody may hear of the record, and no new saga may have its id.
  absl::StatusOr<Resident*> Find(const std::string& saga_id);
  // DATA_LOSS when nobody can step it, FAILED_PRECONDITION when its revision is missing.
  absl::StatusOr<Resident*> TakeIn(storage::v1::SagaRecord record);
  void StepOver(const std::string& saga_id, absl::Status why);
  // The answer of a request; OK for all other events.
  absl::Status Step(const std::string& saga_id, Resident* resident, decltype(saga::Event::body) body, int64_t now_ms,
                    Batch* batch);
  store::SagaWrite* Touch(const std::string& saga_id, Batch* batch);
  // Before the commit: a command that waits for its own write set is withdrawn, one that was sent is dropped.
  void CarryOutDrops(Batch* batch);
  bool Withdraw(const saga::DropCommand& drop, Batch* batch);
  void Commit(Batch batch);
  void Release(Batch batch);
  void EvictIfDone(const std::string& saga_id);
  void Evict(const std::string& saga_id);
  void CountBytes(Resident* resident);
  std::string MintUid();

  const ShardContext context_;
  const std::function<void(Message)> post_;
  const std::function<void(const absl::Status&)> on_fatal_;
  std::mt19937_64 random_;
  absl::flat_hash_map<std::string, std::unique_ptr<Resident>> sagas_;
  size_t resident_bytes_ = 0;
  absl::flat_hash_map<std::string, size_t> touched_index_;  // of the batch being built
  absl::flat_hash_set<std::string> expiring_;               // until their write set is durable; never resident
  // Met at recovery. A restart is what looks at them again.
  absl::flat_hash_map<std::string, absl::Status> unreadable_;
  std::deque<Batch> in_flight_;
  bool failed_ = false;
};

}  // namespace tutti::shard

#endif  // TUTTI_ORCHESTRATOR_SHARD_SHARD_CORE_H_
