#include "orchestrator/saga/backoff.h"

#include <algorithm>
#include <cmath>

namespace tutti::saga {

int64_t BackoffMs(const RetryPolicy& policy, int attempts_made, uint64_t random) {
  const double grown = static_cast<double>(policy.initial_backoff_ms) *
                       std::pow(policy.multiplier, static_cast<double>(std::max(attempts_made - 1, 0)));
  // Compared as doubles: after many attempts `grown` no longer fits an integer.
  const double ceiling = std::min(grown, static_cast<double>(policy.max_backoff_ms));
  const auto ceiling_ms = static_cast<uint64_t>(std::max(ceiling, 0.0));
  return static_cast<int64_t>(random % (ceiling_ms + 1));
}

uint64_t Mix(uint64_t random, uint64_t salt) {
  uint64_t z = random + (salt + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace tutti::saga
