#include "orchestrator/store/rocksdb_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/rocksdb_view.h"
#include "orchestrator/store/unreadable.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/statistics.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"

namespace tutti::store {
namespace {

// A restart replays the log: this bounds how long that takes, whatever column has been idle.
constexpr uint64_t kWalBytesMax = 256u << 20;

rocksdb::DBOptions DatabaseOptions(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // The default mode would drop acknowledged commits behind a damaged byte without a word.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  // After a failed write nobody uses this opening any more; RocksDB's own attempts to recover would only delay its end.
  options.max_bgerror_resume_count = 0;
  options.max_total_wal_size = kWalBytesMax;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 5;
  return options;
}

rocksdb::ColumnFamilyOptions ColumnOptions(const std::shared_ptr<rocksdb::Cache>& cache, size_t write_buffer_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));  // starts look up ids that are not there
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = write_buffer_bytes;
  options.level_compaction_dynamic_level_bytes = true;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return options;
}

class RocksDbStoreImpl final : public RocksDbStore {
 public:
  explicit RocksDbStoreImpl(const RocksDbStoreOptions& options) : options_(options) {}

  ~RocksDbStoreImpl() override {
    queue_.reset();
    for (auto* handle : opened_) db_->DestroyColumnFamilyHandle(handle);
    if (db_ != nullptr) db_->Close();
  }

  absl::Status Open() {
    if (absl::Status status = ClaimFolder(options_.path); !status.ok()) return status;
    const bool complete = IsComplete(options_.path);
    if (complete) {
      if (absl::Status status = CheckFiles(options_.path); !status.ok()) return status;
    }
    rocksdb::DBOptions db_options = DatabaseOptions(options_.env);
    db_options.statistics = statistics_;
    // Before opening, because opening would add our columns to whatever is there.
    if (absl::Status status = CheckColumns(db_options, options_.path); !status.ok()) return status;
    const auto column_options =
        ColumnOptions(rocksdb::NewLRUCache(options_.block_cache_bytes), options_.write_buffer_bytes);
    std::vector<rocksdb::ColumnFamilyDescriptor> columns;
    for (const char* name : kColumnNames) columns.emplace_back(name, column_options);
    columns.emplace_back(rocksdb::kDefaultColumnFamilyName, column_options);  // RocksDB insists; nothing is in it
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(db_options, options_.path, columns, &opened_, &db);
    if (!status.ok()) return OpenError(options_.path, status);
    db_.reset(db);
    std::copy_n(opened_.begin(), handles_.size(), handles_.begin());
    if (absl::Status layout = CheckLayout(complete); !layout.ok()) return layout;
    if (!complete) {
      if (absl::Status status = MarkComplete(options_.path); !status.ok()) return status;
    }
    queue_ = std::make_unique<CommitQueue>(
        CommitQueue::Mode::kOwnThread, [this](const std::vector<const Changes*>& changes) { return Write(changes); },
        options_.observer);
    return absl::OkStatus();
  }

