// The columns of a RocksDB database as a View.
#ifndef TUTTI_ORCHESTRATOR_STORE_ROCKSDB_VIEW_H_
#define TUTTI_ORCHESTRATOR_STORE_ROCKSDB_VIEW_H_

#include <array>

#include "orchestrator/store/view.h"
#include "rocksdb/db.h"

namespace tutti::store {

inline rocksdb::Slice ToSlice(absl::string_view text) {
  return {text.data(), text.size()};
}
inline absl::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

class RocksDbView final : public View {
 public:
  using Handles = std::array<rocksdb::ColumnFamilyHandle*, kColumnNames.size()>;

  // What reads through all there is leaves the cache to those who ask for something.
  enum class Cache { kFill, kLeave };

  // Without a snapshot each read sees the newest state: enough where only one is made. Both must outlive it.
  RocksDbView(rocksdb::DB* db, const Handles* handles, bool snapshot, Cache cache = Cache::kFill)
      : db_(db), handles_(*handles), snapshot_(snapshot ? db->GetSnapshot() : nullptr), cache_(cache) {}
  ~RocksDbView() override {
    if (snapshot_ != nullptr) db_->ReleaseSnapshot(snapshot_);
  }
  RocksDbView(const RocksDbView&) = delete;
  RocksDbView& operator=(const RocksDbView&) = delete;

  // DATA_LOSS: a block is damaged. INTERNAL: the file system does not answer.
  absl::StatusOr<bool> Show(Column column, absl::string_view key,
                            const std::function<void(absl::string_view value)>& look) const override;
  std::unique_ptr<Walk> Range(Column column, std::string begin, std::string end) const override;

 private:
  rocksdb::ReadOptions Options() const;
  rocksdb::ColumnFamilyHandle* Handle(Column column) const { return handles_[static_cast<size_t>(column)]; }

  rocksdb::DB* const db_;
  const Handles& handles_;
  const rocksdb::Snapshot* const snapshot_;
  const Cache cache_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_ROCKSDB_VIEW_H_
