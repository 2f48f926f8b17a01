// A saga's history as a person reads it: one line an event, with its offset from the start.
#ifndef TUTTI_TOOLS_TUTTICTL_TIMELINE_H_
#define TUTTI_TOOLS_TUTTICTL_TIMELINE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::ctl {

enum class Tone { kPlain, kGood, kDoubt, kBad };

// What switches a terminal to the tone, and back.
absl::string_view ColorOf(Tone tone);
inline constexpr absl::string_view kColorEnd = "\x1b[0m";

// Feed it events in order. Not thread-safe.
class Timeline {
 public:
  explicit Timeline(bool color) : color_(color) {}

  // Offsets count from here; otherwise from the first event, which is right when that is the saga's start.
  void SetStart(int64_t start_ms) { start_ms_ = start_ms; }

  // Without a line end: offset, step, operation and attempt, what happened, details.
  std::string Line(const v1::HistoryEvent& event);

 private:
  const bool color_;
  std::optional<int64_t> start_ms_;
};

// Control characters, which might steer a terminal, become spaces.
std::string Printable(absl::string_view text);
// "RUNNING" for SAGA_STATE_RUNNING, and so on; the number for values this binary does not know.
std::string ShortName(v1::SagaState state);
std::string ShortName(v1::StepState state);
std::string ShortName(v1::StepKind kind);
std::string ShortName(v1::ParkingCause cause);
std::string ShortName(v1::Operation operation);
// "charge was refused: FAILED_PRECONDITION not enough points", "saga timeout", "cancelled by ...".
std::string AbortText(const v1::AbortReason& reason);
// "12 ms", "3.4 s", "2 min 5 s", "26 h 3 min".
std::string DurationText(int64_t ms);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_TIMELINE_H_
