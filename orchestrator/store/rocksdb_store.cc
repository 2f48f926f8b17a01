#include "orchestrator/store/rocksdb_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/unreadable.h"
#include "orchestrator/store/view.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/statistics.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"

namespace tutti::store {
namespace {

// Written before RocksDB makes its files, so that a crash while creating cannot be taken for somebody else's database.
// It is empty until the store is complete: from then on missing files are a loss, not a beginning.
constexpr char kMarkerFile[] = "TUTTI_STORE";

// A restart replays the log: this bounds how long that takes, whatever column has been idle.
constexpr uint64_t kWalBytesMax = 256u << 20;

rocksdb::Slice ToSlice(absl::string_view text) {
  return {text.data(), text.size()};
}
absl::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

absl::Status ReadError(const rocksdb::Status& status) {
  if (status.IsCorruption()) return absl::DataLossError(absl::StrCat("the store is damaged: ", status.ToString()));
  return absl::InternalError(absl::StrCat("the store cannot be read: ", status.ToString()));
}

absl::Status OpenError(const std::string& path, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsIOError() && absl::StrContains(text, "/LOCK")) {
    return absl::FailedPreconditionError(
        absl::StrCat("the store at ", path, " is in use by another process: one process per store"));
  }
  if (status.IsCorruption()) {
    return absl::DataLossError(absl::StrCat("the store at ", path,
                                            " is damaged and was left as it is; restore a backup, or see "
                                            "docs/storage.md for what a crash may and may not leave: ",
                                            text));
  }
  return absl::InternalError(absl::StrCat("the store at ", path, " cannot be opened: ", text));
}

absl::Status SystemError(const std::string& path, const std::string& what, int error) {
  return absl::InternalError(absl::StrCat(what, " ", path, ": ", std::generic_category().message(error)));
}

absl::Status SyncPath(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(path, "cannot open", errno);
  const bool synced = ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  return synced ? absl::OkStatus() : SystemError(path, "cannot sync", error);
}

// Makes sure that the folder is ours to use: new, empty, or marked by us.
absl::Status ClaimFolder(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directory(path, error);
  if (error) return SystemError(path, "cannot create", error.value());
  const fs::path marker = fs::path(path) / kMarkerFile;
  if (fs::exists(marker, error)) return absl::OkStatus();
  fs::directory_iterator entries(path, error);
  if (error) return SystemError(path, "cannot list", error.value());
  for (const auto& entry : entries) {
    if (entry.path().filename() == "lost+found") continue;  // a file system of its own
    return absl::FailedPreconditionError(absl::StrCat("the folder ", path, " holds ", entry.path().filename().string(),
                                                      " but is no store of Tutti's; give an empty or new folder"));
  }
  if (absl::Status status = SyncPath(marker, O_WRONLY | O_CREAT); !status.ok()) return status;
  return SyncPath(path, O_RDONLY | O_DIRECTORY);
}

bool IsComplete(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(std::filesystem::path(path) / kMarkerFile, error);
  return !error && bytes > 0;
}

absl::Status MarkComplete(const std::string& path) {
  const std::string marker = (std::filesystem::path(path) / kMarkerFile).string();
  std::ofstream(marker) << "complete\n";
  return SyncPath(marker, O_WRONLY);
}

// RocksDB takes a folder without CURRENT for a new one, and a log that is not there for one that had nothing in it.
// Every store that was ever open has both.
absl::Status CheckFiles(const std::string& path) {
  namespace fs = std::filesystem;
  bool has_log = false;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) has_log |= entry.path().extension() == ".log";
  if (error) return SystemError(path, "cannot list", error.value());
  const char* const missing = !fs::exists(fs::path(path) / "CURRENT", error) ? "CURRENT"
                              : !has_log                                     ? "its log"
                                                                             : nullptr;
  if (missing == nullptr) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the store at ", path, " lacks ", missing,
                                          ", so commits may be gone; it was left as it is; restore a backup"));
}

// A log may be deleted while we look; then it counts for nothing.
uint64_t LogBytes(const std::string& path) {
  namespace fs = std::filesystem;
  uint64_t sum = 0;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".log") continue;
    std::error_code gone;
    const auto bytes = entry->file_size(gone);
    if (!gone) sum += bytes;
  }
  return sum;
}

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

