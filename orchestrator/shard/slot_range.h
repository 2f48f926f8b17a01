// Which shard owns which slots. Slots are dealt out in equal ranges, so the number of shards may change at any restart.
#ifndef TUTTI_ORCHESTRATOR_SHARD_SLOT_RANGE_H_
#define TUTTI_ORCHESTRATOR_SHARD_SLOT_RANGE_H_

#include <cstdint>

#include "common/limits.h"

namespace tutti::shard {

// Slots [first, end).
struct SlotRange {
  uint32_t first = 0;
  uint32_t end = 0;
};

// Of shard `shard` of `shard_count`.
inline SlotRange SlotRangeOf(int shard, int shard_count) {
  const auto bound = [shard_count](int index) {
    return static_cast<uint32_t>(static_cast<uint64_t>(limits::kSlots) * index / shard_count);
  };
  return {.first = bound(shard), .end = bound(shard + 1)};
}

// The inverse: the shard whose range holds the slot.
inline int ShardOfSlot(uint32_t slot, int shard_count) {
  int shard = static_cast<int>(static_cast<uint64_t>(slot) * shard_count / limits::kSlots);
  while (SlotRangeOf(shard, shard_count).end <= slot) ++shard;
  return shard;
}

}  // namespace tutti::shard

#endif  // TUTTI_ORCHESTRATOR_SHARD_SLOT_RANGE_H_
