#include "orchestrator/store/volume.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "orchestrator/store/rocksdb_folder.h"

namespace tutti::store {
namespace {

// A manifest, the options, a log of RocksDB's doings, the first blocks of a log and of a table of each column.
constexpr uint64_t kSmallFilesBytes = 8u << 20;
constexpr uint64_t kFilesMade = 24;

std::filesystem::path WhatIsThere(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path.empty() ? "." : path;
}

}  // namespace

absl::StatusOr<Room> ReadRoom(const std::string& path) {
  struct statvfs volume {};
  const std::string there = WhatIsThere(path).string();
  if (statvfs(there.c_str(), &volume) != 0) {
    return absl::InternalError(
        absl::StrCat("cannot ask for the room of ", there, ": ", std::generic_category().message(errno)));
  }
  Room room{.bytes_total = volume.f_blocks * volume.f_frsize, .bytes_free = volume.f_bavail * volume.f_frsize};
  if (volume.f_files > 0) room.files_free = volume.f_favail;
  return room;
}

uint64_t BytesToOpen(const std::string& folder) {
  return LogBytes(folder) + kSmallFilesBytes;
}

absl::Status CheckRoomToOpen(const std::string& folder, const Room& room) {
  const uint64_t needed = BytesToOpen(folder);
  if (room.bytes_free < needed) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the disk is full: the store at ", folder, " needs ", needed, " bytes of room to open (",
        needed - kSmallFilesBytes, " of them for what its logs hold), and its volume has ", room.bytes_free,
        " left; grow the volume, or remove from it what is not the store's (docs/operate.md, Disk); nothing was "
        "changed"));
  }
  if (room.files_free < kFilesMade) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the disk is full: the store at ", folder, " needs ", kFilesMade,
                     " new files to open, and its volume has room for ", room.files_free,
                     " (inodes); remove files that are not the store's (docs/operate.md, Disk); nothing was changed"));
  }
  return absl::OkStatus();
}

absl::Status CheckWritable(const std::string& folder) {
  const std::string there = WhatIsThere(folder).string();
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(there, ignored);  // what else it may be, others tell
  if (!is_folder || access(there.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  const int error = errno;
  return absl::FailedPreconditionError(
      absl::StrCat("nothing can be written to ", there, ": ", std::generic_category().message(error),
                   error == EROFS ? "; mount the volume for writing (a file system that found errors becomes "
                                    "read-only: look at the kernel's log), and check it before"
                                  : "; give this process's user the right to write there"));
}

}  // namespace tutti::store
