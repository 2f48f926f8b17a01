// What it means that a listener does not accept, by how long: the machine may be busy, a burst of connections may have
// taken every descriptor, or nobody will ever be heard again.
#ifndef TUTTI_COMMON_LISTENER_HEALTH_H_
#define TUTTI_COMMON_LISTENER_HEALTH_H_

#include <cstdint>

namespace tutti {

enum class Hearing {
  kHears,
  kDeaf,  // whoever asks for the way here should hear that there is none
  kLost,  // a new process would help
};

// Not thread-safe.
class ListenerHealth {
 public:
  ListenerHealth(int64_t deaf_after_ms, int64_t lost_after_ms)
      : deaf_after_ms_(deaf_after_ms), lost_after_ms_(lost_after_ms) {}

  // What was seen at this moment. Between two sights nothing is known, so a process that was stopped for a while is not
  // deaf for that.
  Hearing Observe(bool accepting, int64_t now_ms) {
    if (accepting) {
      silent_since_ms_ = kNever;
    } else if (silent_since_ms_ == kNever || now_ms - seen_ms_ > deaf_after_ms_) {
      silent_since_ms_ = now_ms;
    }
    seen_ms_ = now_ms;
    if (accepting || now_ms - silent_since_ms_ < deaf_after_ms_) return Hearing::kHears;
    return now_ms - silent_since_ms_ < lost_after_ms_ ? Hearing::kDeaf : Hearing::kLost;
  }

 private:
  static constexpr int64_t kNever = INT64_MIN;

  const int64_t deaf_after_ms_;
  const int64_t lost_after_ms_;
  int64_t silent_since_ms_ = kNever;
  int64_t seen_ms_ = 0;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_LISTENER_HEALTH_H_
