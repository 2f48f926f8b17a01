#include "orchestrator/store/open_database.h"

#include <algorithm>

#include "orchestrator/store/rocksdb_folder.h"

namespace tutti::store {
namespace {

// RocksDB would otherwise begin a log of its doings in the folder.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

std::vector<rocksdb::ColumnFamilyDescriptor> AllColumns(const rocksdb::ColumnFamilyOptions& options) {
  std::vector<rocksdb::ColumnFamilyDescriptor> columns;
  for (const char* name : kColumnNames) columns.emplace_back(name, options);
  columns.emplace_back(rocksdb::kDefaultColumnFamilyName, options);  // RocksDB insists; nothing is in it
  return columns;
}

}  // namespace

OpenDatabase::~OpenDatabase() {
  for (auto* handle : opened_) db_->DestroyColumnFamilyHandle(handle);
  if (db_ != nullptr) db_->Close().PermitUncheckedError();
}

rocksdb::Status OpenDatabase::Open(const rocksdb::DBOptions& options,
                                   const rocksdb::ColumnFamilyOptions& column_options, const std::string& path) {
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, path, AllColumns(column_options), &opened_, &db);
  return Take(status, db);
}

rocksdb::Status OpenDatabase::OpenToRead(const rocksdb::DBOptions& options, const std::string& path) {
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::OpenForReadOnly(options, path, AllColumns(rocksdb::ColumnFamilyOptions()), &opened_, &db);
  return Take(status, db);
}

rocksdb::Status OpenDatabase::Take(const rocksdb::Status& status, rocksdb::DB* db) {
  db_.reset(db);
  if (status.ok()) {
    std::copy_n(opened_.begin(), handles_.size(), handles_.begin());
  } else {
    opened_.clear();
  }
  return status;
}

absl::StatusOr<Watermark> MarkNow(rocksdb::DB* db, const std::string& path) {
  std::unique_ptr<rocksdb::LogFile> log;
  const auto status = db->GetCurrentWalFile(&log);
  if (!status.ok()) return OpenError(path, status);
  return Watermark{
      .sequence = db->GetLatestSequenceNumber(), .log = log->LogNumber(), .log_bytes = log->SizeFileBytes()};
}

void SetRecovery(rocksdb::DBOptions* options) {
  // The default mode would drop acknowledged commits behind a damaged byte without a word.
  options->wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options->paranoid_checks = true;
  // The manifest says how long each log but the newest is. Without this an opening forgets what it says.
  options->track_and_verify_wals_in_manifest = true;
}

rocksdb::DBOptions OptionsForReading(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = false;
  options.info_log = std::make_shared<NoLog>();
  SetRecovery(&options);
  return options;
}

}  // namespace tutti::store
