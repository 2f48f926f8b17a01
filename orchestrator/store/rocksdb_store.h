// The store on disk. docs/storage.md describes what lies there.
#ifndef TUTTI_ORCHESTRATOR_STORE_ROCKSDB_STORE_H_
#define TUTTI_ORCHESTRATOR_STORE_ROCKSDB_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "orchestrator/store/commit_queue.h"
#include "orchestrator/store/disk_reserve.h"
#include "orchestrator/store/saga_store.h"

namespace rocksdb {
class DB;
class Env;
}  // namespace rocksdb

namespace tutti::store {

struct RocksDbStoreOptions {
  std::string path;  // created when missing; its parent must exist
  size_t block_cache_bytes = 128u << 20;
  size_t write_buffer_bytes = 64u << 20;  // of each column; beyond it what the log holds is written to a table
  size_t write_buffers_bytes = 0;         // of all columns together; 0: no bound but that of the log
  // A restart replays the log: this bounds how long that takes, whatever column has been idle.
  uint64_t log_bytes_max = 256u << 20;
  DiskReserve* reserve = nullptr;   // not owned; nullptr: none
  RoomReader room;                  // of the volume; unset: the system is asked
  CommitObserver observer;          // called on the committer's thread; must not block
  UnreadableVisitor on_unreadable;  // each time a saga's record is met that cannot be read; on the reader's thread
  rocksdb::Env* env = nullptr;      // not owned; nullptr: the operating system's
};

// What the database tells of itself, for metrics. Counts and seconds are since it was opened.
struct RocksDbStatus {
  uint64_t log_syncs = 0;
  double log_sync_seconds = 0;
  double stall_seconds = 0;  // writes held back because compaction or flushing lags behind
  uint64_t table_bytes = 0;
  uint64_t log_bytes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t pending_compaction_bytes = 0;  // estimated
};

// Every commit is synced. Thread-safe. Destruction writes what was handed over.
class RocksDbStore : public SagaStore, public SagaReader {
 public:
  // FAILED_PRECONDITION: another process has it open, the folder is no store of Tutti's, a newer version wrote it, or
  // nothing can be written there. RESOURCE_EXHAUSTED: there is no room to open it, the reserve's included.
  // DATA_LOSS: something that was acknowledged is missing, or damaged so that it cannot be opened. A refusal changes
  // nothing.
  static absl::StatusOr<std::unique_ptr<RocksDbStore>> Open(const RocksDbStoreOptions& options);

  virtual RocksDbStatus Status() const = 0;

  // Gives the room of expired sagas back to the disk, when they are a fourth of what is left, or, where room is short,
  // a fiftieth: it rewrites the whole store piece by piece. Blocks for as long as that takes; CancelReclaim ends it,
  // and every later one, early. Returns whether anything was rewritten.
  virtual bool Reclaim(bool room_is_short) = 0;
  virtual void CancelReclaim() = 0;

  // Which store this is, and the newest restore that it comes from, as of the opening.
  virtual const storage::v1::StoreRecord& identity() const = 0;
  virtual const std::optional<storage::v1::HoldRecord>& hold() const = 0;

  // For Backups.
  virtual rocksdb::DB* database() const = 0;
  virtual const RocksDbStoreOptions& options() const = 0;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_ROCKSDB_STORE_H_
