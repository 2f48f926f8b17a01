// Requests that a participant's parser takes, or an error that says which field is too much.
#include "common/limits.h"
#include "common/utf8.h"
#include "gmock/gmock.h"
#include "google/protobuf/arena.h"
#include "orchestrator/definition/decode.h"
#include "orchestrator/definition/value_world.h"

namespace tutti::definition {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Nested;
using testing::OutputStruct;
using testing::ValueTest;

class SizeTest : public ValueTest {
 protected:
  std::string Error() {
    const absl::Status status = Request().status();
    EXPECT_LE(status.message().size(), limits::kStatusMessageBytesMax);
    EXPECT_TRUE(IsUtf8(status.message()));
    return std::string(status.message());
  }
  // `request` over an input x of so many bytes.
  void UseText(const std::string& request, size_t bytes, const std::string& more = "") {
    Use({.input = "{x: string}", .request = request, .more = more},
        absl::StrCat(R"({"x":")", std::string(bytes, 'x'), R"("})"));
  }
};

std::string Times(int count, const std::string& item, const std::string& separator = ", ") {
  std::vector<std::string> items(count, item);
  return absl::StrJoin(items, separator);
}

TEST_F(SizeTest, ManyReferencesToOneLargeInputEndAtTheLimit) {
  UseText(absl::StrCat("{texts: [", Times(400, "\"${input.x}\""), "]}"), 250 * 1024);
  EXPECT_THAT(Error(), AllOf(HasSubstr("steps[1].action.request.texts[4]: "),
                             HasSubstr("makes the request 1280010 bytes"), HasSubstr("at most 1048576 are allowed")));
  UseText(absl::StrCat("{texts: [", Times(4, "\"${input.x}\""), "]}"), 250 * 1024);
  EXPECT_TRUE(Request().ok()) << Request().status();
}

TEST_F(SizeTest, TextsValuesAndMessagesEndThereAsWell) {
  UseText(absl::StrCat("{text: \"", Times(400, "${input.x}", ""), "\"}"), 250 * 1024);
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.text: makes the request 1280000 bytes or more"));
  UseText(absl::StrCat("{value: {a: [", Times(400, "\"${input.x}\""), "]}}"), 250 * 1024);
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.value.a[4]: makes the request"));
  UseText(absl::StrCat("{fields: {a: \"", Times(400, "${input.x}", ""), "\"}}"), 250 * 1024);
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.fields.a: makes the request"));
  UseText(absl::StrCat("{things: [", Times(400, "{text: \"${input.x}\"}"), "]}"), 250 * 1024);
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.things[4].text: "));
  Use({.request = absl::StrCat("{things: [", Times(400, "\"${steps.a.reply}\""), "]}")});
  shop::v1::Thing reply;
  reply.set_text(std::string(250 * 1024, 'x'));
  Reply(reply.SerializeAsString());
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.things[4]: ${steps.a.reply}: makes the request"));
  Use({.request =
           absl::StrCat("{", Times(1, "things: \"${steps.a.reply.things}\", more: \"${steps.a.reply.things}\""),
                        ", child: {things: \"${steps.a.reply.things}\", more: \"${steps.a.reply.things}\", child: "
                        "\"${steps.a.reply}\"}}")});
  reply.Clear();
  for (int i = 0; i < 250; ++i) reply.add_things()->set_text(std::string(1024, 'x'));
  Reply(reply.SerializeAsString());
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.child.child: ${steps.a.reply}: makes the request"));
}

// What is counted on the way is the least a value takes; varints may have ten bytes.
TEST_F(SizeTest, TheRequestItselfIsMeasuredInTheEnd) {
  const std::string literal = absl::StrCat("{text: ", std::string(360'000, 'l'), "}");
  Use({.input = "{x: string}", .request = absl::StrCat("{text: \"${input.x}\", things: [", literal, "]}")},
      absl::StrCat(R"({"x":")", std::string(250 * 1024, 'x'), R"("})"));
  EXPECT_TRUE(Request().ok()) << Request().status();
  EXPECT_LE(Request()->bytes.size(), limits::kRequestBytesMax);
  Use({.input = "{x: string}",
       .request = absl::StrCat("{texts: [", Times(3, "\"${input.x}\""), "], things: [", literal, "]}")},
      absl::StrCat(R"({"x":")", std::string(250 * 1024, 'x'), R"("})"));
  EXPECT_THAT(Error(), AllOf(HasSubstr("request: has 11"), HasSubstr("at most 1048576 are sent")));
}

TEST_F(SizeTest, HeadersEndAtTheirLimit) {
  UseText("{}", 250 * 1024, absl::StrCat("      metadata: {x-big: \"", Times(400, "${input.x}", ""), "\"}\n"));
  EXPECT_THAT(Error(), AllOf(HasSubstr("metadata.x-big: makes the headers"), HasSubstr("at most 4096 are allowed")));
  UseText("{}", 2'040, "      metadata: {x-one: \"${input.x}\", x-two: \"${input.x}\"}\n");
  EXPECT_TRUE(Request().ok()) << Request().status();
  UseText("{}", 2'050, "      metadata: {x-one: \"${input.x}\", x-two: \"${input.x}\"}\n");
  EXPECT_THAT(Error(), HasSubstr("metadata.x-two: makes the headers 4110 bytes"));
}

// Empty messages are two bytes on the wire and a thousand in memory.
TEST_F(SizeTest, AReplyThatTakesTooMuchMemoryIsNotDecoded) {
  std::string wides;
  for (size_t i = 0; i < limits::kReplyBytesMax / 2; ++i) wides.append("\x0a\x00", 2);
  Use({.first = "shop.v1.ThingService/Widen", .request = R"({value: "${steps.a.reply.wides}"})"});
  const saga::JudgedReply judged = mapper().JudgeReply(0, v1::OPERATION_ACTION, wides);
  EXPECT_EQ(judged.verdict, saga::ReplyVerdict::kUndecodable);
  EXPECT_EQ(judged.reason,
            "the reply cannot be decoded as shop.v1.Wides: the messages take more than 67108864 bytes of memory");
  Reply(wides);
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.value: ${steps.a.reply.wides}: the messages take more than"));
  EXPECT_THAT(Output().failures, ::testing::IsEmpty());
  EXPECT_EQ(mapper().JudgeReply(0, v1::OPERATION_ACTION, wides.substr(0, 20'000)).verdict,
            saga::ReplyVerdict::kAccepted);
}

TEST_F(SizeTest, ALengthIsNotBelieved) {
  google::protobuf::Arena arena;
  auto* thing = google::protobuf::Arena::CreateMessage<shop::v1::Thing>(&arena);
  EXPECT_TRUE(absl::IsInvalidArgument(Decode("\x0a\xff\xff\xff\x7fx", thing)));  // 256 MiB of text, it says
  EXPECT_LT(thing->text().capacity(), 1024);
}

// Each opens a message of its own, and all are held while the innermost is written.
TEST_F(SizeTest, AnysInAnysTakeTheirMemoryTogether) {
  shop::v1::Thing thing;
  for (int i = 0; i < 40'000; ++i) thing.add_more();
  const shop::v1::Thing many = thing;
  for (int i = 0; i < 3; ++i) {
    shop::v1::Thing outer = many;
    outer.mutable_extra()->PackFrom(thing);
    thing = std::move(outer);
  }
  Use({.output = R"({all: "${steps.a.reply}", other: "${steps.b.reply.text}"})"});
  Reply(thing.SerializeAsString());
  shop::v1::Thing other;
  other.set_text("kept");
  record_.mutable_steps(1)->set_has_reply(true);
  record_.mutable_steps(1)->set_reply(other.SerializeAsString());
  const auto output = Output();
  EXPECT_EQ(OutputStruct(output).fields().at("other").string_value(), "kept");
  EXPECT_THAT(output.failures,
              ::testing::ElementsAre("output.all: the messages take more than 67108864 bytes of memory"));
  Use({.request = R"({value: "${steps.a.reply}"})"});
  Reply(thing.SerializeAsString());
  EXPECT_THAT(Error(), HasSubstr("request.value: the messages take more than 67108864 bytes of memory"));
  // One alone may be large.
  EXPECT_THAT(OutputOf(R"({all: "${steps.a.reply}"})", many.SerializeAsString()).failures,
              ::testing::ElementsAre(HasSubstr("output.all: makes the output")));
}

TEST_F(SizeTest, AnInputThatTakesTooMuchMemoryIsRefused) {
  Use({.input = "{wides: repeated shop.v1.Wide}"}, R"({"wides": []})");
  google::protobuf::Struct input;
  auto* wides = (*input.mutable_fields())["wides"].mutable_list_value();
  for (int i = 0; i < 100'000; ++i) wides->add_values()->mutable_struct_value();
  const auto violations = ViolationsOf(definition_->EncodeInput(input).status());
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_THAT(violations[0].field, HasSubstr("input.wides["));
  EXPECT_THAT(violations[0].description, HasSubstr("more than 67108864 bytes of memory; send less"));
}

TEST_F(SizeTest, CopiesOfWhatIsLargeInMemoryOnlyEndAsWell) {
  std::string things;
  for (int i = 0; i < 20'000; ++i) things.append("\x62\x00", 2);
  Use({.request = absl::StrCat("{things: [", Times(20, "\"${steps.a.reply}\""), "]}")});
  Reply(things);
  EXPECT_THAT(Error(), AllOf(HasSubstr("steps[1].action.request.things["), HasSubstr("bytes of memory")));
}

TEST_F(SizeTest, ARequestIsNoDeeperThanParsersGo) {
  Use({.request = R"({child: {child: {child: "${steps.a.reply}"}}})"});
  Reply(Nested(97).SerializeAsString());
  EXPECT_TRUE(Request().ok()) << Request().status();
  EXPECT_EQ(Sent().text(), "");
  Reply(Nested(98).SerializeAsString());
  EXPECT_THAT(Error(), AllOf(HasSubstr("steps[1].action.request.child.child.child: ${steps.a.reply}: "),
                             HasSubstr("makes 101 levels of messages, and parsers take 100")));
  Use({.request = R"({things: "${steps.a.reply.things}", child: {value: "${steps.a.reply.child}"}})"});
  shop::v1::Thing reply;
  *reply.mutable_child() = Nested(31);
  Reply(reply.SerializeAsString());
  EXPECT_TRUE(Request().ok()) << Request().status();
  EXPECT_EQ(Sent().text(), "");
  *reply.mutable_child() = Nested(40);
  Reply(reply.SerializeAsString());
  EXPECT_THAT(Error(), HasSubstr("steps[1].action.request.child.value: is nested too deep"));
}

TEST_F(SizeTest, TextOfProto2GoesOnlyWhereItCanBeRead) {
  shop::v1::Note note;
  note.set_text("caf\xe9");
  note.add_lines("\xe9");
  (*note.mutable_marks())["k"] = "\xe9";
  const auto error = [&](const std::string& request, const std::string& second = "shop.v1.ThingService/Do") {
    Use({.first = "shop.v1.LegacyService/Write", .second = second, .request = request});
    Reply(note.SerializeAsString());
    return Error();
  };
  EXPECT_EQ(error(R"({text: "${steps.a.reply.text}"})"),
            "steps[1].action.request.text: ${steps.a.reply.text}: the text of shop.v1.Note.text is not UTF-8, as "
            "shop.v1.Thing.text must be");
  EXPECT_THAT(error(R"({text: "a ${steps.a.reply.text}"})"), HasSubstr("${steps.a.reply.text} is not UTF-8"));
  EXPECT_THAT(error(R"({texts: "${steps.a.reply.lines}"})"), HasSubstr("shop.v1.Note.lines is not UTF-8"));
  EXPECT_THAT(error(R"({marks: "${steps.a.reply.marks}"})"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(error(R"({boxed_text: "${steps.a.reply.text}"})"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(error(R"({value: "${steps.a.reply.text}"})"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(error(R"({named: {x: "${steps.a.reply.lines}"}})"), HasSubstr("is not UTF-8"));
  // As it came, to another of its kind.
  EXPECT_EQ(error(R"({text: "${steps.a.reply.text}", lines: "${steps.a.reply.lines}", nested: "${steps.a.reply}"})",
                  "shop.v1.LegacyService/Write"),
            "");
  EXPECT_EQ(Sent<shop::v1::Note>().nested().text(), "caf\xe9");
}

TEST_F(SizeTest, WhatCannotBeDecodedSaysAsWhat) {
  Use({.first = "shop.v1.LegacyService/Ask", .first_request = "{id: x}"});
  const auto judge = [&](int step, absl::string_view reply) {
    return mapper().JudgeReply(step, v1::OPERATION_ACTION, reply);
  };
  EXPECT_EQ(judge(1, "\x74").verdict, saga::ReplyVerdict::kUndecodable);
  EXPECT_EQ(judge(1, "\x74").reason, "the reply cannot be decoded as shop.v1.Thing");
  EXPECT_EQ(judge(1, "\x0a\x01\xe9").reason, "the reply cannot be decoded as shop.v1.Thing");  // proto3 text
  EXPECT_EQ(judge(1, Nested(101).SerializeAsString()).reason, "the reply cannot be decoded as shop.v1.Thing");
  EXPECT_EQ(judge(0, "").verdict, saga::ReplyVerdict::kUndecodable);
  EXPECT_EQ(judge(0, "").reason, "the reply cannot be decoded as shop.v1.Claim: it lacks the required id");
  EXPECT_EQ(judge(0, absl::string_view("\x0a\x01x\x1a\x00", 5)).reason,
            "the reply cannot be decoded as shop.v1.Claim: it lacks the required parts[0].id");
  EXPECT_EQ(judge(0, "\x0a\x01x").verdict, saga::ReplyVerdict::kAccepted);
}

}  // namespace
}  // namespace tutti::definition
