// AIP-158 paging over numbered lists: a page token is the number to go on from.
#ifndef TUTTI_PARTICIPANTS_SDK_PAGING_H_
#define TUTTI_PARTICIPANTS_SDK_PAGING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tutti::participant {

// 0 means 50, more than limits::kPageSizeMax means that; INVALID_ARGUMENT for a negative one.
absl::StatusOr<int> PageSize(int32_t requested);

// Tokens hold a position in a list, from 1 up; an empty token is 1. INVALID_ARGUMENT for any other text.
std::string ToPageToken(int64_t position);
absl::StatusOr<int64_t> FromPageToken(absl::string_view token);

// A position as a key part that sorts by number.
std::string SortableNumber(int64_t number);

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_PAGING_H_
