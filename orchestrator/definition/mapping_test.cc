// Mappings from text to request bytes, replies to verdicts, records to output.
#include "gmock/gmock.h"
#include "orchestrator/definition/test_source.h"

namespace tutti::definition {
namespace {

using testing::Definition;
using ::testing::ElementsAre;
using testing::ExpectJson;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using testing::JsonStruct;
using testing::OutputStruct;
using testing::Refusals;
using testing::Texts;

constexpr const char* kInput =
    R"({"user":"ann","price":"9007199254740993","small":7,"tags":["a","b"],"order":{"order_id":"o1","items":[{"sku":"s","count":2}]}})";

class MappingTest : public testing::SagaTest {
 protected:
  void Use(const Texts& texts, const std::string& input = kInput) { SagaTest::Use(Definition(texts), input); }
  void Reply(const shop::v1::PayReply& reply) { SagaTest::Reply(reply.SerializeAsString()); }
  absl::StatusOr<saga::MappedRequest> Map(int step, v1::Operation operation) {
    const std::string key = saga::CommandKey("uid-1", step == 0 ? "pay" : "ship", operation);
    return mapper().MapRequest(step, operation, key, record_);
  }
  // The request of an action as JSON, or the error.
  std::string Action(int step) {
    const auto mapped = Map(step, v1::OPERATION_ACTION);
    if (!mapped.ok()) return std::string(mapped.status().message());
    shop::v1::PayRequest request;
    EXPECT_TRUE(request.ParseFromString(mapped->bytes));
    return Json(request);
  }
  std::string Pay(const std::string& pay) {
    Use({.pay = pay});
    return Action(0);
  }
  std::string Ship(const std::string& ship, const shop::v1::PayReply& reply) {
    Use({.ship = ship});
    Reply(reply);
    return Action(1);
  }
};

TEST_F(MappingTest, ASoleReferenceKeepsItsType) {
  ExpectJson(
      Pay("{user_id: \"${input.user}\", amount: \"${input.price}\", tags: \"${input.tags}\", order: "
          "\"${input.order}\"}"),
      R"({"userId":"ann","amount":"9007199254740993","tags":["a","b"],"order":{"orderId":"o1","items":[{"sku":"s","count":2}]}})");
  ExpectJson(Pay("{items: \"${input.order.items}\"}"), R"({"items":[{"sku":"s","count":2}]})");
}

TEST_F(MappingTest, IntegersWidenAndNothingElseConverts) {
  ExpectJson(Pay("{amount: \"${input.small}\"}"), R"({"amount":"7"})");
  EXPECT_EQ(
      Refusals(Definition({.pay = "{narrow: \"${input.price}\"}"})),
      "steps[0].action.request.narrow (line 9): `${input.price}` is int64, but the field is int32; map a field of "
      "that type");
  EXPECT_EQ(
      Refusals(Definition({.pay = "{user_id: \"${input.price}\"}"})),
      "steps[0].action.request.user_id (line 9): `${input.price}` is int64, but the field is string; map a field of "
      "that type");
  EXPECT_EQ(
      Refusals(Definition({.pay = "{user_id: \"${input.tags}\"}"})),
      "steps[0].action.request.user_id (line 9): `${input.tags}` is repeated string, but the field is string; map a "
      "field of that type");
  EXPECT_EQ(
      Refusals(Definition({.pay = "{amount: \"${saga.id}\"}"})),
      "steps[0].action.request.amount (line 9): `${saga.id}` is string, but the field is int64; map a field of that "
      "type");
  EXPECT_EQ(
      Refusals(Definition({.pay = "{order: \"${input}\"}"})),
      "steps[0].action.request.order (line 9): `${input}` is tutti.definition.Input, but the field is shop.v1.Order; "
      "map a field of that type");
}

TEST_F(MappingTest, TextAroundReferencesMakesStrings) {
  ExpectJson(Pay("{memo: \"$${x} ${input.user}:${input.price}/${input.small} ${saga.id} ${command.key}\"}"),
             R"({"memo":"${x} ann:9007199254740993/7 saga-1 uid-1/pay/action"})");
  EXPECT_THAT(Refusals(Definition({.pay = "{amount: \"1${input.price}\"}"})), HasSubstr("text around a reference"));
  EXPECT_THAT(Refusals(Definition({.pay = "{memo: \"x ${input.tags}\"}"})), HasSubstr("cannot be part of a text"));
}

TEST_F(MappingTest, LiteralsAreReadByTheTypeOfTheirField) {
  ExpectJson(
      Pay("{user_id: no, memo: 1e3, note: 08, amount: -5, currency: CURRENCY_EUR, urgent: true, rate: 1e3, token: "
          "aGk=, small: 4294967295, tags: [yes, 1, ~x], counts: {a: 1, b: 2}, order: {items: [{sku: x}, {}]}}"),
      R"({"userId":"no","amount":"-5","memo":"1e3","currency":"CURRENCY_EUR","tags":["yes","1","~x"],"counts":{"a":1,"b":2},"urgent":true,"rate":1000,"token":"aGk=","small":4294967295,"note":"08","order":{"items":[{"sku":"x"},{}]}})");
}

TEST_F(MappingTest, ListsKeepTheirOrderAroundReferences) {
  ExpectJson(
      Pay("{tags: [first, \"${input.user}\", last, \"<${input.small}>\"], items: [{sku: a}, {sku: \"${input.user}\", "
          "count: 3}]}"),
      R"({"tags":["first","ann","last","\u003c7\u003e"],"items":[{"sku":"a"},{"sku":"ann","count":3}]})");
}

TEST_F(MappingTest, StandardTypesTakeTheirUsualTexts) {
  ExpectJson(
      Pay("{due: 2030-01-31T12:00:00Z, grace: 50ms, nickname: joe, anything: [1, true, '1', null], extra: {a: "
          "\"${input.price}\", b: {c: no}, d: \"${input.order}\", e: \"hi ${input.user}\"}}"),
      R"({"extra":{"a":"9007199254740993","b":{"c":"no"},"d":{"order_id":"o1","items":[{"sku":"s","count":2}]},"e":"hi ann"},"due":"2030-01-31T12:00:00Z","grace":"0.050s","nickname":"joe","anything":[1,true,"1",null]})");
  ExpectJson(Pay("{nickname: \"${input.user}\", anything: \"${input.tags}\", extra: \"${input.order}\"}"),
             R"({"extra":{"order_id":"o1","items":[{"sku":"s","count":2}]},"nickname":"ann","anything":["a","b"]})");
}

TEST_F(MappingTest, RepliesOfEarlierStepsFlowOn) {
  shop::v1::PayReply reply;
  reply.set_payment_id("p1");
  reply.set_points(5);
  reply.mutable_order()->set_order_id("o9");
  (*reply.mutable_counts())["k"] = 4;
  reply.set_currency(shop::v1::CURRENCY_KRW);
  ExpectJson(
      Ship("{user_id: \"${steps.pay.reply.payment_id}\", amount: \"${steps.pay.reply.points}\", memo: "
           "\"${steps.pay.reply.order.order_id}\", counts: \"${steps.pay.reply.counts}\", currency: "
           "\"${steps.pay.reply.currency}\", account: \"${steps.pay.key}\"}",
           reply),
      R"({"userId":"p1","amount":"5","memo":"o9","currency":"CURRENCY_KRW","counts":{"k":4},"account":"uid-1/pay/action"})");
}

TEST_F(MappingTest, AbsentFieldsReadAsTheirDefaultAndStayUnsetWherePresenceCounts) {
  ExpectJson(Ship("{note: \"${steps.pay.reply.note}\", memo: \"[${steps.pay.reply.note}]\", user_id: "
                  "\"${steps.pay.reply.order.order_id}\"}",
                  {}),
             R"({"memo":"[]"})");
}

TEST_F(MappingTest, DefaultsApplyWhenAFieldOnTheWayIsUnset) {
  const std::string ship =
      "{note: \"${steps.pay.reply.note | default(none)}\", user_id: \"${steps.pay.reply.order.order_id | default('a "
      "b')}\", "
      "memo: \"<${steps.pay.reply.note | default(-)}>\", order: \"${steps.pay.reply.order | default({})}\", amount: "
      "\"${steps.pay.reply.balance | default(9)}\"}";
  ExpectJson(Ship(ship, {}), R"({"userId":"a b","memo":"\u003c-\u003e","note":"none","order":{}})");
  shop::v1::PayReply reply;
  reply.set_note("n");
  reply.mutable_order();
  ExpectJson(Ship(ship, reply), R"({"memo":"\u003cn\u003e","note":"n","order":{}})");
}

TEST_F(MappingTest, ACompensationReadsItsOwnReplyOnlyWithADefault) {
  Use({.refund =
           "{payment_id: \"${steps.pay.reply.payment_id | default(unknown)}\", payment_key: \"${steps.pay.key}\"}"});
  const auto refund = [this] {
    shop::v1::RefundRequest request;
    const auto mapped = Map(0, v1::OPERATION_COMPENSATION);
    EXPECT_TRUE(mapped.ok()) << mapped.status();
    EXPECT_TRUE(request.ParseFromString(mapped->bytes));
    return Json(request);
  };
  EXPECT_EQ(refund(), R"({"paymentId":"unknown","paymentKey":"uid-1/pay/action"})");
  shop::v1::PayReply reply;
  reply.set_payment_id("p1");
  Reply(reply);
  EXPECT_EQ(refund(), R"({"paymentId":"p1","paymentKey":"uid-1/pay/action"})");
}

TEST_F(MappingTest, ErrorsNameTheFieldAndTheReference) {
  Use({.ship = "{order: {order_id: \"${steps.pay.reply.payment_id}\"}}"});
  EXPECT_EQ(Action(1),
            "steps[1].action.request.order.order_id: ${steps.pay.reply.payment_id} has no value: step `pay` has "
            "no reply");
  record_.mutable_steps(0)->set_has_reply(true);
  record_.mutable_steps(0)->set_reply("\xff");
  EXPECT_TRUE(absl::IsDataLoss(Map(1, v1::OPERATION_ACTION).status()));
}

TEST_F(MappingTest, MetadataCarriesTexts) {
  Use({.pay_more = "      metadata: {x-request-id: \"${command.key}\", x-price: \"${input.price}\", x-user: "
                   "\"${input.user}\"}\n"});
  const auto mapped = Map(0, v1::OPERATION_ACTION);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_EQ(mapped->metadata,
            (std::map<std::string, std::string>{
                {"x-price", "9007199254740993"}, {"x-request-id", "uid-1/pay/action"}, {"x-user", "ann"}}));
}

TEST_F(MappingTest, AHeaderThatCannotBeSentIsAnErrorInsteadOfABrokenCall) {
  Use({.pay_more = "      metadata: {x-user: \"${input.user}\"}\n"},
      R"({"user":"a\nb","price":1,"small":1,"order":{}})");
  EXPECT_THAT(std::string(Map(0, v1::OPERATION_ACTION).status().message()), HasSubstr("metadata.x-user: "));
}

TEST_F(MappingTest, HeadersThatAreTooLongTogetherAreAnError) {
  Use({.pay_more = "      metadata: {x-one: \"${input.user}\", x-two: \"${input.user}\"}\n"},
      R"({"user":")" + std::string(2100, 'x') + R"(","price":1,"small":1,"order":{}})");
  EXPECT_THAT(std::string(Map(0, v1::OPERATION_ACTION).status().message()), HasSubstr("metadata.x-two: "));
}

TEST_F(MappingTest, EqualInputsMakeEqualBytes) {
  Use({.pay = "{counts: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6}}"});
  EXPECT_EQ(Map(0, v1::OPERATION_ACTION)->bytes, Map(0, v1::OPERATION_ACTION)->bytes);
}

TEST_F(MappingTest, RejectedWhenReadsTheReply) {
  Use({.pay_more = "      rejected_when: {refused: true, order.order_id: none, currency: CURRENCY_KRW, note: \"\"}\n"});
  const auto judge = [this](const shop::v1::PayReply& reply) {
    return mapper().JudgeReply(0, v1::OPERATION_ACTION, reply.SerializeAsString()).verdict;
  };
  shop::v1::PayReply reply;
  EXPECT_EQ(judge(reply), saga::ReplyVerdict::kAccepted);
  reply.set_refused(true);
  EXPECT_EQ(judge(reply), saga::ReplyVerdict::kRejected);
  reply.Clear();
  reply.mutable_order()->set_order_id("none");
  EXPECT_EQ(judge(reply), saga::ReplyVerdict::kRejected);
  reply.mutable_order()->set_order_id("some");
  EXPECT_EQ(judge(reply), saga::ReplyVerdict::kAccepted);
  reply.set_currency(shop::v1::CURRENCY_KRW);
  EXPECT_EQ(judge(reply), saga::ReplyVerdict::kRejected);
  reply.Clear();
  reply.set_note("");
  EXPECT_EQ(judge(reply), saga::ReplyVerdict::kRejected);
  EXPECT_EQ(mapper().JudgeReply(0, v1::OPERATION_COMPENSATION, "").verdict, saga::ReplyVerdict::kAccepted);
}

TEST_F(MappingTest, OutputLeavesOutWhatHasNoValueYet) {
  Use({.output = "{id: \"${steps.pay.reply.payment_id}\", all: \"${steps.ship.reply}\", balance: "
                 "\"${steps.pay.reply.balance}\", fixed: 1, note: \"${steps.pay.reply.note}\", text: \"for "
                 "${input.user}\"}"});
  shop::v1::PayReply reply;
  reply.set_payment_id("p1");
  reply.set_balance(9007199254740993);
  Reply(reply);
  const auto& mapper = *definition_->recipe()->mapper;
  const saga::MappedOutput early = mapper.MapOutput(record_);
  ExpectJson(Json(OutputStruct(early)), R"({"balance":"9007199254740993","fixed":1,"id":"p1","text":"for ann"})");
  EXPECT_THAT(early.failures, IsEmpty());
  record_.mutable_steps(1)->set_state(v1::STEP_STATE_SUCCEEDED);
  EXPECT_THAT(mapper.MapOutput(record_).failures,
              ElementsAre("output.all: ${steps.ship.reply} has no value: step `ship` has no reply"));
  record_.mutable_steps(1)->set_has_reply(true);
  const google::protobuf::Struct output = OutputStruct(mapper.MapOutput(record_));
  EXPECT_EQ(output.fields().at("all").struct_value().fields().at("points").number_value(), 0);
}

TEST_F(MappingTest, LabelsAreTexts) {
  Use({.labels = "{user: \"${input.user}\", price: \"p${input.price}\", fixed: web}"});
  const auto labels = definition_->MapLabels(record_.input());
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(*labels,
            (std::map<std::string, std::string>{{"fixed", "web"}, {"price", "p9007199254740993"}, {"user", "ann"}}));
}

TEST_F(MappingTest, ALabelThatIsTooLongIsRefused) {
  Use({.labels = "{user: \"${input.user}\"}"},
      R"({"user":")" + std::string(257, 'x') + R"(","price":1,"small":1,"order":{}})");
  const absl::Status status = definition_->MapLabels(record_.input()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(ViolationsOf(status).at(0).field, "labels.user");
}

}  // namespace
}  // namespace tutti::definition
