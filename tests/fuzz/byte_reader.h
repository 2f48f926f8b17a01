// Decisions out of the bytes a fuzzer gives, from the front. Once they are spent, every decision is the first.
#ifndef TUTTI_TESTS_FUZZ_BYTE_READER_H_
#define TUTTI_TESTS_FUZZ_BYTE_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tutti::fuzz {

class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  bool spent() const { return rest_.empty(); }
  // What comes before the next mark, as a reader of its own: whoever changes one section, a fuzzer above all, leaves
  // the others what they are.
  ByteReader Section() {
    constexpr absl::string_view kMark = "\xff|";
    const size_t end = rest_.find(kMark);
    const ByteReader section(rest_.substr(0, end));
    rest_.remove_prefix(end == absl::string_view::npos ? rest_.size() : end + kMark.size());
    return section;
  }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  bool Bool() { return (Byte() & 1) != 0; }
  // In [0, n), which may have 256 members.
  size_t Below(size_t n) { return n == 0 ? 0 : Byte() % n; }
  bool OneIn(size_t n) { return Below(n) == n - 1; }
  // A power of two in [1, 2^n).
  size_t PowerBelow(size_t n) { return size_t{1} << Below(n); }
  // Up to bytes_max of the bytes themselves.
  std::string Bytes(size_t bytes_max) {
    const size_t size = std::min({bytes_max, size_t{Byte()}, rest_.size()});
    std::string bytes(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return bytes;
  }

 private:
  absl::string_view rest_;
};

}  // namespace tutti::fuzz

#endif  // TUTTI_TESTS_FUZZ_BYTE_READER_H_
