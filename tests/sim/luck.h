// Chance, by seed and by occasion: every draw is a hash of the seed, what is drawn and for which occasion (an attempt,
// a commit), never the next number of a stream. So leaving out one saga or one fault does not re-roll the rest, which
// is what makes shrinking work.
#ifndef TUTTI_TESTS_SIM_LUCK_H_
#define TUTTI_TESTS_SIM_LUCK_H_

#include <array>
#include <compare>
#include <cstdint>
#include <set>
#include <vector>

#include "absl/strings/string_view.h"

namespace tutti::sim {

enum class Fault {
  // Of one message, command, commit or batch.
  kLoseRequest,
  kLoseReply,
  kDuplicate,
  kLongDelay,
  kMeshRefusal,      // something on the way refuses, unmarked, without asking the participant
  kBreakConnection,  // the call ends UNAVAILABLE while its request travels on
  kQueueing,         // no free slot: the command waits for its hand-over
  kGarbleReply,
  kPushback,
  kRefuse,
  kRefuseUndo,
  kTransientError,
  kDieBeforeCommit,  // the participant's process, in the middle of a command
  kDieAfterCommit,
  kTimeoutAfterReply,  // the attempt's clock rings although the reply has just come
  kLateTimer,
  kSlowShard,
  kReadError,
  kWriteError,
  kFenced,
  kCrashBeforeWrite,
  kCrashAfterWrite,
  kCrashAfterSync,
  // Planned by time.
  kCrash,
  kParticipantDown,
  kBlackHole,
  kNotReady,
  kSlowDisk,
  kClockJump,
  kDamagedRecord,  // found when the orchestrator comes back
  kRestored,       // it comes back with a backup of the moment when it died, and is held
};
inline constexpr size_t kFaults = static_cast<size_t>(Fault::kRestored) + 1;

const char* Name(Fault fault);

// Well mixed.
uint64_t Hash(uint64_t a, uint64_t b);
uint64_t Hash(uint64_t a, absl::string_view text);

struct Strike {
  Fault fault = Fault::kCrash;
  uint64_t occasion = 0;
  friend auto operator<=>(const Strike&, const Strike&) = default;
};

// Not thread-safe; nothing here is.
class Luck {
 public:
  using Rates = std::array<int, kFaults>;  // per mille

  Luck(uint64_t seed, const Rates& rates, const std::set<Strike>& spared)
      : seed_(seed), rates_(rates), spared_(spared) {}

  // Whether this fault hits this occasion.
  bool Strikes(Fault fault, uint64_t occasion);
  // A planned fault came about.
  void Count(Fault fault) { ++counts_[static_cast<size_t>(fault)]; }

  // In [low, high]. `salt` tells several draws for one occasion apart.
  int64_t Between(absl::string_view what, uint64_t occasion, int64_t low, int64_t high) const;
  uint64_t Draw(absl::string_view what, uint64_t occasion) const { return Hash(Hash(seed_, what), occasion); }

  // From now on nothing strikes.
  void Heal() { healed_ = true; }
  bool healed() const { return healed_; }

  const std::vector<Strike>& struck() const { return struck_; }
  const std::array<int64_t, kFaults>& counts() const { return counts_; }

 private:
  const uint64_t seed_;
  const Rates rates_;
  const std::set<Strike> spared_;
  bool healed_ = false;
  std::vector<Strike> struck_;
  std::array<int64_t, kFaults> counts_{};
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_LUCK_H_
