// How much memory this process holds through operator new, which the unit replaces.
#ifndef TUTTI_TESTS_FUZZ_MEMORY_METER_H_
#define TUTTI_TESTS_FUZZ_MEMORY_METER_H_

#include <cstddef>

namespace tutti::fuzz {

// The most that was held at a time since its construction, beyond what was held then. One at a time.
class MemoryMeter {
 public:
  MemoryMeter();
  size_t PeakBytes() const;

 private:
  const size_t before_;
};

}  // namespace tutti::fuzz

#endif  // TUTTI_TESTS_FUZZ_MEMORY_METER_H_
