#include "participants/token/token_book.h"

#include "gtest/gtest.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/memory_view.h"

namespace tutti::token {
namespace {

absl::StatusOr<v1::Token> Issue(participant::MemoryView& view, const std::string& user, const std::string& id) {
  v1::IssueTokenRequest request;
  request.set_user_id(user);
  request.set_token_id(id);
  return IssueToken(view, request, 1);
}

TEST(TokenBook, ATokenExpiresOnceAndStaysExpired) {
  participant::MemoryView view;
  ASSERT_TRUE(Issue(view, "u", "t").ok());
  EXPECT_EQ(GetToken(view, "t")->status(), v1::TOKEN_STATUS_ISSUED);
  EXPECT_EQ(ExpireToken(view, "t", 5000)->status(), v1::TOKEN_STATUS_EXPIRED);
  EXPECT_EQ(ExpireToken(view, "t", 9000)->expire_time().seconds(), 5) << "a repetition changes nothing";
}

TEST(TokenBook, IssueIsIdempotentAndNeverRevives) {
  participant::MemoryView view;
  ASSERT_TRUE(Issue(view, "u", "t").ok());
  ASSERT_TRUE(ExpireToken(view, "t", 2).ok());
  EXPECT_EQ(Issue(view, "u", "t")->status(), v1::TOKEN_STATUS_EXPIRED);
  EXPECT_EQ(Issue(view, "other", "t").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Issue(view, "u", "").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TokenBook, AnUnknownTokenIsNoFinalRefusal) {
  participant::MemoryView view;
  const auto token = ExpireToken(view, "t", 2);
  EXPECT_EQ(token.status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(participant::IsFinalRefusal(token.status()));
}

}  // namespace
}  // namespace tutti::token
