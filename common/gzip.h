// RFC 1952, over zlib.
#ifndef TUTTI_COMMON_GZIP_H_
#define TUTTI_COMMON_GZIP_H_

#include <string>

#include "absl/strings/string_view.h"

namespace tutti {

// At zlib's fastest level: text with many repetitions becomes a tenth even so.
std::string Gzip(absl::string_view text);

}  // namespace tutti

#endif  // TUTTI_COMMON_GZIP_H_
