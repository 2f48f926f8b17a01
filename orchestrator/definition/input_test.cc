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

TEST(InputTest, AStructOrValueAsTheWholeInputTakesAnyObject) {
  for (const char* type : {"google.protobuf.Struct", "google.protobuf.Value"}) {
    ExpectJson(Sent(type, R"({"a":1,"fields":{"b":[null,{}]}})"), R"({"a":1,"fields":{"b":[null,{}]}})");
  }
  ExpectJson(Sent("google.protobuf.ListValue", R"({"value":[1,null]})"), R"({"value":[1,null]})");
  ExpectJson(Sent("google.protobuf.Int64Value", R"({"value":"9"})"), R"({"value":"9"})");
  ExpectJson(Sent("google.protobuf.Timestamp", R"({"value":"2030-01-31T12:00:00Z"})"),
             R"({"value":"2030-01-31T12:00:00Z"})");
}

TEST(InputTest, ANullIsAValueOfItsOwnInListsOfValues) {
  ExpectJson(Sent("{v: repeated google.protobuf.Value}", R"({"v":[null,1]})"), R"({"v":[null,1]})");
}

TEST(InputTest, NamesThatAreOneInCamelCaseAreTwoFields) {
  ExpectJson(Sent("{user_id: string, userId: optional string, n_s: repeated int64}",
                  R"({"user_id":"a","userId":"b","n_s":["1",2]})"),
             R"({"user_id":"a","userId":"b","n_s":["1","2"]})");
  EXPECT_EQ(Sent("{user_id: string, userId: optional string}", "{}"), "input.user_id: is missing; give a string");
  EXPECT_EQ(
      Refusals(Definition({.input = "{a_b: \"map<string, string>\", aB: \"map<string, string>\"}", .pay = "{}"})),
      "input.aB (line 2): is one name with the map `a_b` where protobuf names a map's entries; rename one of them");
}

TEST(InputTest, WhatNestsDeeperThanAnAnswerCanShowIsRefused) {
  const auto nested = [](int objects) {
    google::protobuf::Struct value;
    for (int i = 1; i < objects; ++i) {
      google::protobuf::Struct outer;
      *(*outer.mutable_fields())["a"].mutable_struct_value() = std::move(value);
      value = std::move(outer);
    }
    return value;
  };
  const auto definition = WithInput("google.protobuf.Struct");
  EXPECT_TRUE(definition->EncodeInput(nested(30)).ok());
  const absl::Status refused = definition->EncodeInput(nested(31)).status();
  EXPECT_EQ(ReasonOf(refused), "INPUT_INVALID");
  EXPECT_EQ(ViolationsOf(refused).at(0).field, "input");
}

TEST(InputTest, AValueOfNoKindBecomesNull) {
  google::protobuf::Struct input;
  (*input.mutable_fields())["a"].mutable_list_value()->add_values();
  const auto definition = WithInput("google.protobuf.Struct");
  ExpectJson(Json(*definition->DecodeInput(*definition->EncodeInput(input))), R"({"a":[null]})");
}

TEST(InputTest, SuggestionsAreMadeForTheFirstMistakesOnly) {
  std::string json;
  for (int i = 0; i < 50; ++i) absl::StrAppend(&json, i == 0 ? "" : ",", "\"custmer_name", i, "\":1");
  const std::string told = Sent("{customer_name: optional string}", absl::StrCat("{", json, "}"));
  size_t suggested = 0;
  for (size_t at = told.find("did you mean"); at != std::string::npos; at = told.find("did you mean", at + 1))
    ++suggested;
  EXPECT_EQ(suggested, static_cast<size_t>(limits::kSuggestionsMax));
}

}  // namespace
}  // namespace tutti::definition
