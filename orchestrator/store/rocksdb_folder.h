// What a folder must look like to be a store of Tutti's, before RocksDB has opened it.
#ifndef TUTTI_ORCHESTRATOR_STORE_ROCKSDB_FOLDER_H_
#define TUTTI_ORCHESTRATOR_STORE_ROCKSDB_FOLDER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "rocksdb/status.h"

namespace tutti::store {

// What RocksDB's refusal to open means.
absl::Status OpenError(const std::string& path, const rocksdb::Status& status);
absl::Status NoVersionError(const std::string& path);

// Makes sure that the folder is ours to use: new, empty, or marked by us.
absl::Status ClaimFolder(const std::string& path);
// The folder is marked as a store's; complete: once it was open, so missing files are a loss, not a beginning.
bool IsMarked(const std::string& path);
bool IsComplete(const std::string& path);
absl::Status MarkComplete(const std::string& path);
// Makes what it lists durable.
absl::Status SyncFolder(const std::string& path);

// A log may be deleted while we look; then it counts for nothing.
uint64_t LogBytes(const std::string& path);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_ROCKSDB_FOLDER_H_
