#include "tests/sim/luck.h"

#include "orchestrator/store/key_codec.h"

namespace tutti::sim {
namespace {

constexpr std::array<const char*, kFaults> kNames = {"request lost",
                                                     "reply lost",
                                                     "duplicate",
                                                     "long delay",
                                                     "mesh refusal",
                                                     "connection broken",
                                                     "queueing",
                                                     "garbled reply",
                                                     "pushback",
                                                     "refusal",
                                                     "undo refused",
                                                     "transient error",
                                                     "death before commit",
                                                     "death after commit",
                                                     "timeout after reply",
                                                     "late timer",
                                                     "slow shard",
                                                     "read error",
                                                     "write error",
                                                     "fenced",
                                                     "crash before write",
                                                     "crash after write",
                                                     "crash after sync",
                                                     "crash",
                                                     "participant down",
                                                     "black hole",
                                                     "not ready",
                                                     "slow disk",
                                                     "clock jump",
                                                     "damaged record",
                                                     "restored from a backup"};

}  // namespace

const char* Name(Fault fault) {
  return kNames[static_cast<size_t>(fault)];
}

uint64_t Hash(uint64_t a, uint64_t b) {
  uint64_t z = a + 0x9E3779B97F4A7C15ull * (b + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

uint64_t Hash(uint64_t a, absl::string_view text) {
  return Hash(a, store::Fnv1a64(text));
}

bool Luck::Strikes(Fault fault, uint64_t occasion) {
  const size_t index = static_cast<size_t>(fault);
  if (healed_ || rates_[index] == 0) return false;
  if (Hash(Hash(seed_, index + 1000), occasion) % 1000 >= static_cast<uint64_t>(rates_[index])) return false;
  if (spared_.contains({fault, occasion})) return false;
  ++counts_[index];
  struck_.push_back({fault, occasion});
  return true;
}

int64_t Luck::Between(absl::string_view what, uint64_t occasion, int64_t low, int64_t high) const {
  if (high <= low) return low;
  return low + static_cast<int64_t>(Draw(what, occasion) % static_cast<uint64_t>(high - low + 1));
}

}  // namespace tutti::sim
