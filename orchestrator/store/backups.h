// Copies of a store that is in use, in a folder of their own. Incremental: tables, which never change once they are
// written, are copied once and shared by all backups that need them. Every file has a checksum.
#ifndef TUTTI_ORCHESTRATOR_STORE_BACKUPS_H_
#define TUTTI_ORCHESTRATOR_STORE_BACKUPS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"

namespace rocksdb {
class BackupEngine;
class Env;
}  // namespace rocksdb

namespace tutti::store {

class RocksDbStore;

struct BackupInfo {
  int64_t id = 0;
  int64_t created_ms = 0;  // wall clock, since the epoch: when it was asked for
  uint64_t bytes = 0;      // of all its files, shared ones included
  uint32_t files = 0;
  std::string store_id;   // of the store that it was made of; empty when it is damaged
  uint64_t sequence = 0;  // RocksDB's, of the newest change that it holds for certain
  std::string problem;    // why it cannot be restored; empty when nothing is known of that kind
};

struct BackupProgress {
  uint64_t copied_bytes = 0;
  uint64_t total_bytes = 0;  // estimated
};

// Told now and then while a backup is made or read, on any thread, one call at a time; false ends that.
using BackupWatcher = std::function<bool(const BackupProgress&)>;

struct DeletedBackups {
  std::vector<int64_t> deleted;
  std::vector<BackupInfo> left;  // newest first
};

// Thread-safe; calls block. One call at a time works on the folder, others of Create, Verify and Delete are ABORTED
// (BACKUP_BUSY); in another process FAILED_PRECONDITION (BACKUP_FOLDER_IN_USE).
class Backups {
 public:
  struct Options {
    std::string folder;                  // empty: there are none, and every call is FAILED_PRECONDITION
    uint64_t bytes_per_second = 0;       // 0: as fast as it goes
    rocksdb::Env* env = nullptr;         // not owned; nullptr: the operating system's
    uint64_t progress_bytes = 1u << 20;  // between two calls of a watcher
    // What is left on a path's file system. Unset: what the operating system says.
    std::function<uint64_t(const std::string& path)> free_bytes;
  };

  // `store` must outlive it.
  Backups(RocksDbStore* store, Options options);

  // FAILED_PRECONDITION: no folder can be there. What an unfinished backup left is cleared away, and what there is told
  // by last_success_ms.
  absl::Status Begin();

  // Holds everything that was acknowledged before the call. RESOURCE_EXHAUSTED (BACKUP_NO_ROOM) when it would not fit:
  // looked at before, and then nothing is written. FAILED_PRECONDITION (BACKUP_FOREIGN) when the folder's newest backup
  // is of a store that this one does not come from. CANCELLED when the watcher ended it, UNAVAILABLE (SHUTTING_DOWN)
  // when Stop did. Whatever happens, earlier backups stay as they are.
  absl::StatusOr<BackupInfo> Create(int64_t now_ms, const BackupWatcher& watcher);
  absl::StatusOr<std::vector<BackupInfo>> List() const;
  // Reads all of its files. 0: the newest. DATA_LOSS (BACKUP_DAMAGED) names the file. Ends as Create does.
  absl::StatusOr<BackupInfo> Verify(int64_t backup_id, const BackupWatcher& watcher);
  // Keeps the `keep` newest that are not known to be damaged, at least one, and damaged ones newer than the oldest of
  // those.
  absl::StatusOr<DeletedBackups> Delete(int keep);

  // Ends what is under way, and refuses more of it.
  void Stop() { stopping_.store(true); }
  // Waits until no call works on the folder, nor on the store.
  void AwaitIdle();

  bool configured() const { return !options_.folder.empty(); }
  // When the newest good backup of this very store was asked for; 0: never.
  int64_t last_success_ms() const { return last_success_ms_.load(); }
  uint64_t succeeded() const { return succeeded_.load(); }
  uint64_t failed() const { return failed_.load(); }

 private:
  class Turn;  // to work on the folder

  absl::Status CheckConfigured() const;
  absl::Status CheckOrigin(const std::vector<BackupInfo>& backups) const;
  absl::Status CheckRoom(uint64_t bytes) const;
  uint64_t BytesToCopy() const;
  bool FlushFits() const;
  absl::StatusOr<BackupInfo> CreateNow(int64_t now_ms, const BackupWatcher& watcher);
  absl::StatusOr<int64_t> Copy(rocksdb::BackupEngine* engine, int64_t now_ms, const BackupWatcher& watcher);
  void Note(const std::vector<BackupInfo>& backups);

  RocksDbStore* const store_;
  Options options_;  // constant once constructed
  rocksdb::Env* const env_;
  Mutex turn_;
  CondVar idle_;
  bool busy_ ABSL_GUARDED_BY(turn_) = false;
  mutable Mutex reading_;  // held while backups are deleted or listed: a listing must not meet half of a deletion
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> last_success_ms_{0};
  std::atomic<uint64_t> succeeded_{0};
  std::atomic<uint64_t> failed_{0};
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_BACKUPS_H_
