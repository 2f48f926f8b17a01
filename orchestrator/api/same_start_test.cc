#include "orchestrator/api/same_start.h"

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/api/service_world.h"

namespace tutti::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> Paths(const std::string& before, const std::string& now, size_t count_max = 10) {
  return DifferingPaths("input", Json(before), Json(now), count_max);
}

TEST(DifferingPathsTest, NamesWhatDiffersAndOnWhichSideItIsMissing) {
  EXPECT_THAT(Paths(R"({"a": 1, "b": {"c": [1, {"d": "x"}]}})", R"({"a": 1, "b": {"c": [1, {"d": "x"}]}})"), IsEmpty());
  EXPECT_THAT(Paths(R"({"a": 1, "b": {"c": [1, {"d": "x"}]}})", R"({"a": 2, "b": {"c": [1, {"d": "y"}]}})"),
              ElementsAre("input.a", "input.b.c[1].d"));
  EXPECT_THAT(Paths(R"({"a": 1})", R"({"b": 1})"), ElementsAre("input.a (missing now)", "input.b (missing before)"));
  EXPECT_THAT(Paths(R"({"a": [1]})", R"({"a": [1, 2]})"), ElementsAre("input.a[1] (missing before)"));
  EXPECT_THAT(Paths(R"({"a": 1})", R"({"a": "1"})"), ElementsAre("input.a"));
  EXPECT_THAT(Paths(R"({"a": 0})", R"({"a": -0.0})"), IsEmpty());
}

TEST(DifferingPathsTest, NamesOnlySoMany) {
  EXPECT_EQ(Paths(R"({"a": 1, "b": 1, "c": 1})", R"({})", 2).size(), 2u);
  const std::string key(100'000, 'k');
  const auto paths = Paths("{}", "{\"" + key + "\": 1}");
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_LT(paths[0].size(), 128u);
}

class SameStartTest : public testing::Test {
 protected:
  SameStartTest() {
    record_.set_saga_id("b-1");
    record_.set_definition("book-ticket");
    record_.set_revision(1);
    record_.set_input(
        *(*definitions_.Get("book-ticket", 1))->compiled->EncodeInput(Json(R"({"user": "u1", "price": 300})")));
  }
  absl::Status Check(const std::string& input, int64_t revision = 0, const std::string& definition = "book-ticket") {
    return CheckSameStart(record_, definition, revision, Json(input), definitions_);
  }
  std::string Refusal(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(ReasonOf(status), "SAGA_EXISTS");
    return std::string(status.message());
  }

  FakeDefinitions definitions_;
  storage::v1::SagaRecord record_;
};

TEST_F(SameStartTest, OtherSpellingsOfEqualValuesAreTheSame) {
  EXPECT_TRUE(Check(R"({"user": "u1", "price": "300"})").ok());
  EXPECT_TRUE(Check(R"({"price": 300, "user": "u1"})").ok());
}

TEST_F(SameStartTest, SaysWhatDiffersAndNoValues) {
  const std::string refusal = Refusal(Check(R"({"user": "u1", "price": 301, "note": "secret"})", 2));
  EXPECT_THAT(refusal, HasSubstr("the revision asked for was the newest and is now 2"));
  EXPECT_THAT(refusal, HasSubstr("input.note (missing before), input.price"));
  EXPECT_THAT(refusal, Not(HasSubstr("secret")));
  EXPECT_THAT(refusal, Not(HasSubstr("input.user")));
  EXPECT_THAT(Refusal(Check(R"({"user": "u1", "price": 300})", 0, "refund")),
              HasSubstr("the definition was book-ticket and is now refund"));
  record_.set_asked_revision(1);
  EXPECT_THAT(Refusal(Check(R"({"user": "u1", "price": 300})")), HasSubstr("was 1 and is now the newest"));
}

TEST_F(SameStartTest, AnInputThatDoesNotFitThePinnedRevisionDiffersWhereItDoesNot) {
  EXPECT_THAT(Refusal(Check(R"({"price": 300})")),
              HasSubstr("its input fits revision 1, this one does not: input.user"));
}

TEST_F(SameStartTest, AStoredInputThatCannotBeShownStillDiffers) {
  record_.set_input("\xff");
  EXPECT_THAT(Refusal(Check(R"({"user": "u1", "price": 300})")), HasSubstr("the input differs"));
}

}  // namespace
}  // namespace tutti::api
