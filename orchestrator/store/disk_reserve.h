// A file that does nothing but take up room on the store's volume, so that there is some to give when the volume is
// full: for what operators say, replies, compensations, the sweep and the drain. Whoever starts new work asks first.
#ifndef TUTTI_ORCHESTRATOR_STORE_DISK_RESERVE_H_
#define TUTTI_ORCHESTRATOR_STORE_DISK_RESERVE_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "common/mutex.h"
#include "orchestrator/store/volume.h"

namespace tutti::store {

// How much is kept unless somebody says otherwise: as much as the logs may hold, so that they can always be written to
// tables, but little of a small volume.
uint64_t DefaultReserveBytes(const Room& room);

// Thread-safe.
class DiskReserve {
 public:
  struct Options {
    std::string file;    // on the volume
    uint64_t bytes = 0;  // 0: none is kept, and the volume is never called short of room
  };

  // Looks for the file that an earlier process left; takes nothing yet.
  DiskReserve(Options options, RoomReader reader);

  // Takes the reserve when there is plenty of room, and says anew whether the volume is short of it. To be called now
  // and then. `open_bytes`, those of the sagas that are not over: each will be written again. What cannot be measured
  // stays as it was.
  void Tend(uint64_t open_bytes);
  // Before so many bytes are written that cannot wait: gives the reserve up when they would not fit otherwise. Cheap
  // when it is gone already; one question to the system when not.
  void MakeRoom(uint64_t bytes);
  // Whether so many bytes find room without the reserve, or without most of what was given up of it: for what can wait,
  // such as compactions. True when that cannot be measured.
  bool HasRoomToSpare(uint64_t bytes) const;

  // Less than the reserve's size and what open sagas take is left beside it, or it had to be given up: nothing new
  // should be begun. True until somewhat more is left than that.
  bool short_of_room() const { return short_.load(std::memory_order_relaxed); }
  uint64_t bytes_held() const { return held_.load(std::memory_order_relaxed) ? options_.bytes : 0; }
  uint64_t bytes_wanted() const { return options_.bytes; }

 private:
  bool Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveUp(uint64_t bytes_free) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  const RoomReader reader_;
  Mutex mu_;  // held while the file is made or removed
  std::atomic<bool> held_{false};
  std::atomic<bool> short_{false};
  bool can_be_held_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_DISK_RESERVE_H_
