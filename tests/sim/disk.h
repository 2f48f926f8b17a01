// A disk under the shipped key layout: commits are written, then synced, then acknowledged, each taking its time, and
// the process may die in between. After a failed sync nobody knows what is there.
#ifndef TUTTI_TESTS_SIM_DISK_H_
#define TUTTI_TESTS_SIM_DISK_H_

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "orchestrator/store/audit.h"
#include "orchestrator/store/layout.h"
#include "orchestrator/store/saga_store.h"
#include "orchestrator/store/tables.h"
#include "tests/sim/scenario.h"
#include "tests/sim/timeline.h"

namespace tutti::sim {

class Disk final : public store::SagaStore, public store::SagaReader {
 public:
  struct Hooks {
    std::function<void(const store::WriteSet&)> on_durable;  // it is on the disk, whatever happens next
    std::function<void(Fault)> die;                          // the orchestrator's process ends here
  };

  Disk(Timeline* timeline, Luck* luck, Sabotage sabotage, Hooks hooks);

  void Commit(const store::WriteSet& write_set, store::CommitDone done) override;

  // The process is gone: what waited is lost; of what was written but not synced, a prefix survives.
  void Crash();
  void SetSlow(bool slow) { slow_ = slow; }

  // Ruins the saga's record while no process is there. False when there is none.
  bool Damage(const std::string& saga_id, uint64_t kind);

  // For audits: reads that never fail.
  absl::StatusOr<storage::v1::SagaRecord> Peek(absl::string_view saga_id) const;
  void Audit(const store::FlawSink& flaw) const { store::Audit(store::TablesView(&tables_), nullptr, flaw); }

  absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view saga_id) const override;
  absl::StatusOr<std::string> GetRaw(absl::string_view saga_id) const override;
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                           int limit) const override;
  absl::StatusOr<store::ListPage> ListSagas(const store::ListQuery& query) const override;
  absl::StatusOr<store::EndedPage> FindEnded(const store::EndedQuery& query) const override;
  absl::Status ForEachActive(uint32_t first_slot, uint32_t end_slot, const store::RecordVisitor& visitor,
                             const store::UnreadableVisitor& unreadable) const override;
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override;

 private:
  enum class Stage { kIdle, kWriting, kWritten, kSynced };

  struct Pending {
    store::WriteSet write_set;
    store::Changes changes;
    store::CommitDone done;
  };

  void StartWrite();
  void Written();
  void Synced();
  void Acknowledge();
  void Fail(store::CommitResult result, const char* why);
  void MakeDurable(size_t count);
  void Later(const char* what, int64_t fast_ms, void (Disk::*next)());

  Timeline* const timeline_;
  Luck* const luck_;
  const Sabotage sabotage_;
  const Hooks hooks_;
  bool slow_ = false;
  bool failed_ = false;
  Stage stage_ = Stage::kIdle;
  uint64_t epoch_ = 0;  // of the process that writes
  uint64_t writes_ = 0;
  mutable uint64_t reads_ = 0;
  std::deque<Pending> waiting_;
  std::vector<Pending> batch_;  // one write at a time, of all that waited
  store::Tables tables_;
  store::Tables before_last_sync_;  // kept only for a disk that lies
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_DISK_H_
