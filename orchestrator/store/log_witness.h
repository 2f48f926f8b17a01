// Listens to RocksDB reading its logs at an opening: which changes are in them, and whether any are missing in between.
#ifndef TUTTI_ORCHESTRATOR_STORE_LOG_WITNESS_H_
#define TUTTI_ORCHESTRATOR_STORE_LOG_WITNESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "rocksdb/wal_filter.h"

namespace tutti::store {

// For one opening. Keeps every change from being applied, so that the logs take no memory and next to no time; what is
// in them of one small column is handed on here.
class LogWitness final : public rocksdb::WalFilter {
 public:
  explicit LogWitness(std::string kept_column) : kept_column_(std::move(kept_column)) {}
  const char* Name() const override { return "TuttiLogWitness"; }

  struct Gap {
    uint64_t log = 0;           // the one whose beginning, or middle, does not follow
    uint64_t previous_log = 0;  // 0: the tables
    uint64_t expected = 0;
    uint64_t found = 0;
  };

  bool any() const { return next_ != 0; }
  uint64_t first_sequence() const { return first_; }
  uint64_t last_sequence() const { return next_ == 0 ? 0 : next_ - 1; }  // 0: the logs are empty
  uint64_t first_log() const { return first_log_; }
  uint64_t newest_log() const { return log_; }
  const std::optional<Gap>& gap() const { return gap_; }
  // Every column's tables hold what logs before this one held.
  uint64_t needed_log() const { return needed_log_; }
  // What the logs say of the column: a value, or unset where it was deleted.
  const std::map<std::string, std::optional<std::string>>& kept() const { return kept_; }

  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& log_by_column,
                                const std::map<std::string, uint32_t>& column_by_name) override;
  WalProcessingOption LogRecordFound(unsigned long long log, const std::string& file, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* changed, bool* is_changed) override;

 private:
  class Keeper;

  const std::string kept_column_;
  uint32_t kept_id_ = UINT32_MAX;
  uint64_t needed_log_ = 0;
  uint64_t first_ = 0;
  uint64_t first_log_ = 0;
  uint64_t log_ = 0;
  uint64_t next_ = 0;  // sequence number that the next change must have
  std::optional<Gap> gap_;
  std::map<std::string, std::optional<std::string>> kept_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_LOG_WITNESS_H_
