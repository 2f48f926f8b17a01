// How far the database was last known to be on disk, kept in a file beside the log that it guards: a log that has
// become shorter can then be told from one whose last write was cut short. docs/storage.md says what that gives after
// what.
#ifndef TUTTI_ORCHESTRATOR_STORE_WATERMARK_H_
#define TUTTI_ORCHESTRATOR_STORE_WATERMARK_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "rocksdb/env.h"

namespace tutti::store {

inline constexpr char kWatermarkFile[] = "SYNCED";

struct Watermark {
  uint64_t sequence = 0;   // RocksDB's, of the last change that was synced
  uint64_t log = 0;        // number of the log that was written then
  uint64_t log_bytes = 0;  // its length; 0: nothing is in it, and tables hold all up to `sequence`
  bool waived = false;     // read only: an operator wants to start with what there is
};

// What the file in this folder says. Unset when there is none. DATA_LOSS when it is damaged or cut.
absl::StatusOr<std::optional<Watermark>> ReadWatermark(rocksdb::Env* env, const std::string& folder);

// The file, written to. Write is for one thread at a time.
class WatermarkFile {
 public:
  static constexpr std::chrono::milliseconds kSyncInterval{100};

  // Makes the file when it is missing or damaged, and has `first` in it on disk before it returns.
  static absl::StatusOr<std::unique_ptr<WatermarkFile>> Open(rocksdb::Env* env, const std::string& folder,
                                                             const Watermark& first,
                                                             std::chrono::milliseconds sync_interval = kSyncInterval);
  ~WatermarkFile();  // syncs

  // Hands one small write to the system, so that it outlives this process; it is synced soon after. Only for what is
  // synced itself. After a failure, that of a sync in between included, every further one fails.
  absl::Status Write(const Watermark& watermark);

 private:
  WatermarkFile(std::unique_ptr<rocksdb::RandomRWFile> file, uint64_t counter, std::chrono::milliseconds sync_interval);
  absl::Status WriteSlot(const Watermark& watermark) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SyncNow() ABSL_LOCKS_EXCLUDED(mu_);
  void SyncInTheBackground();

  const std::unique_ptr<rocksdb::RandomRWFile> file_;
  const std::chrono::milliseconds sync_interval_;
  Mutex mu_;
  CondVar changed_;
  uint64_t counter_ ABSL_GUARDED_BY(mu_);    // of the newest write; grows over all lives of the file
  uint64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;  // syncs that have begun; says which slot is written
  bool dirty_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_WATERMARK_H_
