#include "orchestrator/server/room_keeper.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/memory.h"

namespace tutti::server {
namespace {

// A look costs some tens of microseconds; what comes in between is counted by the admission.
constexpr int64_t kIntervalMs = 250;

}  // namespace

RoomKeeper::RoomKeeper(api::Admission* admission, store::DiskReserve* reserve, Reader resident_bytes, Reader open_bytes)
    : admission_(admission),
      reserve_(reserve),
      memory_(std::move(resident_bytes)),
      open_bytes_(std::move(open_bytes)),
      thread_((Look(), kIntervalMs), [this] {
        Look();
        return kIntervalMs;
      }) {}

void RoomKeeper::Look() {
  MutexLock lock(&mu_);
  reserve_->Tend(open_bytes_());
  admission_->OnDisk(reserve_->short_of_room());
  // What sagas have left free would otherwise stay resident for as long as nobody asks for memory.
  if (admission_->IsShortWith(memory_())) ReturnFreeMemory();
  const bool is_short = admission_->OnMemory(memory_());
  if (is_short == std::exchange(memory_is_short_, is_short)) return;
  Log(is_short ? LogLevel::kWarning : LogLevel::kInfo,
      is_short ? "memory is short: no new sagas are taken" : "there is memory again",
      {{"resident_bytes", absl::StrCat(memory_())}, {"limit_bytes", absl::StrCat(admission_->memory_limit_bytes())}});
}

}  // namespace tutti::server
