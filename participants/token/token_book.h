// The rules of waiting-room tokens. Pure apart from the view.
#ifndef TUTTI_PARTICIPANTS_TOKEN_TOKEN_BOOK_H_
#define TUTTI_PARTICIPANTS_TOKEN_TOKEN_BOOK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "participants/sdk/view.h"
#include "tutti/token/v1/token.pb.h"
#include "tutti/token/v1/token_service.pb.h"

namespace tutti::token {

// Idempotent per token id; ALREADY_EXISTS for another user.
absl::StatusOr<v1::Token> IssueToken(participant::WriteView& view, const v1::IssueTokenRequest& request,
                                     int64_t now_ms);

// Idempotent by itself: an expired token stays as it is. NOT_FOUND is no final refusal, as the token may yet be issued.
absl::StatusOr<v1::Token> ExpireToken(participant::WriteView& view, absl::string_view token_id, int64_t now_ms);

absl::StatusOr<v1::Token> GetToken(const participant::ReadView& view, absl::string_view token_id);

}  // namespace tutti::token

#endif  // TUTTI_PARTICIPANTS_TOKEN_TOKEN_BOOK_H_
