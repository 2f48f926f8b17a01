#include "orchestrator/store/rocksdb_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tutti::store {
namespace {

// Written before RocksDB makes its files, so that a crash while creating cannot be taken for somebody else's database.
// It is empty until the store is complete: from then on missing files are a loss, not a beginning.
constexpr char kMarkerFile[] = "TUTTI_STORE";

absl::Status SystemError(const std::string& path, const std::string& what, int error) {
  return absl::InternalError(absl::StrCat(what, " ", path, ": ", std::generic_category().message(error)));
}

absl::Status SyncPath(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(path, "cannot open", errno);
  const bool synced = ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  return synced ? absl::OkStatus() : SystemError(path, "cannot sync", error);
}

}  // namespace

absl::Status OpenError(const std::string& path, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  // In the words of this process's own lock, and of the system's for another one's.
  const bool held = absl::StrContains(text, "lock hold by current process") ||
                    absl::StrContains(text, "Resource temporarily unavailable");
  if (status.IsIOError() && absl::StrContains(text, "/LOCK") && held) {
    return absl::FailedPreconditionError(
        absl::StrCat("the store at ", path, " is in use by another process: one process per store"));
  }
  if (status.IsCorruption()) {
    return absl::DataLossError(absl::StrCat("the store at ", path,
                                            " is damaged and was left as it is; restore a backup, or see "
                                            "docs/storage.md for what a crash may and may not leave: ",
                                            text));
  }
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the disk is full: the store at ", path, " cannot be opened: ", text));
  }
  return absl::InternalError(absl::StrCat("the store at ", path, " cannot be opened: ", text));
}

absl::Status ClaimFolder(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directory(path, error);
  if (error) return SystemError(path, "cannot create", error.value());
  const fs::path marker = fs::path(path) / kMarkerFile;
  if (fs::exists(marker, error)) return absl::OkStatus();
  fs::directory_iterator entries(path, error);
  if (error) return SystemError(path, "cannot list", error.value());
  for (const auto& entry : entries) {
    if (entry.path().filename() == "lost+found") continue;  // a file system of its own
    return absl::FailedPreconditionError(
        absl::StrCat("the folder ", path, " holds ", entry.path().filename().string(),
                     " but no TUTTI_STORE: it is no store of Tutti's, or has lost that "
                     "file; put it back, or give an empty or new folder"));
  }
  if (absl::Status status = SyncPath(marker, O_WRONLY | O_CREAT); !status.ok()) return status;
  return SyncFolder(path);
}

absl::Status SyncFolder(const std::string& path) {
  return SyncPath(path, O_RDONLY | O_DIRECTORY);
}

bool IsMarked(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(path) / kMarkerFile, error);
}

bool IsComplete(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(std::filesystem::path(path) / kMarkerFile, error);
  return !error && bytes > 0;
}

absl::Status MarkComplete(const std::string& path) {
  const std::string marker = (std::filesystem::path(path) / kMarkerFile).string();
  std::ofstream(marker) << "complete\n";
  return SyncPath(marker, O_WRONLY);
}

absl::Status NoVersionError(const std::string& path) {
  return absl::DataLossError(absl::StrCat("the store at ", path, " has no version"));
}

uint64_t LogBytes(const std::string& path) {
  namespace fs = std::filesystem;
  uint64_t sum = 0;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".log") continue;
    std::error_code gone;
    const auto bytes = entry->file_size(gone);
    if (!gone) sum += bytes;
  }
  return sum;
}

}  // namespace tutti::store
