// Time as an injected thing. Wall time is for people and for records; monotonic time is for waiting.
#ifndef TUTTI_COMMON_CLOCK_H_
#define TUTTI_COMMON_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace tutti {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t WallMs() const = 0;       // since the epoch; may jump
  virtual int64_t MonotonicMs() const = 0;  // never goes back; its zero means nothing
};

class SystemClock final : public Clock {
 public:
  int64_t WallMs() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  int64_t MonotonicMs() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace tutti

#endif  // TUTTI_COMMON_CLOCK_H_
