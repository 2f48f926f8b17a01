#include "common/utf8.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tutti {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";
constexpr absl::string_view kEllipsis = "...";

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

size_t Utf8CharacterBytes(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  if (!std::all_of(text.begin() + 1, text.begin() + length, IsContinuation)) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate = lead == 0xED && second >= 0xA0;
  const bool too_big = lead == 0xF4 && second >= 0x90;
  return overlong || surrogate || too_big ? 0 : length;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8CharacterBytes(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ToUtf8(absl::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8CharacterBytes(text);
    absl::StrAppend(&valid, length == 0 ? kReplacement : text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return valid;
}

std::string TruncateUtf8(absl::string_view text, size_t bytes_max) {
  // A character has up to four bytes, so this much of the text shows whether it fits.
  std::string valid = ToUtf8(text.substr(0, bytes_max + 4));
  if (valid.size() <= bytes_max) return valid;
  size_t size = bytes_max - std::min(bytes_max, kEllipsis.size());
  while (size > 0 && IsContinuation(valid[size])) --size;
  valid.resize(size);
  absl::StrAppend(&valid, kEllipsis.substr(0, bytes_max));
  return valid;
}

}  // namespace tutti
