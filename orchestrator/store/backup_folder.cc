#include "orchestrator/store/backup_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "orchestrator/store/backups.h"

namespace tutti::store {
namespace {

namespace fs = std::filesystem;

absl::Status FolderError(const std::string& folder, absl::string_view what) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat("the backup folder ", folder, " ", what)),
                    "BACKUP_FOLDER_UNUSABLE");
}

absl::Status DamagedError(const std::string& folder, int64_t id, const std::string& problem) {
  return WithReason(absl::DataLossError(absl::StrCat("backup ", id, " in ", folder, " is damaged: ", problem)),
                    "BACKUP_DAMAGED");
}

BackupInfo ToInfo(const rocksdb::BackupInfo& from) {
  BackupInfo info{
      .id = from.backup_id, .created_ms = from.timestamp * 1000, .bytes = from.size, .files = from.number_files};
  storage::v1::BackupRecord record;
  if (!record.ParseFromString(from.app_metadata) || record.store_id().empty()) {
    info.problem = "it does not say which store it was made of";
    return info;
  }
  info.store_id = record.store_id();
  info.created_ms = record.created_ms();
  info.sequence = record.sequence();
  return info;
}

}  // namespace

absl::Status ClaimBackupFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) return FolderError(folder, absl::StrCat("cannot be made: ", error.message()));
  const fs::path marker = fs::path(folder) / kBackupsMarker;
  if (fs::exists(marker, error)) return absl::OkStatus();
  fs::directory_iterator entries(folder, error);
  if (error) return FolderError(folder, absl::StrCat("cannot be listed: ", error.message()));
  for (const auto& entry : entries) {
    if (entry.path().filename() == "lost+found") continue;  // a file system of its own
    return FolderError(folder, absl::StrCat("holds ", entry.path().filename().string(), " but no ", kBackupsMarker,
                                            ": it was not made for backups; give an empty or new folder"));
  }
  const int fd = ::open(marker.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  const int failure = errno;
  if (fd >= 0) ::close(fd);
  if (fd < 0) return FolderError(folder, absl::StrCat("cannot be written: ", std::generic_category().message(failure)));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BackupFolderLock>> BackupFolderLock::Take(rocksdb::Env* env, const std::string& folder) {
  rocksdb::FileLock* lock = nullptr;
  const auto status = env->LockFile(absl::StrCat(folder, "/LOCK"), &lock);
  if (status.ok()) return std::unique_ptr<BackupFolderLock>(new BackupFolderLock(env, lock));
  if (status.IsNoSpace()) return BackupError("cannot write to the backup folder", status);
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          "the backup folder ", folder, " is in use by another process, or cannot be written: ", status.ToString())),
      "BACKUP_FOLDER_IN_USE");
}

BackupFolderLock::~BackupFolderLock() {
  env_->UnlockFile(lock_).PermitUncheckedError();
}

rocksdb::BackupEngineOptions EngineOptions(rocksdb::Env* env, const std::string& folder) {
  rocksdb::BackupEngineOptions options(folder, env);
  options.sync = true;
  options.share_table_files = true;
  options.share_files_with_checksum = true;
  return options;
}

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngine>> OpenBackups(const rocksdb::BackupEngineOptions& options) {
  rocksdb::BackupEngine* engine = nullptr;
  const auto status = rocksdb::BackupEngine::Open(options, options.backup_env, &engine);
  if (!status.ok())
    return BackupError(absl::StrCat("the backup folder ", options.backup_dir, " cannot be opened"), status);
  return std::unique_ptr<rocksdb::BackupEngine>(engine);
}

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenBackupsToRead(rocksdb::Env* env,
                                                                                 const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return FolderError(folder, "is not there");
  if (!fs::exists(fs::path(folder) / kBackupsMarker, error)) {
    return FolderError(folder, absl::StrCat("has no ", kBackupsMarker, ": no backup was made in it"));
  }
  rocksdb::BackupEngineReadOnly* engine = nullptr;
  const auto status = rocksdb::BackupEngineReadOnly::Open(EngineOptions(env, folder), env, &engine);
  if (!status.ok()) return BackupError(absl::StrCat("the backup folder ", folder, " cannot be opened"), status);
  return std::unique_ptr<rocksdb::BackupEngineReadOnly>(engine);
}

std::vector<BackupInfo> ReadBackups(const rocksdb::BackupEngineReadOnlyBase& engine) {
  std::vector<BackupInfo> backups;
  std::vector<rocksdb::BackupInfo> good;
  engine.GetBackupInfo(&good);
  for (const auto& info : good) backups.push_back(ToInfo(info));
  std::vector<rocksdb::BackupID> damaged;
  engine.GetCorruptedBackups(&damaged);
  for (const rocksdb::BackupID id : damaged) {
    rocksdb::BackupInfo unread;
    const auto why = engine.GetBackupInfo(id, &unread);
    BackupInfo info;
    info.id = id;
    info.problem = why.ok() ? "it cannot be read" : why.ToString();
    backups.push_back(std::move(info));
  }
  std::sort(backups.begin(), backups.end(), [](const BackupInfo& a, const BackupInfo& b) { return a.id > b.id; });
  return backups;
}

absl::StatusOr<BackupInfo> FindBackup(const rocksdb::BackupEngineReadOnlyBase& engine, const std::string& folder,
                                      int64_t backup_id) {
  const std::vector<BackupInfo> backups = ReadBackups(engine);
  const auto found = std::find_if(backups.begin(), backups.end(), [&](const BackupInfo& info) {
    return backup_id == 0 ? info.problem.empty() : info.id == backup_id;
  });
  if (found != backups.end()) {
    return found->problem.empty() ? absl::StatusOr<BackupInfo>(*found)
                                  : DamagedError(folder, backup_id, found->problem);
  }
  return WithReason(
      absl::NotFoundError(backup_id == 0 ? absl::StrCat("there is no good backup in ", folder)
                                         : absl::StrCat("backup_id: there is no backup ", backup_id, " in ", folder)),
      "BACKUP_NOT_FOUND");
}

absl::Status BackupError(const std::string& what, const rocksdb::Status& status) {
  const std::string text = absl::StrCat(what, ": ", status.ToString());
  if (status.IsNoSpace() || absl::StrContains(text, "No space left")) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                          text, "; make room, e.g. with `tuttictl backup delete --keep N`, or give another volume")),
                      "BACKUP_NO_ROOM");
  }
  if (status.IsCorruption() || status.IsPathNotFound() || absl::StrContains(text, "No such file")) {
    return WithReason(absl::DataLossError(text), "BACKUP_DAMAGED");
  }
  return WithReason(absl::InternalError(text), "BACKUP_FAILED");
}

uint64_t FreeBytes(const std::string& path) {
  struct statvfs volume {};
  if (statvfs(path.c_str(), &volume) != 0) return UINT64_MAX;
  return static_cast<uint64_t>(volume.f_bavail) * volume.f_frsize;
}

bool SameVolume(const std::string& one, const std::string& other) {
  struct stat a {};
  struct stat b {};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev;
}

}  // namespace tutti::store
