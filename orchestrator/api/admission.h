// Whether there is room for one more saga. What is refused here leaves memory and disk to the sagas that there are, to
// operators, and to the drain: none of those ask.
#ifndef TUTTI_ORCHESTRATOR_API_ADMISSION_H_
#define TUTTI_ORCHESTRATOR_API_ADMISSION_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"

namespace tutti::api {

// Thread-safe. Somebody reads now and then what the process takes and tells; asking costs a few loads.
class Admission {
 public:
  static constexpr size_t kCounted = 4;

  // 0: no limit.
  explicit Admission(uint64_t memory_limit_bytes) : limit_(memory_limit_bytes) {}

  // OK, or RESOURCE_EXHAUSTED with MEMORY_SHORT or DISK_SHORT and a retry delay. A start of so many bytes counts over
  // the next kCounted readings: on a busy machine what was admitted takes its memory only after some of them.
  absl::Status AdmitStart(size_t request_bytes);

  // By one thread at a time. Of the whole process. True when it takes so much that starts are refused: from nine tenths
  // of the limit on, until it is below 85 hundredths.
  bool OnMemory(uint64_t resident_bytes);
  // What OnMemory would say; changes nothing.
  bool IsShortWith(uint64_t resident_bytes) const;
  void OnDisk(bool short_of_room) { disk_is_short_.store(short_of_room, std::memory_order_relaxed); }

  uint64_t memory_limit_bytes() const { return limit_; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> resident_{0};
  std::atomic<uint64_t> admitted_{0};         // bytes, since the last reading
  std::atomic<uint64_t> admitted_before_{0};  // over the kCounted readings before that
  // The parts of it, by whoever reads.
  std::array<uint64_t, kCounted> counted_{};
  size_t oldest_ = 0;
  std::atomic<bool> memory_is_short_{false};
  std::atomic<bool> disk_is_short_{false};
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_ADMISSION_H_
