#include "orchestrator/store/memory_store.h"

#include <utility>

#include "orchestrator/store/view.h"

namespace tutti::store {

// The store's lock is held for as long as a view lives.
class MemoryStore::TablesView final : public View {
 public:
  explicit TablesView(const Tables* tables) : tables_(*tables) {}

  absl::StatusOr<std::optional<std::string>> Get(Column column, absl::string_view key) const override {
    const Table& table = tables_[static_cast<size_t>(column)];
    const auto found = table.find(std::string_view(key.data(), key.size()));
    if (found == table.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }

  std::unique_ptr<Walk> Range(Column column, std::string begin, std::string end) const override {
    const Table& table = tables_[static_cast<size_t>(column)];
    auto walk = std::make_unique<TableWalk>();
    walk->at = table.lower_bound(begin);
    walk->end = end.empty() ? table.end() : table.lower_bound(end);
    if (!end.empty() && end <= begin) walk->end = walk->at;
    return walk;
  }

 private:
  struct TableWalk final : Walk {
    bool Valid() const override { return at != end; }
    absl::string_view key() const override { return at->first; }
    absl::string_view value() const override { return at->second; }
    void Next() override { ++at; }
    absl::Status status() const override { return absl::OkStatus(); }
    Table::const_iterator at, end;
  };
  const Tables& tables_;
};

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
  for (const Changes* one : changes) {
    one->ForEach([this](Column column, bool is_delete, absl::string_view key, absl::string_view value)
                     ABSL_NO_THREAD_SAFETY_ANALYSIS {
                       Table& table = tables_[static_cast<size_t>(column)];
                       if (is_delete) {
                         table.erase(std::string(key));
                       } else {
                         table[std::string(key)] = std::string(value);
                       }
                     });
  }
  return fault_.has_value() ? fault_->failure : absl::OkStatus();
}

void MemoryStore::FailNextWrite(absl::Status failure, bool applied) {
  MutexLock lock(&mu_);
  fault_ = Fault{std::move(failure), applied};
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

absl::Status MemoryStore::ForEachActive(uint32_t first_slot, uint32_t end_slot,
                                        const std::function<absl::Status(storage::v1::SagaRecord)>& visitor) const {
  std::vector<storage::v1::SagaRecord> records;
  {
    MutexLock lock(&mu_);
    const absl::Status status =
        ReadActive(TablesView(&tables_), first_slot, end_slot, [&](storage::v1::SagaRecord record) {
          records.push_back(std::move(record));
          return absl::OkStatus();
        });
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
