#include "common/gzip.h"

#include <zlib.h>

#include "common/check.h"

namespace tutti {
namespace {

constexpr int kGzipWindowBits = MAX_WBITS + 16;  // zlib's way of asking for gzip's header and trailer
constexpr int kDefaultMemoryLevel = 8;

}  // namespace

std::string Gzip(absl::string_view text) {
  z_stream stream{};
  const int begun =
      deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits, kDefaultMemoryLevel, Z_DEFAULT_STRATEGY);
  TUTTI_CHECK(begun == Z_OK, "zlib has no memory");
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  TUTTI_CHECK(ended == Z_STREAM_END, "deflateBound is enough for all of it");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace tutti
