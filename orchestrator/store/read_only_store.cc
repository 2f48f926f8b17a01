#include "orchestrator/store/read_only_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "orchestrator/store/rocksdb_folder.h"

namespace tutti::store {
namespace {

// RocksDB would otherwise begin a log of its doings in the folder.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// Files may be replaced under a reader while somebody writes. RocksDB holds a lock on this file as long as it is open.
absl::Status CheckNotInUse(const std::string& path) {
  const int fd = ::open(absl::StrCat(path, "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::OkStatus();
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool taken = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  if (!taken) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the store at ", path, " is in use by another process; stop that one, or give a copy or snapshot"));
}

rocksdb::DBOptions ReadOnlyOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = false;
  options.info_log = std::make_shared<NoLog>();
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadOnlyStore>> ReadOnlyStore::Open(const std::string& path) {
  std::unique_ptr<ReadOnlyStore> store(new ReadOnlyStore);
  if (absl::Status status = store->OpenAt(path); !status.ok()) return status;
  return store;
}

ReadOnlyStore::~ReadOnlyStore() {
  view_.reset();
  for (auto* handle : opened_) db_->DestroyColumnFamilyHandle(handle);
}

absl::Status ReadOnlyStore::OpenAt(const std::string& path) {
  if (!IsMarked(path)) {
    return absl::FailedPreconditionError(absl::StrCat("the folder ", path, " is no store of Tutti's"));
  }
  if (absl::Status status = CheckNotInUse(path); !status.ok()) return status;
  if (absl::Status status = CheckFiles(path); !status.ok()) return status;
  const rocksdb::DBOptions options = ReadOnlyOptions();
  if (absl::Status status = CheckColumns(options, path); !status.ok()) return status;
  std::vector<rocksdb::ColumnFamilyDescriptor> columns;
  for (const char* name : kColumnNames) columns.emplace_back(name, rocksdb::ColumnFamilyOptions());
  columns.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(options, path, columns, &opened_, &db);
  if (!status.ok()) return OpenError(path, status);
  db_.reset(db);
  std::copy_n(opened_.begin(), handles_.size(), handles_.begin());
  view_ = std::make_unique<RocksDbView>(db_.get(), &handles_, /*snapshot=*/false);
  const absl::StatusOr<bool> present = CheckLayout(*view_, path);
  if (!present.ok()) return present.status();
  return *present ? absl::OkStatus() : NoVersionError(path);
}

}  // namespace tutti::store
