#include "participants/token/token_book.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "participants/sdk/requests.h"

namespace tutti::token {
namespace {

using participant::ReadView;
using participant::WriteView;

std::string TokenKey(absl::string_view token) {
  return absl::StrCat("token/", token);
}

}  // namespace

absl::StatusOr<v1::Token> IssueToken(WriteView& view, const v1::IssueTokenRequest& request, int64_t now_ms) {
  if (absl::Status status = participant::CheckId("user_id", request.user_id()); !status.ok()) return status;
  absl::StatusOr<v1::Token> earlier = GetToken(view, request.token_id());
  if (earlier.ok() && earlier->user_id() != request.user_id()) {
    return absl::AlreadyExistsError(absl::StrCat("token ", request.token_id(), " belongs to another user"));
  }
  if (earlier.ok() || !absl::IsNotFound(earlier.status())) return earlier;
  v1::Token token;
  token.set_token_id(request.token_id());
  token.set_user_id(request.user_id());
  token.set_status(v1::TOKEN_STATUS_ISSUED);
  *token.mutable_issue_time() = participant::ToTimestamp(now_ms);
  participant::PutMessage(view, TokenKey(request.token_id()), token);
  return token;
}

absl::StatusOr<v1::Token> ExpireToken(WriteView& view, absl::string_view token_id, int64_t now_ms) {
  absl::StatusOr<v1::Token> token = GetToken(view, token_id);
  if (!token.ok() || token->status() == v1::TOKEN_STATUS_EXPIRED) return token;
  token->set_status(v1::TOKEN_STATUS_EXPIRED);
  *token->mutable_expire_time() = participant::ToTimestamp(now_ms);
  participant::PutMessage(view, TokenKey(token_id), *token);
  return token;
}

absl::StatusOr<v1::Token> GetToken(const ReadView& view, absl::string_view token_id) {
  if (absl::Status status = participant::CheckId("token_id", token_id); !status.ok()) return status;
  absl::StatusOr<std::optional<v1::Token>> found = participant::GetMessage<v1::Token>(view, TokenKey(token_id));
  if (!found.ok()) return found.status();
  if (!found->has_value()) return absl::NotFoundError(absl::StrCat("there is no token ", token_id));
  return **std::move(found);
}

}  // namespace tutti::token
