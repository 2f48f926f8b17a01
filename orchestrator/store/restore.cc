#include "orchestrator/store/restore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "orchestrator/store/backup_folder.h"
#include "orchestrator/store/backups.h"
#include "orchestrator/store/identity.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/open_database.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/store_check.h"
#include "orchestrator/store/watermark.h"
#include "rocksdb/write_batch.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kBackupRecordVersion = 1;
constexpr uint64_t kRoomBytes = 16u << 20;

absl::Status SystemError(absl::string_view what, const std::string& path, const std::error_code& error) {
  return absl::InternalError(absl::StrCat(what, " ", path, ": ", error.message()));
}

class Restoration {
 public:
  explicit Restoration(const RestoreOptions& options)
      : options_(options),
        env_(options.env != nullptr ? options.env : rocksdb::Env::Default()),
        beside_(absl::StrCat(options.path, ".restoring")) {}

  absl::StatusOr<storage::v1::HoldRecord> Run() {
    const auto lock = LockParent();
    if (!lock.ok()) return lock.status();
    if (absl::Status status = CheckPlace(); !status.ok()) return status;
    if (absl::Status status = MakeBeside(); !status.ok()) {
      // Not before the engine is gone: after an error its threads go on copying for a while.
      std::error_code ignored;
      fs::remove_all(beside_, ignored);
      return status;
    }
    if (absl::Status status = GiveName(); !status.ok()) return status;
    return hold_;
  }

 private:
  using Engine = rocksdb::BackupEngineReadOnlyBase;

  absl::Status MakeBeside() {
    const auto engine = OpenBackupsToRead(env_, options_.backup_folder);
    if (!engine.ok()) return engine.status();
    const auto backup = FindBackup(**engine, options_.backup_folder, options_.backup_id);
    if (!backup.ok()) return backup.status();
    for (const auto step : {&Restoration::Clear, &Restoration::Copy, &Restoration::Mark, &Restoration::Check}) {
      if (absl::Status status = (this->*step)(**engine, *backup); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Two restores at a time would clear away each other's work. Ends with the descriptor.
  absl::StatusOr<std::shared_ptr<const int>> LockParent() const {
    const std::string parent = fs::path(options_.path).parent_path().string();
    const int fd = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return SystemError("cannot open", parent, std::error_code(errno, std::generic_category()));
    std::shared_ptr<const int> held(new int(fd), [](const int* open) {
      ::close(*open);
      delete open;
    });
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return held;
    return absl::FailedPreconditionError(absl::StrCat("another process restores into ", parent, " already"));
  }

  absl::Status CheckPlace() const {
    std::error_code error;
    if (!fs::exists(options_.path, error)) return absl::OkStatus();
    fs::directory_iterator entries(options_.path, error);
    if (error) return SystemError("cannot list", options_.path, error);
    if (entries == fs::directory_iterator()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "there is a store, or something else, at ", options_.path, " already, and a restore replaces nothing: ",
        DescribePlace(), "move that folder away first, or restore into another data folder"));
  }

  // A restore that has been done, and is asked for once more, is no mistake of anybody's.
  std::string DescribePlace() const {
    if (!IsMarked(options_.path)) return "";
    const auto check = CheckStore(env_, options_.path);
    if (!check.ok() || !check->hold.has_value() || check->hold->released_ms() != 0) return "";
    return absl::StrCat("it was restored from backup ", check->hold->backup().backup_id(),
                        " and is held; if that is what you want, start without --restore-from; else ");
  }

  absl::Status Clear(const Engine&, const BackupInfo& backup) {
    std::error_code error;
    fs::remove_all(beside_, error);
    if (error) return SystemError("cannot clear away", beside_, error);
    fs::create_directory(beside_, error);
    if (error) return SystemError("cannot make", beside_, error);
    const uint64_t free = FreeBytes(beside_);
    if (free >= backup.bytes + kRoomBytes) return absl::OkStatus();
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat("backup ", backup.id, " has ", backup.bytes, " bytes, and at ",
                                                  options_.path, " there are only ", free, " free")),
        "BACKUP_NO_ROOM");
  }

