// How much room the file system of a folder has.
#ifndef TUTTI_ORCHESTRATOR_STORE_VOLUME_H_
#define TUTTI_ORCHESTRATOR_STORE_VOLUME_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tutti::store {

// For this process: what the system keeps for its administrator is not among it.
struct Room {
  uint64_t bytes_total = 0;
  uint64_t bytes_free = 0;
  uint64_t files_free = UINT64_MAX;  // that more can be made; file systems without such a bound say the most there is
};

// Of the file system of `path`, or of what will be its parent while it is not there.
absl::StatusOr<Room> ReadRoom(const std::string& path);
// What tells of it; another one in tests.
using RoomReader = std::function<absl::StatusOr<Room>()>;

// RESOURCE_EXHAUSTED when the store in this folder cannot be opened for want of room: what its logs hold is written to
// tables, and some small files are made anew. FAILED_PRECONDITION when nothing can be written there at all. Changes
// nothing.
uint64_t BytesToOpen(const std::string& folder);
absl::Status CheckRoomToOpen(const std::string& folder, const Room& room);
absl::Status CheckWritable(const std::string& folder);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_VOLUME_H_
