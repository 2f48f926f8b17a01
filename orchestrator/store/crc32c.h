// The checksum of RocksDB's logs: CRC-32C. Its own is no part of its interface.
#ifndef TUTTI_ORCHESTRATOR_STORE_CRC32C_H_
#define TUTTI_ORCHESTRATOR_STORE_CRC32C_H_

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace tutti::store {

namespace internal {
constexpr std::array<uint32_t, 256> Crc32cTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ 0x82f63b78u : value >> 1;
    table[byte] = value;
  }
  return table;
}
inline constexpr std::array<uint32_t, 256> kCrc32cTable = Crc32cTable();
}  // namespace internal

// Of bytes whose beginning has the checksum `before`. A byte at a time: for what is small or rarely read.
constexpr uint32_t ExtendCrc32c(uint32_t before, absl::string_view bytes) {
  uint32_t value = ~before;
  for (const char byte : bytes) {
    value = internal::kCrc32cTable[(value ^ static_cast<unsigned char>(byte)) & 0xff] ^ (value >> 8);
  }
  return ~value;
}
constexpr uint32_t Crc32c(absl::string_view bytes) {
  return ExtendCrc32c(0, bytes);
}
static_assert(Crc32c("123456789") == 0xe3069283u);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_CRC32C_H_
