#include "orchestrator/store/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/logging.h"

namespace tutti::store {
namespace {

constexpr uint64_t kDefaultBytesMax = 256u << 20;
constexpr uint64_t kVolumeShare = 20;  // at most one in so many bytes of the volume
// What is written beside the bytes that were asked for: blocks of the file system's own, tables' last parts.
constexpr uint64_t kSlackBytes = 1u << 20;
// RocksDB needs a new file for nearly everything it does.
constexpr uint64_t kFilesFreeMin = 64;

// More than what calls it short, so that it does not go to and fro.
uint64_t PlentyOf(uint64_t bytes) {
  return bytes + bytes / 4;
}

}  // namespace

uint64_t DefaultReserveBytes(const Room& room) {
  return std::min(kDefaultBytesMax, room.bytes_total / kVolumeShare);
}

DiskReserve::DiskReserve(Options options, RoomReader reader)
    : options_(std::move(options)), reader_(std::move(reader)) {
  struct stat file {};
  if (stat(options_.file.c_str(), &file) != 0) return;
  // Of another size, or cut short: taken anew when there is room.
  const bool whole = options_.bytes > 0 && static_cast<uint64_t>(file.st_size) == options_.bytes &&
                     static_cast<uint64_t>(file.st_blocks) * 512 >= options_.bytes;
  if (whole) {
    held_ = true;
  } else {
    unlink(options_.file.c_str());
  }
}

void DiskReserve::Tend(uint64_t open_bytes) {
  if (options_.bytes == 0) return;
  MutexLock lock(&mu_);
  const absl::StatusOr<Room> room = reader_();
  if (!room.ok()) return;
  uint64_t left = room->bytes_free;
  if (!held_ && can_be_held_ && left >= options_.bytes + PlentyOf(options_.bytes) && Take()) left -= options_.bytes;
  // Where none can be held, what would be held must be left all the same.
  const uint64_t spare = held_ ? left : left - std::min(left, options_.bytes);
  const bool was_short = short_;
  const uint64_t least = options_.bytes + open_bytes;
  const uint64_t enough = was_short ? PlentyOf(least) : least;
  const bool is_short = spare < enough || room->files_free < (was_short ? 2 * kFilesFreeMin : kFilesFreeMin);
  short_ = is_short;
  if (was_short == is_short) return;
  Log(is_short ? LogLevel::kWarning : LogLevel::kInfo,
      is_short ? "the volume is short of room: no new sagas are taken" : "the volume has room again",
      {{"free_bytes", absl::StrCat(room->bytes_free)}, {"reserve_bytes", absl::StrCat(bytes_held())}});
}

void DiskReserve::MakeRoom(uint64_t bytes) {
  if (!held_.load(std::memory_order_relaxed)) return;
  const absl::StatusOr<Room> room = reader_();
  if (!room.ok() || room->bytes_free >= bytes + kSlackBytes) return;
  MutexLock lock(&mu_);
  if (held_) GiveUp(room->bytes_free);
}

bool DiskReserve::HasRoomToSpare(uint64_t bytes) const {
  if (options_.bytes == 0) return true;
  const absl::StatusOr<Room> room = reader_();
  const uint64_t kept = held_.load(std::memory_order_relaxed) ? 4 * kSlackBytes : options_.bytes / 4;
  return !room.ok() || room->bytes_free >= bytes + kept;
}

bool DiskReserve::Take() {
  const int fd = ::open(options_.file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  held_ = ::fallocate(fd, 0, 0, static_cast<off_t>(options_.bytes)) == 0;
  const int error = errno;
  ::close(fd);
  if (held_) return true;
  ::unlink(options_.file.c_str());
  // Not written byte by byte: a file system that compresses, or shares blocks, would give it none.
  can_be_held_ = error == ENOSPC || error == EDQUOT || error == EINTR;
  if (!can_be_held_) {
    Log(LogLevel::kWarning, "no room can be kept in reserve on this file system; what is left is watched all the same",
        {{"reason", std::generic_category().message(error)}});
  }
  return false;
}

void DiskReserve::GiveUp(uint64_t bytes_free) {
  ::unlink(options_.file.c_str());
  held_ = false;
  short_ = true;
  Log(LogLevel::kError, "the volume is full: the reserve was given up, and no new sagas are taken",
      {{"free_bytes", absl::StrCat(bytes_free)}, {"reserve_bytes", absl::StrCat(options_.bytes)}});
}

}  // namespace tutti::store
