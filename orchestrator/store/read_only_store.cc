#include "orchestrator/store/read_only_store.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "orchestrator/store/rocksdb_folder.h"
#include "orchestrator/store/store_check.h"

namespace tutti::store {
namespace {

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

}  // namespace

absl::StatusOr<std::unique_ptr<ReadOnlyStore>> ReadOnlyStore::Open(const std::string& path) {
  std::unique_ptr<ReadOnlyStore> store(new ReadOnlyStore);
  if (absl::Status status = store->OpenAt(path); !status.ok()) return status;
  return store;
}

ReadOnlyStore::~ReadOnlyStore() = default;

absl::Status ReadOnlyStore::OpenAt(const std::string& path) {
  if (!IsMarked(path)) {
    return absl::FailedPreconditionError(absl::StrCat("the folder ", path, " is no store of Tutti's"));
  }
  if (absl::Status status = CheckNotInUse(path); !status.ok()) return status;
  rocksdb::Env* const env = rocksdb::Env::Default();
  const absl::StatusOr<StoreCheck> check = CheckStore(env, path);
  if (!check.ok()) return check.status();
  if (!check->begun) return NoVersionError(path);
  loss_ = check->loss;
  if (const auto status = database_.OpenToRead(OptionsForReading(env), path); !status.ok()) {
    return OpenError(path, status);
  }
  view_ = std::make_unique<RocksDbView>(database_.db(), &database_.handles(), /*snapshot=*/false);
  return absl::OkStatus();
}

}  // namespace tutti::store
