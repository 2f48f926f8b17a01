// Reads a log of RocksDB's (write-ahead logs and manifests are such) as bytes, to say where it is damaged. RocksDB says
// only that something is, and takes a record whose length reaches beyond the end of the file for one cut short.
#ifndef TUTTI_ORCHESTRATOR_STORE_LOG_SCAN_H_
#define TUTTI_ORCHESTRATOR_STORE_LOG_SCAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"

namespace tutti::store {

struct LogScan {
  enum class End {
    kWhole,    // up to the last byte
    kTorn,     // the last record is cut short, as by a crash
    kDamaged,  // bytes are there that cannot be what was written
  };
  uint64_t bytes = 0;
  uint64_t good_bytes = 0;  // up to here all is well
  End end = End::kWhole;
};

// From the beginning, or the last block only: each begins with a record of its own.
enum class ScanFrom { kBeginning, kLastBlock };
absl::StatusOr<LogScan> ScanLog(rocksdb::Env* env, const std::string& path, ScanFrom from);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_LOG_SCAN_H_