  // The engine holds each file against its checksum as it copies it.
  absl::Status Copy(const Engine& engine, const BackupInfo& backup) {
    const auto status = engine.RestoreDBFromBackup(rocksdb::RestoreOptions(), static_cast<rocksdb::BackupID>(backup.id),
                                                   beside_, beside_);
    if (status.ok()) return absl::OkStatus();
    // It does not name the file; looking for it does.
    const auto where = engine.VerifyBackup(static_cast<rocksdb::BackupID>(backup.id), /*verify_with_checksum=*/true);
    return BackupError(absl::StrCat("backup ", backup.id, " in ", options_.backup_folder, " cannot be restored"),
                       where.ok() ? status : where);
  }

  // Says in the store what it is from now on, and begins its watermark.
  absl::Status Mark(const Engine&, const BackupInfo& backup) {
    OpenDatabase database;
    rocksdb::DBOptions db_options;
    db_options.env = env_;
    SetRecovery(&db_options);
    rocksdb::ColumnFamilyOptions column_options;
    column_options.disable_auto_compactions = true;
    const auto opened = database.Open(db_options, column_options, beside_);
    if (!opened.ok()) return OpenError(beside_, opened);
    const uint64_t sequence = database.db()->GetLatestSequenceNumber();
    if (sequence < backup.sequence) {
      return WithReason(absl::DataLossError(absl::StrCat("backup ", backup.id, " lacks ", backup.sequence - sequence,
                                                         " changes of those that it says it holds")),
                        "BACKUP_DAMAGED");
    }
    hold_ = HoldFor(backup);
    std::string version;
    AppendBigEndian64(kHoldRecordVersion, &version);
    rocksdb::WriteBatch batch;
    auto* meta = database.handle(Column::kMeta);
    auto written = batch.Put(meta, ToSlice(kStoreKey), NewIdentity().SerializeAsString());
    if (written.ok()) written = batch.Put(meta, ToSlice(kHoldKey), hold_.SerializeAsString());
    // An earlier version, which knows of no hold, must not open it.
    if (written.ok()) written = batch.Put(meta, absl::StrCat(kNewestRecordPrefix, kNewestHold), version);
    std::string one;
    AppendBigEndian64(1, &one);
    if (written.ok()) written = batch.Put(meta, ToSlice(kWatermarkKey), one);
    rocksdb::WriteOptions synced;
    synced.sync = true;
    if (written.ok()) written = database.db()->Write(synced, &batch);
    if (!written.ok()) return OpenError(beside_, written);
    const auto mark = MarkNow(database.db(), beside_);
    if (!mark.ok()) return mark.status();
    return WatermarkFile::Open(env_, beside_, *mark).status();
  }

  storage::v1::HoldRecord HoldFor(const BackupInfo& backup) const {
    storage::v1::HoldRecord hold;
    hold.set_version(kHoldRecordVersion);
    hold.set_hold_id(RandomHex128());
    hold.set_restored_ms(options_.now_ms);
    auto* from = hold.mutable_backup();
    from->set_version(kBackupRecordVersion);
    from->set_backup_id(backup.id);
    from->set_store_id(backup.store_id);
    from->set_created_ms(backup.created_ms);
    from->set_sequence(backup.sequence);
    return hold;
  }

  // As every start will.
  absl::Status Check(const Engine&, const BackupInfo&) {
    if (absl::Status status = MarkComplete(beside_); !status.ok()) return status;
    const auto check = CheckStore(env_, beside_);
    return check.ok() ? check->loss : check.status();
  }

  absl::Status GiveName() const {
    if (absl::Status status = SyncFolder(beside_); !status.ok()) return status;
    std::error_code error;
    fs::rename(beside_, options_.path, error);  // onto an empty folder, too
    if (error) return SystemError("cannot put the restored store at", options_.path, error);
    return SyncFolder(fs::path(options_.path).parent_path().string());
  }

  const RestoreOptions& options_;
  rocksdb::Env* const env_;
  const std::string beside_;
  storage::v1::HoldRecord hold_;
};

}  // namespace

absl::StatusOr<storage::v1::HoldRecord> Restore(const RestoreOptions& options) {
  return Restoration(options).Run();
}

}  // namespace tutti::store
