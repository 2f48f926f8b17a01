#include "common/errors.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(ErrorsTest, InvalidArgumentListsItsViolationsInMessageAndDetails) {
  const absl::Status status =
      InvalidArgumentError("INPUT_INVALID", {{"input.price", "must be an integer"}, {"input.user", "is missing"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "input.price: must be an integer; input.user: is missing");
  EXPECT_EQ(ReasonOf(status), "INPUT_INVALID");
  const auto violations = ViolationsOf(status);
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[1].field, "input.user");
  EXPECT_EQ(violations[1].description, "is missing");
}

TEST(ErrorsTest, StatusWithoutDetailsHasNoReasonAndNoViolations) {
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), "");
  EXPECT_TRUE(ViolationsOf(absl::NotFoundError("x")).empty());
}

TEST(ErrorsTest, DetailsSurviveTheTrip) {
  const absl::Status sent = WithRetryDelay(WithReason(absl::ResourceExhaustedError("full"), "MAILBOX_FULL"), 1500);
  google::rpc::Status wire;
  ASSERT_TRUE(wire.ParseFromString(ErrorDetailsOf(sent)));
  EXPECT_EQ(wire.code(), 8);
  EXPECT_EQ(wire.message(), "full");
  bool retry_seen = false;
  for (const auto& detail : wire.details()) {
    google::rpc::RetryInfo retry;
    if (!detail.UnpackTo(&retry)) continue;
    retry_seen = true;
    EXPECT_EQ(retry.retry_delay().seconds(), 1);
    EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
  }
  EXPECT_TRUE(retry_seen);
  EXPECT_EQ(FromErrorDetails(absl::ResourceExhaustedError("full"), ErrorDetailsOf(sent)), sent);
}

TEST(ErrorsTest, ViolationsBeyondTheLimitAreLeftOutLastFirst) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 500; ++i) violations.push_back({absl::StrCat("field", i), std::string(100, 'x')});
  const std::string details = ErrorDetailsOf(InvalidArgumentError("MANY", violations));
  EXPECT_LE(details.size(), limits::kStatusDetailsBytesMax);
  const absl::Status received = FromErrorDetails(absl::InvalidArgumentError("m"), details);
  EXPECT_EQ(ReasonOf(received), "MANY");
  const auto kept = ViolationsOf(received);
  ASSERT_GT(kept.size(), 20u);
  ASSERT_LT(kept.size(), 500u);
  EXPECT_EQ(kept.front().field, "field0");
  EXPECT_EQ(kept.back().field, absl::StrCat("field", kept.size() - 1));
}

TEST(ErrorsTest, MessageSaysHowManyViolationsItLeavesOut) {
  const absl::Status status = InvalidArgumentError("MANY", std::vector<FieldViolation>(8, {"f", "wrong"}));
  EXPECT_TRUE(absl::EndsWith(status.message(), "; and 3 more")) << status.message();
}

TEST(ErrorsTest, GarbageDetailsAreIgnored) {
  EXPECT_EQ(FromErrorDetails(absl::AbortedError("a"), "\xff\xff"), absl::AbortedError("a"));
}

// Advice that was cut in the middle of a character, say.
TEST(ErrorsTest, ViolationsCanBeReadWhateverTheyQuote) {
  const absl::Status status = InvalidArgumentError("BAD", {{"input.caf\xe9", "`\xe2\x82` is no number"}});
  const std::vector<FieldViolation> kept =
      ViolationsOf(FromErrorDetails(absl::InvalidArgumentError(""), ErrorDetailsOf(status)));
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].field, "input.caf\xef\xbf\xbd");
  EXPECT_EQ(kept[0].description, "`\xef\xbf\xbd\xef\xbf\xbd` is no number");
}

}  // namespace
}  // namespace tutti
