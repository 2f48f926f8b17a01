#include "orchestrator/store/rocksdb_store.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "common/logging.h"
#include "orchestrator/store/guarded_disk.h"
#include "orchestrator/store/identity.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/open_database.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/rocksdb_view.h"
#include "orchestrator/store/store_check.h"
#include "orchestrator/store/unreadable.h"
#include "orchestrator/store/volume.h"
#include "orchestrator/store/watermark.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/statistics.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"

namespace tutti::store {
namespace {

constexpr size_t kInfoLogBytesMax = 16u << 20;
// Of a column that is laid out by slot, one after another: no more room is needed at a time than for one of them.
constexpr uint32_t kReclaimPieces = 16;

rocksdb::DBOptions DatabaseOptions(rocksdb::Env* env, const RocksDbStoreOptions& store) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  SetRecovery(&options);
  // After a failed write nobody uses this opening any more; RocksDB's own attempts to recover would only delay its end.
  options.max_bgerror_resume_count = 0;
  options.max_total_wal_size = store.log_bytes_max;
  options.db_write_buffer_size = store.write_buffers_bytes;
  options.max_background_jobs = 2;
  // What RocksDB tells of its doings, in LOG.
  options.max_log_file_size = kInfoLogBytesMax;
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
  explicit RocksDbStoreImpl(const RocksDbStoreOptions& options) : options_(options), env_(Guarded(options)) {}

  ~RocksDbStoreImpl() override {
    queue_.reset();  // writes what waits
  }

  absl::Status Open() {
    if (absl::Status status = FindRoom(); !status.ok()) return status;
    if (absl::Status status = ClaimFolder(options_.path); !status.ok()) return status;
    const absl::StatusOr<StoreCheck> check = CheckAlone();
    if (!check.ok()) return check.status();
    if (!check->loss.ok()) return check->loss;
    // From here on the folder is changed.
    rocksdb::DBOptions db_options = DatabaseOptions(env_.get(), options_);
    db_options.statistics = statistics_;
    const auto column_options =
        ColumnOptions(rocksdb::NewLRUCache(options_.block_cache_bytes), options_.write_buffer_bytes);
    const auto status = database_.Open(db_options, column_options, options_.path);
    if (!status.ok()) return OpenError(options_.path, status);
    if (absl::Status begun = Begin(*check); !begun.ok()) return begun;
    if (!IsComplete(options_.path)) {
      if (absl::Status marked = MarkComplete(options_.path); !marked.ok()) return marked;
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
      database_.db()->GetAggregatedIntProperty(name, &value);
      return value;
    };
    status.table_bytes = property(rocksdb::DB::Properties::kTotalSstFilesSize);
    status.memtable_bytes = property(rocksdb::DB::Properties::kSizeAllMemTables);
    status.pending_compaction_bytes = property(rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
    status.log_bytes = LogBytes(options_.path);
    return status;
  }

  const storage::v1::StoreRecord& identity() const override { return identity_; }
  const std::optional<storage::v1::HoldRecord>& hold() const override { return hold_; }
  rocksdb::DB* database() const override { return database_.db(); }
  const RocksDbStoreOptions& options() const override { return options_; }

  void Commit(const WriteSet& write_set, CommitDone done) override {
    expired_ += write_set.expired.size();
    queue_->Push(write_set, std::move(done));
  }

  bool Reclaim(bool room_is_short) override {
    uint64_t left = 0;
    database_.db()->GetIntProperty(database_.handle(Column::kSaga), rocksdb::DB::Properties::kEstimateNumKeys, &left);
    const uint64_t expired = expired_;
    if (expired == 0 || expired * (room_is_short ? 50 : 4) < left) return false;
    expired_ -= expired;
    const uint64_t before = Status().table_bytes;
    const rocksdb::Status status = CompactAll();
    Log(LogLevel::kInfo, "compacted after a sweep",
        {{"expired", absl::StrCat(expired)},
         {"bytes_before", absl::StrCat(before)},
         {"bytes_after", absl::StrCat(Status().table_bytes)},
         {"result", status.ok() ? "whole" : status.ToString()}});
    return true;
  }
  void CancelReclaim() override { reclaim_canceled_ = true; }

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
    auto page = ReadPage(RocksDbView(database_.db(), &database_.handles(), /*snapshot=*/true), query);
    if (page.ok()) TellAll(page->unreadable);
    return page;
  }
  absl::StatusOr<EndedPage> FindEnded(const EndedQuery& query) const override {
    auto page = ReadEnded(AllThrough(), query);
    if (page.ok()) TellAll(page->unreadable);
    return page;
  }
  absl::Status ForEachActive(uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                             const UnreadableVisitor& unreadable) const override {
    const auto tell = [&](UnreadableRecord record) {
      Tell(record);
      unreadable(std::move(record));
    };
    return ReadActive(AllThrough(), first_slot, end_slot, visitor, tell);
  }
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override {
    return ReadDefinitions(Newest());
  }

