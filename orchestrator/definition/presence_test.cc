// Unset is not zero: what a source leaves unset, what it has a default for, and what a target cannot do without.
#include "gmock/gmock.h"
#include "orchestrator/definition/value_world.h"

namespace tutti::definition {
namespace {

using testing::Definition;
using testing::ExpectJson;
using ::testing::HasSubstr;
using testing::Json;
using testing::OutputStruct;
using testing::Refusals;
using testing::ValueTest;

constexpr const char* kWrite = "shop.v1.LegacyService/Write";
constexpr const char* kAsk = "shop.v1.LegacyService/Ask";

class PresenceTest : public ValueTest {
 protected:
  // The request of step b as JSON, when a answered so.
  std::string Thing(const std::string& request, const std::string& reply = "",
                    const std::string& first = "shop.v1.ThingService/Do") {
    Use({.first = first, .first_request = first == kAsk ? "{id: x}" : "{}", .request = request});
    Reply(reply);
    return Json(Sent());
  }
};

TEST_F(PresenceTest, WhatIsUnsetStaysUnsetWhereItCan) {
  for (const char* request : {R"({boxed: "${steps.a.reply.maybe}"})", R"({value: "${steps.a.reply.maybe}"})",
                              R"({fields: "${steps.a.reply.fields}"})", R"({list: "${steps.a.reply.list}"})",
                              R"({value: "${steps.a.reply.value}"})", R"({boxed: "${steps.a.reply.boxed}"})",
                              R"({maybe: "${steps.a.reply.maybe}"})", R"({child: "${steps.a.reply.child}"})",
                              R"({value: "${steps.a.reply.child}"})", R"({fields: "${steps.a.reply.child}"})",
                              R"({left: "${steps.a.reply.said}"})", R"({right: "${steps.a.reply.child}"})",
                              R"({boxed_text: "${steps.a.reply.said}"})", R"({boxed: "${steps.a.reply.child.number}"})",
                              R"({extra: "${steps.a.reply.extra}"})", R"({time: "${steps.a.reply.time}"})"}) {
    EXPECT_EQ(Thing(request), "{}") << request;
  }
  EXPECT_EQ(Thing(R"({child: {boxed: "${steps.a.reply.maybe}", value: "${steps.a.reply.said}"}})"), R"({"child":{}})");
}

TEST_F(PresenceTest, WhatIsSetIsCopiedThoughItIsZero) {
  shop::v1::Thing reply;
  reply.set_maybe(0);
  reply.set_said("");
  reply.mutable_child();
  reply.mutable_fields();
  reply.mutable_boxed();
  reply.mutable_value()->set_null_value(google::protobuf::NULL_VALUE);
  ExpectJson(
      Thing(R"({boxed: "${steps.a.reply.maybe}", value: "${steps.a.reply.said}", fields: "${steps.a.reply.fields}",)"
            R"( child: "${steps.a.reply.child}", left: "${steps.a.reply.said}"})",
            reply.SerializeAsString()),
      R"({"boxed":"0","value":"","fields":{},"child":{},"left":""})");
  ExpectJson(Thing(R"({boxed: "${steps.a.reply.boxed}", value: "${steps.a.reply.value}"})", reply.SerializeAsString()),
             R"({"boxed":"0","value":null})");
  // Without presence there is always a value.
  ExpectJson(
      Thing(R"({boxed: "${steps.a.reply.number}", value: "${steps.a.reply.text}", said: "${steps.a.reply.text}"})"),
      R"({"boxed":"0","value":"","said":""})");
}

TEST_F(PresenceTest, ElementsHaveToBeSomething) {
  ExpectJson(
      Thing(
          R"({values: ["${steps.a.reply.maybe}", 1], boxes: ["${steps.a.reply.maybe}"], texts: ["${steps.a.reply.said}"],)"
          R"( things: ["${steps.a.reply.child}"], named: {x: "${steps.a.reply.maybe}"}, marks: {x: "${steps.a.reply.said}"}})"),
      R"({"values":[null,1],"boxes":["0"],"texts":[""],"things":[{}],"named":{"x":null},"marks":{"x":""}})");
  ExpectJson(Thing(R"({value: {a: "${steps.a.reply.maybe}", b: ["${steps.a.reply.said}"]}})"),
             R"({"value":{"b":[null]}})");
}

TEST_F(PresenceTest, DefaultsOfProto2AreTheSources) {
  ExpectJson(
      Thing(R"({flag: "${steps.a.reply.yes}", number: "${steps.a.reply.five}", text: "${steps.a.reply.greeting}"})", "",
            kWrite),
      R"({"flag":true,"number":"5","text":"hello"})");
  ExpectJson(Thing(R"({text: "${steps.a.reply.five} ${steps.a.reply.yes}", texts: ["${steps.a.reply.greeting}"],)"
                   R"( marks: {x: "${steps.a.reply.greeting}"}})",
                   "", kWrite),
             R"({"text":"5 true","texts":["hello"],"marks":{"x":"hello"}})");
  // Of a message that is unset as well.
  ExpectJson(Thing(R"({number: "${steps.a.reply.nested.nested.five}"})", "", kWrite), R"({"number":"5"})");
  EXPECT_EQ(Thing(R"({sure: "${steps.a.reply.yes}", maybe: "${steps.a.reply.five}", boxed: "${steps.a.reply.five}",)"
                  R"( value: "${steps.a.reply.greeting}"})",
                  "", kWrite),
            "{}");
}

TEST_F(PresenceTest, ADefaultOfTheMappingComesFirstAndOnlyWhereNothingIsSet) {
  const std::string request =
      R"({flag: "${steps.a.reply.yes | default(false)}", number: "${steps.a.reply.five | default(6)}",)"
      R"( boxed: "${steps.a.reply.five | default(7)}", value: "${steps.a.reply.text | default(v)}",)"
      R"( text: "<${steps.a.reply.greeting | default(-)}>", texts: ["${steps.a.reply.text | default(e)}"],)"
      R"( boxes: ["${steps.a.reply.five | default(8)}"], fields: "${steps.a.reply.nested | default({})}"})";
  ExpectJson(
      Thing(request, "", kWrite),
      R"({"number":"6","boxed":"7","value":"v","text":"\u003c-\u003e","texts":["e"],"boxes":["8"],"fields":{}})");
  shop::v1::Note note;
  note.set_yes(true);
  note.set_five(0);
  note.set_text("t");
  note.set_greeting("g");
  note.mutable_nested()->set_plain(false);
  ExpectJson(Thing(request, note.SerializeAsString(), kWrite),
             R"({"flag":true,"boxed":"0","value":"t","text":"\u003cg\u003e","texts":["t"],"boxes":["0"],)"
             R"("fields":{"plain":false}})");
}

TEST_F(PresenceTest, ADefaultOfAMessageIsAnEmptyOne) {
  ExpectJson(
      Thing(R"({child: "${steps.a.reply.child | default({})}", things: ["${steps.a.reply.child | default({})}"],)"
            R"( texts: "${steps.a.reply.texts | default([])}"})"),
      R"({"child":{},"things":[{}]})");
  EXPECT_THAT(Refusals(Definition({.request = R"({fields: "${steps.a.reply.fields | default(x)}"})"})),
              HasSubstr("the default of google.protobuf.Struct can only be {}"));
  EXPECT_THAT(Refusals(Definition({.request = R"({list: "${steps.a.reply.list | default({})}"})"})),
              HasSubstr("the default of google.protobuf.ListValue can only be []"));
}

TEST_F(PresenceTest, ARequiredFieldWithoutAValueIsAnError) {
  Use({.second = kAsk, .request = R"({id: "${steps.a.reply.said}"})"});
  Reply("");
  EXPECT_EQ(Request().status().message(),
            "steps[1].action.request.id: ${steps.a.reply.said}: what it is mapped from is unset, and shop.v1.Claim "
            "requires it");
  Use({.second = kAsk, .request = R"({id: x, whole: {id: "${steps.a.reply.said}"}})"});
  Reply("");
  EXPECT_THAT(std::string(Request().status().message()), HasSubstr("steps[1].action.request.whole.id: "));
  shop::v1::Thing reply;
  reply.set_said("");
  Reply(reply.SerializeAsString());
  EXPECT_TRUE(Request().ok());
  Use({.second = kAsk, .request = R"({id: "${steps.a.reply.said | default(d)}"})"});
  Reply("");
  EXPECT_TRUE(Request().ok());
  // Without presence a text is always there.
  Use({.second = kAsk, .request = R"({id: "${steps.a.reply.text}"})"});
  Reply("");
  EXPECT_TRUE(Request().ok());
}

TEST_F(PresenceTest, AnElementThatLacksWhatItsTypeRequiresIsAnError) {
  Use({.first = kAsk,
       .first_request = "{id: x}",
       .second = kAsk,
       .request = R"({id: x, parts: ["${steps.a.reply.whole}"]})"});
  Reply("\x0a\x01x");
  EXPECT_THAT(std::string(Request().status().message()),
              HasSubstr("request: lacks what its type requires: parts[0].id"));
}

TEST_F(PresenceTest, TheOutputLeavesOutWhatIsUnset) {
  const auto output = OutputOf(
      R"({maybe: "${steps.a.reply.maybe}", boxed: "${steps.a.reply.boxed}", child: "${steps.a.reply.child}", fields: "${steps.a.reply.fields}", value: "${steps.a.reply.value}", number: "${steps.a.reply.number}", list: ["${steps.a.reply.maybe}"]})",
      "");
  ExpectJson(Json(OutputStruct(output)), R"({"number":"0","list":[null]})");
  ExpectJson(Json(OutputStruct(OutputOf(R"({all: "${steps.a.reply}", yes: "${steps.a.reply.yes}"})", "", kWrite))),
             R"({"all":{}})");
}

TEST_F(PresenceTest, RejectedWhenKnowsTheDefaultsOfTheReplysType) {
  const auto judge = [this](const std::string& rule, const shop::v1::Note& reply) {
    Use({.first = kWrite, .first_more = absl::StrCat("      rejected_when: {", rule, "}\n")});
    return mapper().JudgeReply(0, v1::OPERATION_ACTION, reply.SerializeAsString());
  };
  shop::v1::Note note;
  EXPECT_EQ(judge("yes: true", note).verdict, saga::ReplyVerdict::kRejected);
  EXPECT_EQ(judge("yes: true", note).reason, "the reply says yes: true");
  EXPECT_EQ(judge("yes: false", note).verdict, saga::ReplyVerdict::kAccepted);
  EXPECT_EQ(judge("plain: false", note).verdict, saga::ReplyVerdict::kAccepted);  // unset, and no default is declared
  EXPECT_EQ(judge("nested.yes: true", note).verdict, saga::ReplyVerdict::kAccepted);
  note.mutable_nested();
  EXPECT_EQ(judge("nested.yes: true", note).verdict, saga::ReplyVerdict::kRejected);
  note.set_yes(false);
  EXPECT_EQ(judge("yes: true", note).verdict, saga::ReplyVerdict::kAccepted);
}

}  // namespace
}  // namespace tutti::definition
