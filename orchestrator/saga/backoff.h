// Exponential backoff with full jitter.
#ifndef TUTTI_ORCHESTRATOR_SAGA_BACKOFF_H_
#define TUTTI_ORCHESTRATOR_SAGA_BACKOFF_H_

#include <cstdint>

#include "orchestrator/saga/recipe.h"

namespace tutti::saga {

// Before the attempt that follows `attempts_made` (>= 1) of the present budget: uniform in
// [0, min(max_backoff, initial * multiplier^(attempts_made - 1))], chosen by `random`.
int64_t BackoffMs(const RetryPolicy& policy, int attempts_made, uint64_t random);

// Spreads one event's random number over the places that need chance (splitmix64).
uint64_t Mix(uint64_t random, uint64_t salt);

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_BACKOFF_H_