 private:
  static std::unique_ptr<rocksdb::Env> Guarded(const RocksDbStoreOptions& options) {
    rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
    return rocksdb::NewCompositeEnv(std::make_shared<GuardedDisk>(env->GetFileSystem(), options.reserve));
  }

  // The reserve is given up only where that helps.
  absl::Status FindRoom() const {
    if (absl::Status status = CheckWritable(options_.path); !status.ok()) return status;
    absl::StatusOr<Room> room = options_.room ? options_.room() : ReadRoom(options_.path);
    if (!room.ok()) return room.status();
    if (options_.reserve != nullptr) room->bytes_free += options_.reserve->bytes_held();
    if (absl::Status status = CheckRoomToOpen(options_.path, *room); !status.ok()) return status;
    if (options_.reserve != nullptr) options_.reserve->MakeRoom(BytesToOpen(options_.path));
    return absl::OkStatus();
  }

  rocksdb::Status CompactAll() {
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;  // what commits need goes on beside it
    options.canceled = &reclaim_canceled_;
    // What was deleted lies in memory as well.
    std::vector<rocksdb::ColumnFamilyHandle*> handles(database_.handles().begin(), database_.handles().end());
    rocksdb::Status status = database_.db()->Flush({}, handles);
    for (const Column column : {Column::kHistory, Column::kSaga}) {
      for (uint32_t piece = 0; status.ok() && piece < kReclaimPieces; ++piece) {
        const std::string first = SlotPrefix(piece * limits::kSlots / kReclaimPieces);
        const std::string end = SlotPrefix((piece + 1) * limits::kSlots / kReclaimPieces);
        const rocksdb::Slice begin_slice(first), end_slice(end);
        status = database_.db()->CompactRange(options, database_.handle(column), &begin_slice, &end_slice);
      }
    }
    for (const Column column : {Column::kIndex, Column::kActive}) {
      if (status.ok()) status = database_.db()->CompactRange(options, database_.handle(column), nullptr, nullptr);
    }
    return status;
  }

  RocksDbView Newest() const { return RocksDbView(database_.db(), &database_.handles(), /*snapshot=*/false); }
  RocksDbView AllThrough() const {
    return RocksDbView(database_.db(), &database_.handles(), /*snapshot=*/true, RocksDbView::Cache::kLeave);
  }
  void Tell(const UnreadableRecord& record) const {
    if (options_.on_unreadable) options_.on_unreadable(record);
  }
  void TellAll(const std::vector<UnreadableRecord>& records) const {
    for (const UnreadableRecord& record : records) Tell(record);
  }
  // Nobody else may write to it meanwhile. RocksDB takes the lock itself when it opens, so it is let go of before.
  absl::StatusOr<StoreCheck> CheckAlone() const {
    rocksdb::FileLock* lock = nullptr;
    const auto status = env_->LockFile(absl::StrCat(options_.path, "/LOCK"), &lock);
    if (!status.ok()) return OpenError(options_.path, status);
    auto check = CheckStore(env_.get(), options_.path);
    env_->UnlockFile(lock).PermitUncheckedError();
    return check;
  }

