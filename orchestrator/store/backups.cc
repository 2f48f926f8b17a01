#include "orchestrator/store/backups.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "orchestrator/store/backup_folder.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/watched_reads.h"
#include "rocksdb/db.h"

namespace tutti::store {
namespace {

constexpr uint32_t kBackupRecordVersion = 1;
// Beside what is copied: manifests, what the log grows by meanwhile, the file system's own.
constexpr uint64_t kRoomBytes = 16u << 20;
// On the store's own volume: as much as it may need for its log while a backup keeps it from deleting old ones. A store
// without room ends its process.
constexpr uint64_t kStoreRoomBytes = 256u << 20;

absl::Status StoppedError() {
  return WithReason(absl::UnavailableError("the orchestrator is shutting down; repeat the request when it is back"),
                    "SHUTTING_DOWN");
}

// Tables that some backup has, by number and length, as the engine names them: NUMBER_sSESSION_LENGTH.sst.
std::set<std::pair<uint64_t, uint64_t>> SharedTables(rocksdb::Env* env, const std::string& folder) {
  std::vector<std::string> names;
  env->GetChildren(absl::StrCat(folder, "/shared_checksum"), &names).PermitUncheckedError();
  std::set<std::pair<uint64_t, uint64_t>> tables;
  for (const std::string& name : names) {
    const std::vector<absl::string_view> parts = absl::StrSplit(name, absl::ByAnyChar("_."));
    uint64_t number = 0;
    uint64_t bytes = 0;
    if (parts.size() == 4 && absl::SimpleAtoi(parts[0], &number) && absl::SimpleAtoi(parts[2], &bytes)) {
      tables.emplace(number, bytes);
    }
  }
  return tables;
}

}  // namespace

class Backups::Turn {
 public:
  explicit Turn(Backups* backups) : backups_(backups) {
    MutexLock lock(&backups_->turn_);
    mine_ = !std::exchange(backups_->busy_, true);
  }
  ~Turn() {
    if (!mine_) return;
    MutexLock lock(&backups_->turn_);
    backups_->busy_ = false;
    backups_->idle_.SignalAll();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  absl::Status status() const {
    if (mine_) return absl::OkStatus();
    return WithReason(
        absl::AbortedError("another call is making, verifying or deleting backups; try again when it is over"),
        "BACKUP_BUSY");
  }

 private:
  Backups* const backups_;
  bool mine_ = false;
};

Backups::Backups(RocksDbStore* store, Options options)
    : store_(store),
      options_(std::move(options)),
      env_(options_.env != nullptr ? options_.env : rocksdb::Env::Default()) {
  if (!options_.free_bytes) options_.free_bytes = FreeBytes;
}

void Backups::AwaitIdle() {
  MutexLock lock(&turn_);
  while (busy_) idle_.Wait(&turn_);
}

absl::Status Backups::CheckConfigured() const {
  if (configured()) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(
                        "the orchestrator was started without --backup-dir, the folder that backups are written to"),
                    "BACKUP_NOT_CONFIGURED");
}

absl::Status Backups::Begin() {
  const Turn turn(this);
  if (!turn.status().ok()) return turn.status();
  if (absl::Status status = ClaimBackupFolder(options_.folder); !status.ok()) return status;
  const auto lock = BackupFolderLock::Take(env_, options_.folder);
  if (!lock.ok()) return lock.status();
  auto engine = OpenBackups(EngineOptions(env_, options_.folder));
  if (!engine.ok()) return engine.status();
  Note(ReadBackups(**engine));
  const auto status = (*engine)->GarbageCollect();
  return status.ok() ? absl::OkStatus() : BackupError("what an unfinished backup left cannot be cleared away", status);
}

void Backups::Note(const std::vector<BackupInfo>& backups) {
  int64_t newest_ms = 0;
  for (const BackupInfo& backup : backups) {
    const bool mine = backup.problem.empty() && backup.store_id == store_->identity().store_id();
    if (mine) newest_ms = std::max(newest_ms, backup.created_ms);
  }
  last_success_ms_.store(newest_ms);
}

// Backups of a store that was lost must not be pushed out by those of one that was begun anew in its place.
absl::Status Backups::CheckOrigin(const std::vector<BackupInfo>& backups) const {
  const auto newest =
      std::find_if(backups.begin(), backups.end(), [](const BackupInfo& backup) { return backup.problem.empty(); });
  if (newest == backups.end() || newest->store_id == store_->identity().store_id()) return absl::OkStatus();
  const auto& hold = store_->hold();
  if (hold.has_value() && newest->store_id == hold->backup().store_id()) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat(
                        "the backup folder ", options_.folder, " holds backups of another store, ", newest->store_id,
                        ", and this one, ", store_->identity().store_id(),
                        ", was not restored from them; restore one, or give this store a --backup-dir of its own")),
                    "BACKUP_FOREIGN");
}

