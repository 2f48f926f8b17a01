// Everything that can keep a store from being opened, found without touching it.
#ifndef TUTTI_ORCHESTRATOR_STORE_STORE_CHECK_H_
#define TUTTI_ORCHESTRATOR_STORE_STORE_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::store {

struct StoreCheck {
  bool begun = false;            // false: new, or its making was cut short before anything could be committed
  bool marks_watermark = false;  // it says that it has one
  uint64_t newest_saga = 0;      // record version; 0: not marked
  uint64_t newest_definition = 0;
  std::optional<storage::v1::StoreRecord> identity;  // unset: an earlier version made it
  std::optional<storage::v1::HoldRecord> hold;       // unset: it was never restored from a backup
  // DATA_LOSS: it can be opened, but something that was acknowledged is not in it, or nobody can tell any more.
  absl::Status loss;
};

// The folder is a store's, and nobody writes to it.
// FAILED_PRECONDITION: a newer version wrote it. DATA_LOSS: it is damaged so that it cannot be opened, or lacks files.
absl::StatusOr<StoreCheck> CheckStore(rocksdb::Env* env, const std::string& path);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_STORE_CHECK_H_