class RocksDbView final : public View {
 public:
  using Handles = std::array<rocksdb::ColumnFamilyHandle*, kColumnNames.size()>;

  // Without a snapshot each read sees the newest state: enough where only one is made.
  RocksDbView(rocksdb::DB* db, const Handles* handles, bool snapshot)
      : db_(db), handles_(*handles), snapshot_(snapshot ? db->GetSnapshot() : nullptr) {}
  ~RocksDbView() override {
    if (snapshot_ != nullptr) db_->ReleaseSnapshot(snapshot_);
  }

  absl::StatusOr<bool> Show(Column column, absl::string_view key,
                            const std::function<void(absl::string_view value)>& look) const override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    rocksdb::PinnableSlice value;
    const auto status = db_->Get(options, handles_[static_cast<size_t>(column)], ToSlice(key), &value);
    if (status.IsNotFound()) return false;
    if (!status.ok()) return ReadError(status);
    look(ToView(value));
    return true;
  }

  std::unique_ptr<Walk> Range(Column column, std::string begin, std::string end) const override {
    return std::make_unique<RocksDbWalk>(db_, handles_[static_cast<size_t>(column)], snapshot_, begin, std::move(end));
  }

 private:
  class RocksDbWalk final : public Walk {
   public:
    RocksDbWalk(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle, const rocksdb::Snapshot* snapshot,
                const std::string& begin, std::string end)
        : end_(std::move(end)), end_slice_(end_) {
      rocksdb::ReadOptions options;
      options.snapshot = snapshot;
      if (!end_.empty()) options.iterate_upper_bound = &end_slice_;
      iterator_.reset(db->NewIterator(options, handle));
      iterator_->Seek(begin);
    }
    bool Valid() const override { return iterator_->Valid(); }
    absl::string_view key() const override { return ToView(iterator_->key()); }
    absl::string_view value() const override { return ToView(iterator_->value()); }
    void Next() override { iterator_->Next(); }
    void Seek(absl::string_view key) override { iterator_->Seek(ToSlice(key)); }
    absl::Status status() const override {
      return iterator_->status().ok() ? absl::OkStatus() : ReadError(iterator_->status());
    }

   private:
    const std::string end_;
    const rocksdb::Slice end_slice_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
  };

  rocksdb::DB* const db_;
  const Handles& handles_;
  const rocksdb::Snapshot* const snapshot_;
};

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
    if (absl::Status status = CheckColumns(db_options); !status.ok()) return status;
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

  // Before opening, because opening would add our columns to whatever is there.
  absl::Status CheckColumns(const rocksdb::DBOptions& db_options) const {
    if (!std::filesystem::exists(std::filesystem::path(options_.path) / "CURRENT")) return absl::OkStatus();
    std::vector<std::string> names;
    const auto status = rocksdb::DB::ListColumnFamilies(db_options, options_.path, &names);
    if (!status.ok()) return OpenError(options_.path, status);
    for (const std::string& name : names) {
      const bool known = name == rocksdb::kDefaultColumnFamilyName ||
                         std::find(kColumnNames.begin(), kColumnNames.end(), name) != kColumnNames.end();
      if (!known) {
        return absl::FailedPreconditionError(absl::StrCat("the store at ", options_.path, " has a column family ", name,
                                                          " that this binary does not know: a newer version wrote it"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckLayout(bool complete) {
    std::string bytes;
    const auto status = db_->Get(rocksdb::ReadOptions(), Handle(Column::kMeta), ToSlice(kLayoutKey), &bytes);
    if (status.IsNotFound() && !complete) return WriteLayout();
    if (!status.ok() && !status.IsNotFound()) return OpenError(options_.path, status);
    if (bytes.size() != 8) return absl::DataLossError(absl::StrCat("the store at ", options_.path, " has no version"));
    const uint64_t version = ReadBigEndian64(bytes);
    if (version == kLayoutVersion) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("the store at ", options_.path, " has layout version ", version,
                                                      "; this binary knows ", kLayoutVersion));
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
