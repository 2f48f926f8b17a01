#include "participants/sdk/paging.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/errors.h"
#include "common/limits.h"

namespace tutti::participant {
namespace {

constexpr int kDefaultPageSize = 50;

}  // namespace

absl::StatusOr<int> PageSize(int32_t requested) {
  if (requested < 0) return InvalidArgumentError("PAGE_SIZE_INVALID", {{"page_size", "must not be negative"}});
  return requested == 0 ? kDefaultPageSize : std::min<int>(requested, limits::kPageSizeMax);
}

std::string ToPageToken(int64_t position) {
  return absl::StrFormat("p%d", position);
}

absl::StatusOr<int64_t> FromPageToken(absl::string_view token) {
  if (token.empty()) return 1;
  int64_t position = 0;
  if (token[0] != 'p' || !absl::SimpleAtoi(token.substr(1), &position) || position < 1) {
    return InvalidArgumentError("PAGE_TOKEN_INVALID", {{"page_token", "must come from an earlier answer"}});
  }
  return position;
}

std::string SortableNumber(int64_t number) {
  return absl::StrFormat("%020d", number);
}

}  // namespace tutti::participant
