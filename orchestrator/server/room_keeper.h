// Reads now and then what the process takes of its memory and of its volume, and tells those whom it concerns.
#ifndef TUTTI_ORCHESTRATOR_SERVER_ROOM_KEEPER_H_
#define TUTTI_ORCHESTRATOR_SERVER_ROOM_KEEPER_H_

#include <cstdint>
#include <functional>

#include "common/mutex.h"
#include "common/paced_thread.h"
#include "orchestrator/api/admission.h"
#include "orchestrator/store/disk_reserve.h"

namespace tutti::server {

// Thread-safe.
class RoomKeeper {
 public:
  using Reader = std::function<uint64_t()>;

  // `resident_bytes` of the process, `open_bytes` of the sagas that are not over. All must outlive it. The first look
  // is over when this returns.
  RoomKeeper(api::Admission* admission, store::DiskReserve* reserve, Reader resident_bytes, Reader open_bytes);

  void Look();
  void Stop() { thread_.Stop(); }

 private:
  api::Admission* const admission_;
  store::DiskReserve* const reserve_;
  const Reader memory_;
  const Reader open_bytes_;
  Mutex mu_;  // one look at a time
  bool memory_is_short_ ABSL_GUARDED_BY(mu_) = false;
  PacedThread thread_;  // last: it uses the rest
};

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_ROOM_KEEPER_H_