uint64_t Backups::BytesToCopy() const {
  const auto shared = SharedTables(env_, options_.folder);
  std::vector<rocksdb::LiveFileMetaData> tables;
  store_->database()->GetLiveFilesMetaData(&tables);
  uint64_t bytes = LogBytes(store_->options().path);  // copied as it is, or as the tables that are made of it
  for (const auto& table : tables) {
    if (!shared.contains({table.file_number, table.size})) bytes += table.size;
  }
  return bytes;
}

absl::Status Backups::CheckRoom(uint64_t bytes) const {
  const bool beside_store = SameVolume(options_.folder, store_->options().path);
  const uint64_t needed = bytes + kRoomBytes + (beside_store ? kStoreRoomBytes : 0);
  const uint64_t free = options_.free_bytes(options_.folder);
  if (free >= needed) return absl::OkStatus();
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat(
          "the backup folder ", options_.folder, " has no room: up to ", bytes, " bytes are to be copied, ", needed,
          " are wanted", beside_store ? ", for the store that is on the same volume as well" : "", ", and ", free,
          " are free; make room, e.g. with `tuttictl backup delete --keep N`, or give a larger volume")),
      "BACKUP_NO_ROOM");
}

// What is flushed into tables is copied once; the log is copied anew each time. But a flush needs room beside the
// store.
bool Backups::FlushFits() const {
  const std::string& path = store_->options().path;
  return options_.free_bytes(path) / 2 >= LogBytes(path) + kRoomBytes;
}

absl::StatusOr<BackupInfo> Backups::Create(int64_t now_ms, const BackupWatcher& watcher) {
  if (absl::Status status = CheckConfigured(); !status.ok()) return status;
  const Turn turn(this);
  if (!turn.status().ok()) return turn.status();
  auto made = CreateNow(now_ms, watcher);
  ++(made.ok() ? succeeded_ : failed_);
  return made;
}

absl::StatusOr<BackupInfo> Backups::CreateNow(int64_t now_ms, const BackupWatcher& watcher) {
  if (stopping_.load()) return StoppedError();
  if (absl::Status status = ClaimBackupFolder(options_.folder); !status.ok()) return status;
  const auto lock = BackupFolderLock::Take(env_, options_.folder);
  if (!lock.ok()) return lock.status();
  rocksdb::BackupEngineOptions how = EngineOptions(env_, options_.folder);
  how.backup_rate_limit = options_.bytes_per_second;
  how.callback_trigger_interval_size = options_.progress_bytes;
  auto engine = OpenBackups(how);
  if (!engine.ok()) return engine.status();
  if (absl::Status status = CheckOrigin(ReadBackups(**engine)); !status.ok()) return status;
  const auto id = Copy(engine->get(), now_ms, watcher);
  if (!id.ok()) return id.status();  // the engine has cleared away what there was of it
  Note(ReadBackups(**engine));
  return FindBackup(**engine, options_.folder, *id);
}

