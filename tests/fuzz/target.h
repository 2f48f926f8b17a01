// One fuzz target a binary. With libFuzzer it is driven by the library; in an ordinary build replay.cc runs it over the
// files it is given.
#ifndef TUTTI_TESTS_FUZZ_TARGET_H_
#define TUTTI_TESTS_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>

// 0, always. Whatever is wrong with the target ends the process.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // TUTTI_TESTS_FUZZ_TARGET_H_
