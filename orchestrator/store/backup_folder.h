// A folder of backups, as RocksDB's BackupEngine keeps it: what both who write and who restore must agree on.
#ifndef TUTTI_ORCHESTRATOR_STORE_BACKUP_FOLDER_H_
#define TUTTI_ORCHESTRATOR_STORE_BACKUP_FOLDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/env.h"
#include "rocksdb/utilities/backup_engine.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::store {

struct BackupInfo;

// Its name in a folder that was made for backups: the engine deletes what it does not know.
inline constexpr char kBackupsMarker[] = "TUTTI_BACKUPS";

// Makes the folder when it is missing, whose parent must exist, and marks it. FAILED_PRECONDITION when it holds
// anything else than backups.
absl::Status ClaimBackupFolder(const std::string& folder);

// Held by whoever writes to the folder, against other processes. FAILED_PRECONDITION (BACKUP_FOLDER_IN_USE).
class BackupFolderLock {
 public:
  static absl::StatusOr<std::unique_ptr<BackupFolderLock>> Take(rocksdb::Env* env, const std::string& folder);
  ~BackupFolderLock();
  BackupFolderLock(const BackupFolderLock&) = delete;
  BackupFolderLock& operator=(const BackupFolderLock&) = delete;

 private:
  BackupFolderLock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}
  rocksdb::Env* const env_;
  rocksdb::FileLock* const lock_;
};

// What all of our engines have in common.
rocksdb::BackupEngineOptions EngineOptions(rocksdb::Env* env, const std::string& folder);
absl::StatusOr<std::unique_ptr<rocksdb::BackupEngine>> OpenBackups(const rocksdb::BackupEngineOptions& options);
// Changes nothing. FAILED_PRECONDITION when the folder is none of backups.
absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenBackupsToRead(rocksdb::Env* env,
                                                                                 const std::string& folder);

// Newest first, damaged ones among them, as far as the files' sizes show it.
std::vector<BackupInfo> ReadBackups(const rocksdb::BackupEngineReadOnlyBase& engine);
// 0: the newest that is not known to be damaged. NOT_FOUND (BACKUP_NOT_FOUND), DATA_LOSS (BACKUP_DAMAGED).
absl::StatusOr<BackupInfo> FindBackup(const rocksdb::BackupEngineReadOnlyBase& engine, const std::string& folder,
                                      int64_t backup_id);

// What an engine's failure means, with a reason: BACKUP_DAMAGED, BACKUP_NO_ROOM, BACKUP_FAILED.
absl::Status BackupError(const std::string& what, const rocksdb::Status& status);

// What is left for this process on the file system that holds `path`; UINT64_MAX when it cannot be asked.
uint64_t FreeBytes(const std::string& path);
bool SameVolume(const std::string& one, const std::string& other);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_BACKUP_FOLDER_H_
