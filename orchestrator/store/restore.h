// Makes a store out of a backup.
#ifndef TUTTI_ORCHESTRATOR_STORE_RESTORE_H_
#define TUTTI_ORCHESTRATOR_STORE_RESTORE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::store {

struct RestoreOptions {
  std::string backup_folder;
  int64_t backup_id = 0;        // 0: the newest that is not known to be damaged
  std::string path;             // where the store is to be; its parent must exist
  int64_t now_ms = 0;           // wall clock, since the epoch
  rocksdb::Env* env = nullptr;  // not owned; nullptr: the operating system's
};

// The store is another than the one that was backed up, is held, and lies there as a whole or not at all: it is made
// beside its place, checked, and given its name last. What a restore that was cut short left there is cleared away.
//
// FAILED_PRECONDITION: there is something at `path`, a newer version wrote the backup, or the folder is none of
// backups. NOT_FOUND: no such backup. DATA_LOSS: it is damaged, and the file is named. RESOURCE_EXHAUSTED: no room.
// Nothing is at `path` then that was not there before.
absl::StatusOr<storage::v1::HoldRecord> Restore(const RestoreOptions& options);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_RESTORE_H_
