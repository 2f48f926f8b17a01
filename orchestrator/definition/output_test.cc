// Whatever a reply holds, the output can be read, and one entry that cannot be written loses itself alone.
#include "common/limits.h"
#include "common/utf8.h"
#include "gmock/gmock.h"
#include "orchestrator/definition/value_world.h"

namespace tutti::definition {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::ExpectJson;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using testing::Nested;
using testing::OutputStruct;
using testing::ValueTest;

class OutputTest : public ValueTest {};

// As SagaService sends it, where the output lies two levels below the answer, and as tuttictl prints it.
bool ClientReads(const saga::MappedOutput& output) {
  google::protobuf::ListValue answer;
  google::protobuf::Struct value;
  if (!value.ParseFromString(output.bytes)) return false;
  *answer.add_values()->mutable_struct_value() = std::move(value);
  return google::protobuf::ListValue().ParseFromString(answer.SerializeAsString());
}

TEST_F(OutputTest, TextThatIsNotUtf8LosesItsEntryAlone) {
  shop::v1::Note note;
  note.set_id("kept");
  note.set_text("caf\xe9");
  const std::string bad = note.SerializeAsString();
  const char* method = "shop.v1.LegacyService/Write";
  const auto output = OutputOf(
      R"({id: "${steps.a.reply.id}", text: "${steps.a.reply.text}", all: "${steps.a.reply}", part: "a ${steps.a.reply.text}"})",
      bad, method);
  ExpectJson(Json(OutputStruct(output)), R"({"id":"kept"})");
  EXPECT_THAT(output.failures, ElementsAre("output.text: the text of shop.v1.Note.text is not UTF-8",
                                           "output.all: the text of shop.v1.Note.text is not UTF-8",
                                           "output.part: ${steps.a.reply.text} is not UTF-8"));
  note.Clear();
  (*note.mutable_marks())["\xe9"] = "v";
  EXPECT_THAT(OutputOf(R"({all: "${steps.a.reply}"})", note.SerializeAsString(), method).failures,
              ElementsAre("output.all: has a key that is not UTF-8"));
  note.Clear();
  note.add_lines("\xe9");
  EXPECT_THAT(OutputOf(R"({all: {deep: ["${steps.a.reply.lines}"]}})", note.SerializeAsString(), method).failures,
              ElementsAre("output.all.deep[0]: the text of shop.v1.Note.lines is not UTF-8"));
}

TEST_F(OutputTest, WhatIsNestedTooDeepLosesItsEntryAlone) {
  for (int levels = 0; levels < 60; ++levels) {
    const auto output = OutputOf(R"({all: "${steps.a.reply}", text: kept})", Nested(levels).SerializeAsString());
    EXPECT_TRUE(ClientReads(output)) << levels;
    // The output's own three levels, and three for each thing.
    const bool fits = 3 + 3 * (levels + 1) <= limits::kJsonLevelsMax;
    EXPECT_EQ(output.failures.empty(), fits) << levels;
    EXPECT_EQ(OutputStruct(output).fields().count("all"), fits ? 1u : 0u);
    EXPECT_EQ(OutputStruct(output).fields().count("text"), 1u);
  }
  const auto output = OutputOf(R"({all: "${steps.a.reply}"})", Nested(32).SerializeAsString());
  EXPECT_THAT(output.failures, ElementsAre(HasSubstr("output.all: is nested too deep")));
}

TEST_F(OutputTest, ListsAreCountedInDepth) {
  google::protobuf::Value inner;
  inner.set_bool_value(true);
  for (int i = 0; i < 45; ++i) {
    google::protobuf::Value outer;
    *outer.mutable_list_value()->add_values() = inner;
    inner = outer;
    shop::v1::Thing thing;
    *thing.mutable_value() = inner;
    const auto output = OutputOf(R"({value: "${steps.a.reply.value}"})", thing.SerializeAsString());
    EXPECT_TRUE(ClientReads(output)) << i;
    EXPECT_EQ(output.failures.empty(), 3 + 3 * (i + 1) <= limits::kJsonLevelsMax) << i;
  }
}

TEST_F(OutputTest, AnAnyOfAnUnknownTypeLosesItsEntryAlone) {
  shop::v1::Thing thing;
  thing.set_text("kept");
  thing.mutable_extra()->set_type_url("type.googleapis.com/unknown.Type");
  thing.mutable_extra()->set_value("abc");
  const auto output =
      OutputOf(R"({text: "${steps.a.reply.text}", extra: "${steps.a.reply.extra}"})", thing.SerializeAsString());
  ExpectJson(Json(OutputStruct(output)), R"({"text":"kept"})");
  EXPECT_THAT(output.failures, ElementsAre("output.extra: a google.protobuf.Any holds a unknown.Type, which its "
                                           "participant does not describe"));
}

TEST_F(OutputTest, AnAnyOfAKnownTypeIsWrittenWithItsType) {
  shop::v1::Thing inner;
  inner.set_maybe(7);
  shop::v1::Thing thing;
  thing.mutable_extra()->PackFrom(inner);
  auto output = OutputStruct(OutputOf(R"({extra: "${steps.a.reply.extra}"})", thing.SerializeAsString()));
  const auto& extra = output.fields().at("extra").struct_value().fields();
  EXPECT_EQ(extra.at("@type").string_value(), "type.googleapis.com/shop.v1.Thing");
  EXPECT_EQ(extra.at("maybe").string_value(), "7");
  google::protobuf::Int64Value boxed;
  boxed.set_value(8);
  thing.mutable_extra()->PackFrom(boxed);
  output = OutputStruct(OutputOf(R"({extra: "${steps.a.reply.extra}"})", thing.SerializeAsString()));
  EXPECT_EQ(output.fields().at("extra").struct_value().fields().at("value").string_value(), "8");
  thing.mutable_extra()->set_value("\xff");
  EXPECT_THAT(OutputOf(R"({extra: "${steps.a.reply.extra}"})", thing.SerializeAsString()).failures,
              ElementsAre("output.extra: cannot be decoded as google.protobuf.Int64Value"));
}

// Each Any opens a message of its own, so no parser has counted them together.
TEST_F(OutputTest, AnysInAnysAreCountedInDepth) {
  shop::v1::Thing thing;
  for (int i = 0; i < 40; ++i) {
    shop::v1::Thing outer;
    outer.mutable_extra()->PackFrom(thing);
    thing = outer;
  }
  const auto output = OutputOf(R"({all: "${steps.a.reply}"})", thing.SerializeAsString());
  EXPECT_THAT(output.failures, ElementsAre(HasSubstr("nested too deep")));
}

TEST_F(OutputTest, StandardTypesTakeTheFormOfJson) {
  shop::v1::Thing thing;
  thing.mutable_time()->set_seconds(1893456000);
  thing.mutable_span()->set_nanos(50'000'000);
  thing.mutable_mask()->add_paths("a_b.c");
  thing.mutable_boxed()->set_value(9007199254740993);
  thing.mutable_boxed_text()->set_value("t");
  thing.mutable_value()->mutable_list_value()->add_values();  // of no kind
  (*thing.mutable_fields()->mutable_fields())["nan"].set_number_value(std::numeric_limits<double>::quiet_NaN());
  thing.mutable_list()->add_values()->set_string_value("s");
  (*thing.mutable_by_number())[-3] = "x";
  const std::string fields[] = {"time", "span", "mask", "boxed", "boxed_text", "value", "fields", "list", "by_number"};
  std::string entries;
  for (const std::string& field : fields) absl::StrAppend(&entries, field, ": \"${steps.a.reply.", field, "}\", ");
  const auto output = OutputOf(absl::StrCat("{", entries, "data: x}"), thing.SerializeAsString());
  EXPECT_THAT(output.failures, IsEmpty());
  ExpectJson(
      Json(OutputStruct(output)),
      R"({"time":"2030-01-01T00:00:00Z","span":"0.050s","mask":"aB.c","boxed":"9007199254740993",)"
      R"("boxed_text":"t","value":[null],"fields":{"nan":"NaN"},"list":["s"],"by_number":{"-3":"x"},"data":"x"})");
}

TEST_F(OutputTest, TimesOutOfRangeLoseTheirEntriesAlone) {
  shop::v1::Thing thing;
  thing.mutable_time()->set_seconds(int64_t{1} << 60);
  thing.mutable_span()->set_seconds(1);
  thing.mutable_span()->set_nanos(-1);
  thing.mutable_mask()->add_paths("aB");
  const auto output = OutputOf(
      R"({time: "${steps.a.reply.time}", span: "${steps.a.reply.span}", mask: "${steps.a.reply.mask}", text: kept})",
      thing.SerializeAsString());
  ExpectJson(Json(OutputStruct(output)), R"({"text":"kept"})");
  EXPECT_THAT(output.failures,
              ElementsAre("output.time: a google.protobuf.Timestamp is out of range",
                          "output.span: a google.protobuf.Duration is out of range",
                          "output.mask: a google.protobuf.FieldMask names a path that JSON cannot write"));
}

TEST_F(OutputTest, DefaultsWrittenOutEndAtTheLimit) {
  std::string rows;
  for (int i = 0; i < 12'800; ++i) rows.append("\x0a\x00", 2);
  const auto output = OutputOf(R"({all: "${steps.a.reply}", text: kept})", rows, "shop.v1.ThingService/List");
  ExpectJson(Json(OutputStruct(output)), R"({"text":"kept"})");
  EXPECT_THAT(output.failures,
              ElementsAre(AllOf(HasSubstr("output.all: makes the output "), HasSubstr("at most 262144 are allowed"))));
}

TEST_F(OutputTest, WhatFitsExactlyIsKeptAndOneByteMoreIsNot) {
  const auto output = [this](size_t size) {
    shop::v1::Thing thing;
    thing.set_text(std::string(size, 'x'));
    return OutputOf(R"({t: "${steps.a.reply.text}"})", thing.SerializeAsString());
  };
  const size_t around = output(200'000).bytes.size() - 200'000;
  EXPECT_EQ(output(limits::kOutputBytesMax - around).bytes.size(), limits::kOutputBytesMax);
  EXPECT_THAT(output(limits::kOutputBytesMax - around + 1).failures, ElementsAre(HasSubstr("output.t: makes")));
}

TEST_F(OutputTest, TheLimitIsForAllEntriesAndALargeOneLeavesItsPlaceToOthers) {
  shop::v1::Thing thing;
  thing.set_text(std::string(150'000, 'x'));
  const auto output = OutputOf(
      R"({one: "${steps.a.reply.text}", two: ["${steps.a.reply.text}", "${steps.a.reply.text}"], three: "${steps.a.reply.text}", four: 4})",
      thing.SerializeAsString());
  EXPECT_THAT(output.failures, ElementsAre(HasSubstr("output.two[0]: "), HasSubstr("output.three: ")));
  EXPECT_EQ(OutputStruct(output).fields().size(), 2u);
  EXPECT_EQ(OutputStruct(output).fields().at("four").number_value(), 4);
}

TEST_F(OutputTest, WhatIsWrittenForNothingIsBoundedToo) {
  std::string entries;
  for (int i = 0; i < 10; ++i) absl::StrAppend(&entries, "e", i, ": [\"${input.x}\", \"${input.x}\"], ");
  Use({.input = "{x: string}", .output = absl::StrCat("{", entries, "}")},
      absl::StrCat(R"({"x":")", std::string(200'000, 'x'), R"("})"));
  const std::vector<std::string> failures = Output().failures;
  ASSERT_EQ(failures.size(), 10u);
  EXPECT_THAT(failures[5], HasSubstr("output.e5[1]: makes the output"));
  EXPECT_EQ(failures[6], "output.e6: the output is too large");
}

TEST_F(OutputTest, FailuresAreBoundedInNumberAndSize) {
  std::string entries;
  const std::string long_key(900, 'k');
  for (int i = 0; i < 100; ++i) absl::StrAppend(&entries, long_key, i, ": \"${steps.a.reply.text}\", ");
  shop::v1::Note note;
  note.set_text("\xe9");
  const auto output =
      OutputOf(absl::StrCat("{", entries, "fixed: 1}"), note.SerializeAsString(), "shop.v1.LegacyService/Write");
  ASSERT_EQ(output.failures.size(), limits::kOutputFailuresMax);
  EXPECT_EQ(output.failures.back(), "output: 85 more entries are left out");
  for (const std::string& failure : output.failures) {
    EXPECT_LE(failure.size(), limits::kStatusMessageBytesMax);
    EXPECT_TRUE(IsUtf8(failure));
  }
  EXPECT_THAT(output.failures[0], HasSubstr("is not UTF-8"));
}

TEST_F(OutputTest, ADefaultCountsOnlyWhereAValueIsMissing) {
  const std::string output =
      R"({said: "${steps.a.reply.said | default(none)}", child: "${steps.a.reply.child.number | default(7)}",)"
      R"( value: "${steps.a.reply.value | default({})}", list: "${steps.a.reply.list | default([])}",)"
      R"( quoted: "${steps.a.reply.said | default('{}')}", text: "<${steps.a.reply.said | default(-)}>"})";
  ExpectJson(Json(OutputStruct(OutputOf(output, ""))),
             R"({"said":"none","child":7,"value":{},"list":[],"quoted":"{}","text":"<->"})");
  shop::v1::Thing thing;
  thing.set_said("s");
  thing.mutable_child();
  thing.mutable_value()->set_bool_value(true);
  thing.mutable_list()->add_values()->set_number_value(1);
  ExpectJson(Json(OutputStruct(OutputOf(output, thing.SerializeAsString()))),
             R"({"said":"s","child":"0","value":true,"list":[1],"quoted":"s","text":"<s>"})");
}

TEST_F(OutputTest, AnInputIsShownWithinItsLimits) {
  Use({.input = "{rows: repeated shop.v1.Row, thing: optional shop.v1.Thing}"});
  std::string rows;
  for (int i = 0; i < 12'800; ++i) rows.append("\x0a\x00", 2);
  const auto large = definition_->DecodeInput(rows);
  EXPECT_TRUE(absl::IsResourceExhausted(large.status())) << large.status();
  const std::string deep = Nested(40).SerializeAsString();
  ASSERT_LT(deep.size(), 128u) << "one byte of length";
  const std::string field = absl::StrCat("\x12", std::string(1, static_cast<char>(deep.size())), deep);
  const auto too_deep = definition_->DecodeInput(field);
  EXPECT_TRUE(absl::IsResourceExhausted(too_deep.status())) << too_deep.status();
  EXPECT_TRUE(absl::IsDataLoss(definition_->DecodeInput("\xff").status()));
  EXPECT_TRUE(definition_->DecodeInput("").ok());
}

TEST_F(OutputTest, LabelsEndAtTheirLimitHoweverManyReferencesTheyHave) {
  std::string text;
  for (int i = 0; i < 200; ++i) absl::StrAppend(&text, "${input.x}");
  Use({.input = "{x: string}", .labels = absl::StrCat("{x: \"", text, "\"}")},
      absl::StrCat(R"({"x":")", std::string(100'000, 'x'), R"("})"));
  const absl::Status status = definition_->MapLabels(record_.input()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ViolationsOf(status).at(0).field, "labels.x");
  EXPECT_THAT(ViolationsOf(status).at(0).description, HasSubstr("at most 256 are allowed"));
}

TEST_F(OutputTest, ALabelOfTextThatIsNotUtf8IsRefused) {
  Use({.input = "shop.v1.Note", .labels = "{x: \"${input.text}\"}"});
  shop::v1::Note note;
  note.set_text("\xe9");
  const absl::Status status = definition_->MapLabels(note.SerializeAsString()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ViolationsOf(status).at(0).description,
            "${input.text} is not UTF-8; change the input fields it is made of");
}

}  // namespace
}  // namespace tutti::definition
