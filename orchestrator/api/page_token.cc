#include "orchestrator/api/page_token.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/errors.h"
#include "common/limits.h"

namespace tutti::api {
namespace {

constexpr size_t kDigestBytes = 16;

// Guards against mistakes, not against forgery: a forged cursor reads nothing that a filter would not.
std::string DigestOf(absl::string_view query) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : query) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return absl::StrFormat("%016x", hash);
}

}  // namespace

std::string EncodePageToken(absl::string_view query, absl::string_view cursor) {
  if (cursor.empty()) return "";
  return absl::WebSafeBase64Escape(absl::StrCat(DigestOf(query), cursor));
}

absl::StatusOr<std::string> DecodePageToken(absl::string_view query, absl::string_view token) {
  if (token.empty()) return std::string();
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(token, &bytes) || bytes.size() <= kDigestBytes ||
      bytes.substr(0, kDigestBytes) != DigestOf(query)) {
    return PageTokenError();
  }
  return bytes.substr(kDigestBytes);
}

absl::Status PageTokenError() {
  return InvalidArgumentError("PAGE_TOKEN_INVALID",
                              {{"page_token",
                                "not a token of this query; send the next_page_token of an answer to the same request, "
                                "everything but page_size unchanged, or leave it out for the first page"}});
}

absl::StatusOr<int> PageSize(int32_t requested, int default_size) {
  if (requested < 0) {
    return InvalidArgumentError("PAGE_SIZE_INVALID",
                                {{"page_size", absl::StrCat("must not be negative; 0 means ", default_size)}});
  }
  return requested == 0 ? default_size : std::min<int>(requested, limits::kPageSizeMax);
}

}  // namespace tutti::api