  RocksDbStatus Status() const override {
    RocksDbStatus status;
    rocksdb::HistogramData syncs;
    statistics_->histogramData(rocksdb::WAL_FILE_SYNC_MICROS, &syncs);
    status.log_syncs = syncs.count;
    status.log_sync_seconds = static_cast<double>(syncs.sum) * 1e-6;
    status.stall_seconds = static_cast<double>(statistics_->getTickerCount(rocksdb::STALL_MICROS)) * 1e-6;
    const auto property = [this](const std::string& name) {
      uint64_t value = 0;
      db_->GetAggregatedIntProperty(name, &value);
      return value;
    };
    status.table_bytes = property(rocksdb::DB::Properties::kTotalSstFilesSize);
    status.memtable_bytes = property(rocksdb::DB::Properties::kSizeAllMemTables);
    status.pending_compaction_bytes = property(rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
    status.log_bytes = LogBytes(options_.path);
    return status;
  }

  void Commit(const WriteSet& write_set, CommitDone done) override { queue_->Push(write_set, std::move(done)); }

  absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view saga_id) const override {
    auto record = ReadSaga(Newest(), saga_id);
    if (IsUnreadable(record.status())) Tell({std::string(saga_id), std::string(record.status().message())});
    return record;
  }
  absl::StatusOr<std::string> GetRaw(absl::string_view saga_id) const override { return ReadRaw(Newest(), saga_id); }
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                           int limit) const override {
    return ReadHistory(Newest(), saga_id, from_sequence, limit);
  }
  absl::StatusOr<ListPage> ListSagas(const ListQuery& query) const override {
    auto page = ReadPage(RocksDbView(db_.get(), &handles_, /*snapshot=*/true), query);
    if (page.ok()) TellAll(page->unreadable);
    return page;
  }
  absl::StatusOr<EndedPage> FindEnded(const EndedQuery& query) const override {
    auto page = ReadEnded(RocksDbView(db_.get(), &handles_, /*snapshot=*/true), query);
    if (page.ok()) TellAll(page->unreadable);
    return page;
  }
  absl::Status ForEachActive(uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                             const UnreadableVisitor& unreadable) const override {
    const auto tell = [&](UnreadableRecord record) {
      Tell(record);
      unreadable(std::move(record));
    };
    return ReadActive(RocksDbView(db_.get(), &handles_, /*snapshot=*/true), first_slot, end_slot, visitor, tell);
  }
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override {
    return ReadDefinitions(Newest());
  }

 private:
  RocksDbView Newest() const { return RocksDbView(db_.get(), &handles_, /*snapshot=*/false); }
  void Tell(const UnreadableRecord& record) const {
    if (options_.on_unreadable) options_.on_unreadable(record);
  }
  void TellAll(const std::vector<UnreadableRecord>& records) const {
    for (const UnreadableRecord& record : records) Tell(record);
  }
  rocksdb::ColumnFamilyHandle* Handle(Column column) const { return handles_[static_cast<size_t>(column)]; }

  absl::Status CheckLayout(bool complete) {
    const absl::StatusOr<bool> present = tutti::store::CheckLayout(Newest(), options_.path);
    if (!present.ok()) return present.status();
    if (*present) return absl::OkStatus();
    return complete ? NoVersionError(options_.path) : WriteLayout();
  }

  // The version is the first thing in a new store: without it there must be nothing else.
  absl::Status WriteLayout() {
    for (auto* handle : opened_) {
      const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions(), handle));
      iterator->SeekToFirst();
      if (!iterator->status().ok()) return OpenError(options_.path, iterator->status());
      if (iterator->Valid()) {
        return absl::DataLossError(absl::StrCat("the store at ", options_.path, " has records but no layout version"));
      }
    }
    std::string bytes;
    AppendBigEndian64(kLayoutVersion, &bytes);
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto status = db_->Put(options, Handle(Column::kMeta), ToSlice(kLayoutKey), bytes);
    return status.ok() ? absl::OkStatus() : OpenError(options_.path, status);
  }

  absl::Status Write(const std::vector<const Changes*>& changes) {
    batch_.Clear();
    for (const Changes* one : changes) {
      one->ForEach([this](Column column, bool is_delete, absl::string_view key, absl::string_view value) {
        // Fails only for keys beyond four gigabytes.
        const auto status = is_delete ? batch_.Delete(Handle(column), ToSlice(key))
                                      : batch_.Put(Handle(column), ToSlice(key), ToSlice(value));
        TUTTI_CHECK(status.ok(), status.ToString().c_str());
      });
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto status = db_->Write(options, &batch_);
    if (status.ok()) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("a commit failed, and whether it is on disk shows only after reopening: ", status.ToString()));
  }

  const RocksDbStoreOptions options_;
  const std::shared_ptr<rocksdb::Statistics> statistics_ = rocksdb::CreateDBStatistics();
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> opened_;
  RocksDbView::Handles handles_{};
  rocksdb::WriteBatch batch_;  // of the committer's thread
  std::unique_ptr<CommitQueue> queue_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDbStore>> RocksDbStore::Open(const RocksDbStoreOptions& options) {
  auto store = std::make_unique<RocksDbStoreImpl>(options);
  if (absl::Status status = store->Open(); !status.ok()) return status;
  return store;
}

}  // namespace tutti::store
