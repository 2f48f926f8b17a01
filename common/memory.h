// How much memory this process takes, and how much it may.
#ifndef TUTTI_COMMON_MEMORY_H_
#define TUTTI_COMMON_MEMORY_H_

#include <cstdint>
#include <string>

namespace tutti {

// What is resident of this process, in bytes; 0 when the system does not say.
uint64_t ResidentBytes();

// The least of what the control groups of this process allow it and its neighbours there, version 1 or 2, and of what
// the machine has. `root` stands before /proc and /sys, for tests.
uint64_t SystemMemoryLimit(const std::string& root = "");

// Lets the allocator return to the system what is free: by itself it does so over seconds in which it has other work.
// Nothing without jemalloc.
void ReturnFreeMemory();

}  // namespace tutti

#endif  // TUTTI_COMMON_MEMORY_H_
