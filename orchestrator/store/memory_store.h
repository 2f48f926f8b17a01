// The store in memory, for tests: the same keys, indexes and order of commits as on disk, nothing outlives the process.
#ifndef TUTTI_ORCHESTRATOR_STORE_MEMORY_STORE_H_
#define TUTTI_ORCHESTRATOR_STORE_MEMORY_STORE_H_

#include <memory>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "orchestrator/store/commit_queue.h"
#include "orchestrator/store/saga_store.h"
#include "orchestrator/store/tables.h"

namespace tutti::store {

// Thread-safe. Visitors of ForEachActive may call back into the store.
class MemoryStore final : public SagaStore, public SagaReader {
 public:
  struct Options {
    bool inline_done = false;  // `done` runs inside Commit or Release instead of on a thread of the store's
    CommitObserver observer;
  };

  explicit MemoryStore(Options options);
  MemoryStore() : MemoryStore(Options{}) {}

  void Commit(const WriteSet& write_set, CommitDone done) override;

  absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view saga_id) const override;
  absl::StatusOr<std::string> GetRaw(absl::string_view saga_id) const override;
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                           int limit) const override;
  absl::StatusOr<ListPage> ListSagas(const ListQuery& query) const override;
  absl::StatusOr<EndedPage> FindEnded(const EndedQuery& query) const override;
  absl::Status ForEachActive(uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                             const UnreadableVisitor& unreadable) const override;
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override;

  // Holds back durability: commits wait, invisible, until Release.
  void Hold() { queue_.Hold(); }
  void Release() { queue_.Release(); }
  size_t waiting() const { return queue_.waiting(); }
  bool AwaitWaiting(size_t count, int64_t timeout_ms) const { return queue_.AwaitWaiting(count, timeout_ms); }

  // The next write, of all that waits together, ends kUnknown, and everything after it. Its changes are there or not,
  // as `applied` says: a real disk may do either.
  void FailNextWrite(absl::Status failure, bool applied);
  // Anybody's hand on the stored bytes: damage, or a look at what lies there.
  void Edit(const std::function<void(Tables*)>& edit);
  // A new store with what this one holds, as a restart would find it. Waiting commits are not part of it.
  std::unique_ptr<MemoryStore> Reopen(Options options) const;

 private:
  struct Fault {
    absl::Status failure;
    bool applied;
  };

  absl::Status Write(const std::vector<const Changes*>& changes);

  mutable Mutex mu_;
  Tables tables_ ABSL_GUARDED_BY(mu_);
  std::optional<Fault> fault_ ABSL_GUARDED_BY(mu_);
  CommitQueue queue_;  // last: its thread uses the rest
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_MEMORY_STORE_H_
