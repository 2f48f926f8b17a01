#include "orchestrator/api/admission.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace tutti::api {
namespace {

// An input is in the record, in the request that is made of it, in what goes to the disk, and there in memory until it
// is in a table.
constexpr uint64_t kCopies = 4;
constexpr uint64_t kRecordBytes = 5 * 1024;  // a saga of three steps without its messages
constexpr int64_t kRetryMs = 1'000;

uint64_t RefusedFrom(uint64_t limit) {
  return limit - limit / 10;
}

uint64_t TakenBelow(uint64_t limit) {
  return limit - limit / 100 * 15;
}

absl::Status Refused(std::string message, absl::string_view reason) {
  return WithReason(WithRetryDelay(absl::ResourceExhaustedError(message), kRetryMs), reason);
}

}  // namespace

absl::Status Admission::AdmitStart(size_t request_bytes) {
  if (disk_is_short_.load(std::memory_order_relaxed)) {
    return Refused(
        "the store's volume is nearly full, and what is left is kept for the sagas that there are; repeat the start "
        "later",
        "DISK_SHORT");
  }
  if (limit_ == 0) return absl::OkStatus();
  const uint64_t more = request_bytes * kCopies + kRecordBytes;
  const uint64_t used = resident_.load(std::memory_order_relaxed) + admitted_before_.load(std::memory_order_relaxed) +
                        admitted_.load(std::memory_order_relaxed);
  if (memory_is_short_.load(std::memory_order_relaxed) || used + more > RefusedFrom(limit_)) {
    return Refused(
        absl::StrCat("the orchestrator takes, or will with what it has just admitted, ", used, " of ", limit_,
                     " bytes of memory, and what is left is kept for the sagas that there are; repeat the "
                     "start later"),
        "MEMORY_SHORT");
  }
  admitted_.fetch_add(more, std::memory_order_relaxed);
  return absl::OkStatus();
}

bool Admission::IsShortWith(uint64_t resident_bytes) const {
  if (limit_ == 0) return false;
  const bool is_short = memory_is_short_.load(std::memory_order_relaxed);
  return resident_bytes >= (is_short ? TakenBelow(limit_) : RefusedFrom(limit_));
}

bool Admission::OnMemory(uint64_t resident_bytes) {
  const bool is_short = IsShortWith(resident_bytes);
  resident_.store(resident_bytes, std::memory_order_relaxed);
  counted_[oldest_] = admitted_.exchange(0, std::memory_order_relaxed);
  oldest_ = (oldest_ + 1) % kCounted;
  admitted_before_.store(std::accumulate(counted_.begin(), counted_.end(), uint64_t{0}), std::memory_order_relaxed);
  memory_is_short_.store(is_short, std::memory_order_relaxed);
  return is_short;
}

}  // namespace tutti::api
