// What clients send, against what a definition declares.
#include "gmock/gmock.h"
#include "orchestrator/definition/test_source.h"

namespace tutti::definition {
namespace {

using testing::Definition;
using testing::ExpectJson;
using testing::Json;
using testing::JsonStruct;
using testing::Refusals;
using testing::TestSource;

std::shared_ptr<const CompiledDefinition> WithInput(const std::string& input) {
  TestSource source;
  const std::string text = Definition({.input = input, .pay = "{}"});
  const auto compiled = Compile(text, 1, &source);
  EXPECT_TRUE(compiled.ok()) << Refusals(text);
  return compiled.ok() ? compiled->definition : nullptr;
}

// The input after a round trip, or its violations.
std::string Sent(const std::string& declared, const std::string& json) {
  const auto definition = WithInput(declared);
  if (definition == nullptr) return "";
  const auto encoded = definition->EncodeInput(JsonStruct(json));
  if (encoded.ok()) return Json(*definition->DecodeInput(*encoded));
  std::vector<std::string> lines;
  for (const FieldViolation& violation : ViolationsOf(encoded.status())) {
    lines.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  return absl::StrJoin(lines, "\n");
}

TEST(InputTest, EveryScalarTypeSurvivesARoundTrip) {
  ExpectJson(
      Sent(
          "{a: int32, b: int64, c: uint32, d: uint64, e: double, f: float, g: bool, h: string, i: bytes, j: sint64, "
          "k: fixed64}",
          R"({"a":-1,"b":"-9223372036854775808","c":4294967295,"d":"18446744073709551615","e":0.1,"f":1.5,"g":false,"h":"한","i":"aGk=","j":-3,"k":4})"),
      R"({"a":-1,"b":"-9223372036854775808","c":4294967295,"d":"18446744073709551615","e":0.1,"f":1.5,"g":false,"h":"한","i":"aGk=","j":"-3","k":"4"})");
}

TEST(InputTest, ListsMapsMessagesAndOptionalsSurviveARoundTrip) {
  ExpectJson(
      Sent(
          "{l: repeated int64, m: \"map<string, shop.v1.Item>\", o: shop.v1.Order, p: optional string, q: optional "
          "string, e: shop.v1.Currency, t: google.protobuf.Timestamp, s: google.protobuf.Struct}",
          R"({"l":[1,"2"],"m":{"x":{"sku":"a","count":1}},"o":{"items":[{"sku":"b"}]},"p":"","q":null,"e":"CURRENCY_EUR","t":"2030-01-31T12:00:00Z","s":{"free":[1]}})"),
      R"({"e":"CURRENCY_EUR","l":["1","2"],"m":{"x":{"count":1,"sku":"a"}},"o":{"items":[{"count":0,"sku":"b"}],"order_id":""},"p":"","s":{"free":[1]},"t":"2030-01-31T12:00:00Z"})");
}

TEST(InputTest, EveryMistakeIsNamedAtOnce) {
  EXPECT_EQ(
      Sent("{price: int64, small: int32, user: string, tags: repeated string, flag: bool, order: shop.v1.Order}",
           R"({"prize":1,"small":2147483648,"user":5,"tags":"x","flag":"true","order":{"items":[{"count":1.5}]}})"),
      "input.flag: expected bool, found a string\n"
      "input.order.items[0].count: expected a whole number for int32\n"
      "input.prize: there is no such field (did you mean `price`?); remove it\n"
      "input.small: `2147483648` is not int32; it must be between -2147483648 and 2147483647\n"
      "input.tags: expected a list for repeated string, found a string\n"
      "input.user: expected string, found a number\n"
      "input.price: is missing; give a int64");
}

TEST(InputTest, IntegersThatLostDigitsAreRefused) {
  EXPECT_EQ(Sent("{n: int64}", R"({"n":9007199254740993})"),
            "input.n: integers from 2^53 on lose digits in JSON; send it as a string");
  EXPECT_EQ(Sent("{n: int64}", R"({"n":9007199254740991})"), R"({"n":"9007199254740991"})");
  EXPECT_EQ(Sent("{n: int64}", R"({"n":"9007199254740993"})"), R"({"n":"9007199254740993"})");
  for (const char* bad :
       {R"("1e3")", R"("08")", R"("0x1")", R"("")", R"(" 1")", R"("9223372036854775808")", R"(0.5)"}) {
    EXPECT_THAT(Sent("{n: int64}", absl::StrCat(R"({"n":)", bad, "}")), ::testing::StartsWith("input.n: ")) << bad;
  }
  EXPECT_THAT(Sent("{n: uint64}", R"({"n":-1})"), ::testing::StartsWith("input.n: "));
  EXPECT_THAT(Sent("{n: float}", R"({"n":1e300})"), ::testing::StartsWith("input.n: "));
}

TEST(InputTest, AMessageCanDeclareTheInput) {
  EXPECT_EQ(Sent("shop.v1.Order", R"({"order_id":"o"})"), R"({"order_id":"o"})");
  EXPECT_EQ(Sent("shop.v1.Order", R"({"orderid":"o"})"),
            "input.orderid: there is no such field (did you mean `order_id`?); remove it");
  EXPECT_EQ(Sent("shop.v1.PayRequest", R"({"card":"a","account":"b"})"),
            "input.card: only one of `account` and `card` can be set; keep one");
}

TEST(InputTest, MistakesCarryTheDocumentedReason) {
  EXPECT_EQ(ReasonOf(WithInput("{n: int64}")->EncodeInput({}).status()), "INPUT_INVALID");
}

TEST(InputTest, NoInputMeansAnEmptyOne) {
  EXPECT_EQ(Sent("{}", "{}"), "{}");
  EXPECT_EQ(Sent("{}", R"({"a":1})"), "input.a: there is no such field; remove it");
}

TEST(InputTest, AnInputThatIsTooLargeIsRefused) {
  EXPECT_THAT(Sent("{s: string}", absl::StrCat(R"({"s":")", std::string(256 * 1024, 'x'), R"("})")),
              ::testing::StartsWith("input: has "));
}

TEST(InputTest, EqualInputsEncodeToEqualBytes) {
  const auto definition = WithInput("{m: \"map<string, int64>\"}");
  const auto one = definition->EncodeInput(JsonStruct(R"({"m":{"a":1,"b":2,"c":3,"d":4}})"));
  const auto two = definition->EncodeInput(JsonStruct(R"({"m":{"d":4,"c":3,"b":2,"a":1}})"));
  EXPECT_EQ(*one, *two);
}

TEST(InputTest, DamagedBytesAreDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(WithInput("{s: string}")->DecodeInput("\xff").status()));
}

}  // namespace
}  // namespace tutti::definition
