#include "orchestrator/store/log_witness.h"

#include <algorithm>
#include <cstring>

#include "rocksdb/write_batch.h"

namespace tutti::store {

class LogWitness::Keeper final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Keeper(LogWitness* witness) : witness_(witness) {}
  rocksdb::Status PutCF(uint32_t column, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (column == witness_->kept_id_) witness_->kept_[key.ToString()] = value.ToString();
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t column, const rocksdb::Slice& key) override {
    if (column == witness_->kept_id_) witness_->kept_[key.ToString()] = std::nullopt;
    return rocksdb::Status::OK();
  }
  void LogData(const rocksdb::Slice&) override {}

 private:
  LogWitness* const witness_;
};

void LogWitness::ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& log_by_column,
                                          const std::map<std::string, uint32_t>& column_by_name) {
  needed_log_ = UINT64_MAX;
  for (const auto& [column, log] : log_by_column) needed_log_ = std::min(needed_log_, log);
  const auto kept = column_by_name.find(kept_column_);
  if (kept != column_by_name.end()) kept_id_ = kept->second;
}

rocksdb::WalFilter::WalProcessingOption LogWitness::LogRecordFound(unsigned long long log, const std::string&,
                                                                   const rocksdb::WriteBatch& batch,
                                                                   rocksdb::WriteBatch*, bool*) {
  // A batch begins with the number of its first change, 8 bytes; each of its changes takes the next one.
  uint64_t first = 0;
  for (size_t byte = 0; byte < 8; ++byte) {
    first |= static_cast<uint64_t>(static_cast<unsigned char>(batch.Data()[byte])) << (8 * byte);
  }
  if (next_ == 0) {
    first_ = first;
    first_log_ = log;
  } else if (first != next_ && !gap_.has_value()) {
    gap_ = {.log = log, .previous_log = log_, .expected = next_, .found = first};
  }
  next_ = first + static_cast<uint64_t>(batch.Count());
  log_ = log;
  Keeper keeper(this);
  if (!batch.Iterate(&keeper).ok()) return WalProcessingOption::kCorruptedRecord;
  return WalProcessingOption::kIgnoreCurrentRecord;
}

}  // namespace tutti::store