absl::StatusOr<int64_t> Backups::Copy(rocksdb::BackupEngine* engine, int64_t now_ms, const BackupWatcher& watcher) {
  BackupProgress progress{.total_bytes = BytesToCopy()};
  if (absl::Status status = CheckRoom(progress.total_bytes); !status.ok()) return status;
  if (!watcher(progress)) return absl::CancelledError("the caller went away, so no backup was made");
  storage::v1::BackupRecord record;
  record.set_version(kBackupRecordVersion);
  record.set_store_id(store_->identity().store_id());
  record.set_created_ms(now_ms);
  record.set_sequence(store_->database()->GetLatestSequenceNumber());
  std::atomic<bool> cancelled{false};
  rocksdb::CreateBackupOptions how;
  how.flush_before_backup = FlushFits();
  how.decrease_background_thread_cpu_priority = true;
  how.background_thread_cpu_priority = rocksdb::CpuPriority::kLow;
  how.progress_callback = [&] {
    progress.copied_bytes = std::min(progress.copied_bytes + options_.progress_bytes, progress.total_bytes);
    if (!watcher(progress)) cancelled = true;
    if (cancelled || stopping_.load()) engine->StopBackup();
  };
  rocksdb::BackupID id = 0;
  const auto status = engine->CreateNewBackupWithMetadata(how, store_->database(), record.SerializeAsString(), &id);
  if (status.ok()) return static_cast<int64_t>(id);
  if (stopping_.load()) return StoppedError();
  if (cancelled) return absl::CancelledError("the caller went away, so no backup was made");
  return BackupError("the backup was not made", status);
}

absl::StatusOr<std::vector<BackupInfo>> Backups::List() const {
  if (absl::Status status = CheckConfigured(); !status.ok()) return status;
  MutexLock lock(&reading_);
  const auto engine = OpenBackupsToRead(env_, options_.folder);
  if (!engine.ok()) return engine.status();
  return ReadBackups(**engine);
}

absl::StatusOr<BackupInfo> Backups::Verify(int64_t backup_id, const BackupWatcher& watcher) {
  if (absl::Status status = CheckConfigured(); !status.ok()) return status;
  const Turn turn(this);
  if (!turn.status().ok()) return turn.status();
  if (stopping_.load()) return StoppedError();
  BackupProgress progress;
  std::atomic<bool> cancelled{false};
  WatchedReads reads(env_, options_.progress_bytes, [&](uint64_t bytes) {
    progress.copied_bytes = std::min(bytes, progress.total_bytes);
    if (!watcher(progress)) cancelled = true;
    return !cancelled && !stopping_.load();
  });
  const auto engine = OpenBackupsToRead(reads.env(), options_.folder);
  if (!engine.ok()) return engine.status();
  auto info = FindBackup(**engine, options_.folder, backup_id);
  if (!info.ok()) return info;
  progress.total_bytes = info->bytes;
  if (!watcher(progress)) return absl::CancelledError("the caller went away");
  reads.Begin();
  const auto status = (*engine)->VerifyBackup(static_cast<rocksdb::BackupID>(info->id), /*verify_with_checksum=*/true);
  if (!status.ok()) {
    if (stopping_.load()) return StoppedError();
    if (cancelled) return absl::CancelledError("the caller went away");
    return BackupError(absl::StrCat("backup ", info->id, " in ", options_.folder, " is not as it was written"), status);
  }
  return info;
}

absl::StatusOr<DeletedBackups> Backups::Delete(int keep) {
  if (absl::Status status = CheckConfigured(); !status.ok()) return status;
  const Turn turn(this);
  if (!turn.status().ok()) return turn.status();
  if (stopping_.load()) return StoppedError();  // the store may be gone
  MutexLock reading(&reading_);
  if (absl::Status status = ClaimBackupFolder(options_.folder); !status.ok()) return status;
  const auto lock = BackupFolderLock::Take(env_, options_.folder);
  if (!lock.ok()) return lock.status();
  auto engine = OpenBackups(EngineOptions(env_, options_.folder));
  if (!engine.ok()) return engine.status();
  const std::vector<BackupInfo> backups = ReadBackups(**engine);
  if (absl::Status status = CheckOrigin(backups); !status.ok()) return status;
  DeletedBackups result;
  int kept = 0;
  for (const BackupInfo& backup : backups) {
    const bool good = backup.problem.empty();
    if (kept < keep) {
      kept += good ? 1 : 0;
      result.left.push_back(backup);
      continue;
    }
    const auto status = (*engine)->DeleteBackup(static_cast<rocksdb::BackupID>(backup.id));
    if (!status.ok()) return BackupError(absl::StrCat("backup ", backup.id, " cannot be deleted"), status);
    result.deleted.push_back(backup.id);
  }
  return result;
}

}  // namespace tutti::store
