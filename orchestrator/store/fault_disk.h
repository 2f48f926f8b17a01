// A disk under RocksDB that fails at a chosen call, and that forgets at a power cut what was not synced. For tests.
#ifndef TUTTI_ORCHESTRATOR_STORE_FAULT_DISK_H_
#define TUTTI_ORCHESTRATOR_STORE_FAULT_DISK_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "rocksdb/file_system.h"

namespace tutti::store {

enum class DiskFault {
  kNone,
  kErrorOnce,    // one call fails and does nothing
  kShortAppend,  // as kErrorOnce, but an append leaves half of its bytes
  kSyncError,    // as kErrorOnce, at the n-th sync instead of the n-th call; what it was to sync never will be
  kDiskFull,     // from there on nothing can be appended or made
  kDead,         // from there on every call fails
};

// Calls that change the disk are counted from Arm on; reads never fail. Files are real ones in one folder. Nothing is
// really synced: a power cut is played by undoing what was not. Thread-safe.
class FaultDisk final : public rocksdb::FileSystemWrapper {
 public:
  // `undone`: an empty folder on the same file system, to keep what was deleted in until that is synced.
  FaultDisk(uint64_t seed, std::filesystem::path undone);
  const char* Name() const override { return "FaultDisk"; }

  void Arm(DiskFault fault, int64_t at_call);  // counted from 1
  int64_t calls() const;
  int64_t syncs() const;
  void LieAboutSyncs() { lies_ = true; }  // says yes and does nothing

  // Once nobody has the database open: the disk is well again. A power cut leaves of each file what was synced and any
  // part of what was appended since; of what was written in place since, any state that each few bytes had, whatever
  // their neighbours'; of the folder's changes since its last sync any first part.
  void Restart(bool power_cut);

  using Status = rocksdb::IOStatus;
  Status NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* debug) override;
  Status ReopenWritableFile(const std::string&, const rocksdb::FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>*,
                            rocksdb::IODebugContext*) override;
  Status NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSRandomRWFile>* result, rocksdb::IODebugContext* debug) override;
  Status NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                      std::unique_ptr<rocksdb::FSDirectory>* result, rocksdb::IODebugContext* debug) override;
  Status RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override;
  Status DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class InPlaceFile;
  class Directory;
  struct Content {
    uint64_t synced = 0;
    bool sync_failed = false;
  };
  struct InPlace {  // a file whose length stays
    std::string synced;
    std::vector<std::pair<uint64_t, std::string>> writes;  // since, by offset
    bool sync_failed = false;
  };
  struct Change {  // of the folder
    enum { kMade, kRenamed, kDeleted } what;
    std::string name;
    std::string from;  // kRenamed
    std::string kept;  // what lay at `name` before; empty: nothing
  };
  enum class Call { kAppend, kSync, kOther };

  Status Next(Call call, bool* half = nullptr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Keep(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SyncFolder() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Undo(const Change& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CutPower(const std::string& name, const InPlace& file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::filesystem::path undone_;
  std::atomic<bool> lies_{false};
  mutable Mutex mu_;
  std::mt19937_64 luck_ ABSL_GUARDED_BY(mu_);
  DiskFault fault_ ABSL_GUARDED_BY(mu_) = DiskFault::kNone;
  int64_t fault_at_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t calls_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t syncs_ ABSL_GUARDED_BY(mu_) = 0;
  int kept_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, std::shared_ptr<Content>> files_ ABSL_GUARDED_BY(mu_);  // made since the last restart
  std::map<std::string, std::shared_ptr<InPlace>> in_place_ ABSL_GUARDED_BY(mu_);
  std::vector<Change> changes_ ABSL_GUARDED_BY(mu_);  // since the folder's last sync
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_FAULT_DISK_H_