  // Starts the watermark, and writes of what holds for the whole store what is not there yet.
  absl::Status Begin(const StoreCheck& check) {
    newest_saga_ = check.newest_saga;
    newest_definition_ = check.newest_definition;
    const auto mark = MarkNow(database_.db(), options_.path);
    if (!mark.ok()) return mark.status();
    auto file = WatermarkFile::Open(env_.get(), options_.path, *mark);
    if (!file.ok()) return file.status();
    watermark_ = *std::move(file);
    hold_ = check.hold;
    identity_ = check.identity.value_or(NewIdentity());
    if (check.begun && check.marks_watermark && check.identity.has_value()) return absl::OkStatus();
    batch_.Clear();
    if (!check.begun) PutMeta(kLayoutKey, kLayoutVersion);
    if (!check.marks_watermark) PutMeta(kWatermarkKey, 1);
    if (!check.identity.has_value()) PutMeta(kStoreKey, identity_.SerializeAsString());
    return WriteBatch();
  }

  void PutMeta(absl::string_view key, uint64_t number) {
    std::string bytes;
    AppendBigEndian64(number, &bytes);
    PutMeta(key, bytes);
  }
  void PutMeta(absl::string_view key, const std::string& bytes) {
    const auto status = batch_.Put(database_.handle(Column::kMeta), ToSlice(key), bytes);
    TUTTI_CHECK(status.ok(), status.ToString().c_str());
  }

  absl::Status Write(const std::vector<const Changes*>& changes) {
    batch_.Clear();
    for (const Changes* one : changes) {
      one->ForEach([this](Column column, bool is_delete, absl::string_view key, absl::string_view value) {
        // Fails only for keys beyond four gigabytes.
        const auto status = is_delete ? batch_.Delete(database_.handle(column), ToSlice(key))
                                      : batch_.Put(database_.handle(column), ToSlice(key), ToSlice(value));
        TUTTI_CHECK(status.ok(), status.ToString().c_str());
      });
    }
    // Beside the first record of a version, so that neither is there without the other.
    for (const Changes* one : changes) {
      if (one->newest_saga() > newest_saga_) {
        newest_saga_ = one->newest_saga();
        PutMeta(absl::StrCat(kNewestRecordPrefix, kNewestSaga), newest_saga_);
      }
      if (one->newest_definition() > newest_definition_) {
        newest_definition_ = one->newest_definition();
        PutMeta(absl::StrCat(kNewestRecordPrefix, kNewestDefinition), newest_definition_);
      }
    }
    return WriteBatch();
  }

  // The watermark follows when the log is on disk, and before anybody is told.
  absl::Status WriteBatch() {
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto status = database_.db()->Write(options, &batch_);
    if (!status.ok()) {
      return absl::UnavailableError(absl::StrCat(status.IsNoSpace() ? "the disk is full: " : "",
                                                 "a commit failed, and whether it is on disk shows only after "
                                                 "reopening: ",
                                                 status.ToString()));
    }
    const auto mark = MarkNow(database_.db(), options_.path);
    return mark.ok() ? watermark_->Write(*mark) : mark.status();
  }

  const RocksDbStoreOptions options_;
  storage::v1::StoreRecord identity_;
  std::optional<storage::v1::HoldRecord> hold_;
  const std::shared_ptr<rocksdb::Statistics> statistics_ = rocksdb::CreateDBStatistics();
  const std::unique_ptr<rocksdb::Env> env_;
  std::atomic<uint64_t> expired_{0};  // since the last reclaim
  std::atomic<bool> reclaim_canceled_{false};
  OpenDatabase database_;
  // Of the committer's thread:
  rocksdb::WriteBatch batch_;
  std::unique_ptr<WatermarkFile> watermark_;
  uint64_t newest_saga_ = 0;
  uint64_t newest_definition_ = 0;
  std::unique_ptr<CommitQueue> queue_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDbStore>> RocksDbStore::Open(const RocksDbStoreOptions& options) {
  auto store = std::make_unique<RocksDbStoreImpl>(options);
  if (absl::Status status = store->Open(); !status.ok()) return status;
  return store;
}

}  // namespace tutti::store
