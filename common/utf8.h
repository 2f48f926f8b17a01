// UTF-8: what protobuf, JSON and YAML demand of texts, and what bytes from outside need not be.
#ifndef TUTTI_COMMON_UTF8_H_
#define TUTTI_COMMON_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace tutti {

// Bytes of the character at the front of `text`, which is not empty; 0 where none begins. Overlong forms, surrogates
// and what lies beyond U+10FFFF are none.
size_t Utf8CharacterBytes(absl::string_view text);

bool IsUtf8(absl::string_view text);

// Every byte that belongs to no character becomes U+FFFD, which has three.
std::string ToUtf8(absl::string_view text);

// The same in at most bytes_max bytes: cut between characters, ending in "..." when something was cut.
std::string TruncateUtf8(absl::string_view text, size_t bytes_max);

}  // namespace tutti

#endif  // TUTTI_COMMON_UTF8_H_
