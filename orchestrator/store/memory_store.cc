#include "orchestrator/store/memory_store.h"

#include <utility>

#include "orchestrator/store/view.h"

namespace tutti::store {

MemoryStore::MemoryStore(Options options)
    : queue_(
          options.inline_done ? CommitQueue::Mode::kInline : CommitQueue::Mode::kOwnThread,
          [this](const std::vector<const Changes*>& changes) { return Write(changes); }, std::move(options.observer)) {}

void MemoryStore::Commit(const WriteSet& write_set, CommitDone done) {
  queue_.Push(write_set, std::move(done));
}

absl::Status MemoryStore::Write(const std::vector<const Changes*>& changes) {
  MutexLock lock(&mu_);
  if (fault_.has_value() && !fault_->applied) return fault_->failure;
  for (const Changes* one : changes) tables_.Apply(*one);
  return fault_.has_value() ? fault_->failure : absl::OkStatus();
}

void MemoryStore::FailNextWrite(absl::Status failure, bool applied) {
  MutexLock lock(&mu_);
  fault_ = Fault{std::move(failure), applied};
}

void MemoryStore::Edit(const std::function<void(Tables*)>& edit) {
  MutexLock lock(&mu_);
  edit(&tables_);
}

std::unique_ptr<MemoryStore> MemoryStore::Reopen(Options options) const {
  auto store = std::make_unique<MemoryStore>(std::move(options));
  MutexLock lock(&mu_);
  MutexLock store_lock(&store->mu_);
  store->tables_ = tables_;
  return store;
}

absl::StatusOr<storage::v1::SagaRecord> MemoryStore::GetSaga(absl::string_view saga_id) const {
  MutexLock lock(&mu_);
  return ReadSaga(TablesView(&tables_), saga_id);
}

absl::StatusOr<std::string> MemoryStore::GetRaw(absl::string_view saga_id) const {
  MutexLock lock(&mu_);
  return ReadRaw(TablesView(&tables_), saga_id);
}

absl::StatusOr<std::vector<v1::HistoryEvent>> MemoryStore::GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                                      int limit) const {
  MutexLock lock(&mu_);
  return ReadHistory(TablesView(&tables_), saga_id, from_sequence, limit);
}

absl::StatusOr<ListPage> MemoryStore::ListSagas(const ListQuery& query) const {
  MutexLock lock(&mu_);
  return ReadPage(TablesView(&tables_), query);
}

absl::StatusOr<EndedPage> MemoryStore::FindEnded(const EndedQuery& query) const {
  MutexLock lock(&mu_);
  return ReadEnded(TablesView(&tables_), query);
}

absl::Status MemoryStore::ForEachActive(uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                                        const UnreadableVisitor& unreadable) const {
  std::vector<storage::v1::SagaRecord> records;
  {
    MutexLock lock(&mu_);
    const auto keep = [&](storage::v1::SagaRecord record) {
      records.push_back(std::move(record));
      return absl::OkStatus();
    };
    const absl::Status status = ReadActive(TablesView(&tables_), first_slot, end_slot, keep, unreadable);
    if (!status.ok()) return status;
  }
  for (auto& record : records) {
    if (absl::Status status = visitor(std::move(record)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> MemoryStore::GetDefinitions() const {
  MutexLock lock(&mu_);
  return ReadDefinitions(TablesView(&tables_));
}

}  // namespace tutti::store
