// Opaque page tokens, each bound to the query it continues.
#ifndef TUTTI_ORCHESTRATOR_API_PAGE_TOKEN_H_
#define TUTTI_ORCHESTRATOR_API_PAGE_TOKEN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tutti::api {

// `query` is whatever must not change between pages, e.g. the filter. Empty for an empty cursor.
std::string EncodePageToken(absl::string_view query, absl::string_view cursor);

// The cursor; empty for an empty token. INVALID_ARGUMENT (PAGE_TOKEN_INVALID) for a token of another query.
absl::StatusOr<std::string> DecodePageToken(absl::string_view query, absl::string_view token);

absl::Status PageTokenError();

// 0 means `default_size`; more than limits::kPageSizeMax means that. INVALID_ARGUMENT (PAGE_SIZE_INVALID) when
// negative.
absl::StatusOr<int> PageSize(int32_t requested, int default_size);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_PAGE_TOKEN_H_
