#include "orchestrator/api/page_token.h"

#include "common/errors.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace tutti::api {
namespace {

TEST(PageTokenTest, CarriesTheCursorOfItsQuery) {
  const std::string cursor("\0\xff/cursor", 9);
  const std::string token = EncodePageToken("state = RUNNING", cursor);
  const auto decoded = DecodePageToken("state = RUNNING", token);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, cursor);
}

TEST(PageTokenTest, NoCursorIsNoToken) {
  EXPECT_EQ(EncodePageToken("q", ""), "");
  const auto decoded = DecodePageToken("q", "");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, "");
}

TEST(PageTokenTest, ATokenOfAnotherQueryIsRefused) {
  const std::string token = EncodePageToken("state = RUNNING", "cursor");
  for (const std::string& wrong : {token.substr(1), token + "!", std::string("x"), std::string("%%")}) {
    EXPECT_EQ(ReasonOf(DecodePageToken("state = RUNNING", wrong).status()), "PAGE_TOKEN_INVALID") << wrong;
  }
  EXPECT_EQ(ReasonOf(DecodePageToken("state = SUCCEEDED", token).status()), "PAGE_TOKEN_INVALID");
}

TEST(PageSizeTest, HasADefaultAndACap) {
  EXPECT_EQ(*PageSize(0, 50), 50);
  EXPECT_EQ(*PageSize(7, 50), 7);
  EXPECT_EQ(*PageSize(1'000'000, 50), limits::kPageSizeMax);
  EXPECT_EQ(ReasonOf(PageSize(-1, 50).status()), "PAGE_SIZE_INVALID");
}

}  // namespace
}  // namespace tutti::api
