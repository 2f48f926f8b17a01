#include "orchestrator/definition/compiler.h"

#include <algorithm>
#include <memory>

#include "gmock/gmock.h"
#include "orchestrator/definition/test_source.h"

namespace tutti::definition {
namespace {

using testing::Definition;
using ::testing::ElementsAre;
using testing::JsonStruct;
using testing::Refusals;
using testing::TestSource;
using testing::Texts;

constexpr const char* kTravel = R"(
name: travel
input: {user: string}
timeout: 30s
steps:
  - name: hold
    participant: shop
    after: []
    deadline: 10s
    action:
      method: shop.v1.PayService/Pay
      request: {user_id: "${input.user}"}
      timeout: 2s
      retry: {max_attempts: 3, initial_backoff: 20ms, max_backoff: 1m, multiplier: 1.5}
      outcomes: {NOT_FOUND: UNKNOWN, DATA_LOSS: REJECTED}
    compensation:
      method: shop.v1.PayService/Refund
      outcomes: {NOT_FOUND: SUCCEEDED}
      retry: {max_refusals: 9}
  - name: quote
    participant: depot
    after: []
    action: {method: shop.v1.PayService/Pay}
    compensation: none
  - name: notify
    participant: shop
    kind: retriable
    after: []
    action: {method: shop.v1.PayService/Pay}
  - name: pay
    participant: shop
    kind: pivot
    after: [hold]
    action: {method: shop.v1.PayService/Pay}
)";

Compiled CompileOrDie(const std::string& text, int64_t revision = 1) {
  TestSource source;
  absl::StatusOr<Compiled> compiled = Compile(text, revision, &source);
  EXPECT_TRUE(compiled.ok()) << Refusals(text);
  return compiled.ok() ? *std::move(compiled) : Compiled();
}

TEST(CompilerTest, ReadsEverythingTheStateMachineNeeds) {
  const Compiled compiled = CompileOrDie(kTravel, 7);
  const auto recipe = compiled.definition->recipe();
  EXPECT_EQ(recipe->definition, "travel");
  EXPECT_EQ(recipe->revision, 7);
  EXPECT_EQ(recipe->timeout_ms, 30'000);
  const saga::StepRecipe& hold = recipe->steps[0];
  EXPECT_EQ(hold.participant, "shop");
  EXPECT_EQ(hold.deadline_ms, 10'000);
  EXPECT_EQ(hold.action.method, "shop.v1.PayService/Pay");
  EXPECT_EQ(hold.action.attempt_timeout_ms, 2'000);
  EXPECT_EQ(hold.action.retry.max_attempts, 3);
  EXPECT_EQ(hold.action.retry.initial_backoff_ms, 20);
  EXPECT_EQ(hold.action.retry.max_backoff_ms, 60'000);
  EXPECT_EQ(hold.action.retry.multiplier, 1.5);
  EXPECT_EQ(hold.action.outcomes,
            (std::map<saga::StatusCode, v1::Outcome>{{5, v1::OUTCOME_UNKNOWN}, {15, v1::OUTCOME_REJECTED}}));
  EXPECT_EQ(hold.compensation->outcomes, (std::map<saga::StatusCode, v1::Outcome>{{5, v1::OUTCOME_SUCCEEDED}}));
  EXPECT_EQ(hold.compensation->retry.max_refusals, 9);
  EXPECT_FALSE(recipe->steps[1].compensation.has_value());
}

TEST(CompilerTest, DefaultsRetryActionsFiveTimesAndTheRestForEver) {
  const auto recipe = CompileOrDie(kTravel).definition->recipe();
  const saga::StepRecipe& quote = recipe->steps[1];
  EXPECT_EQ(quote.kind, v1::STEP_KIND_COMPENSATABLE);
  EXPECT_EQ(quote.action.attempt_timeout_ms, 5'000);
  EXPECT_EQ(quote.action.retry.max_attempts, 5);
  EXPECT_EQ(recipe->steps[3].action.retry.max_attempts, 5);
  for (const saga::CommandRecipe* endless : {&*recipe->steps[0].compensation, &recipe->steps[2].action}) {
    EXPECT_EQ(endless->retry.max_attempts, 0);
    EXPECT_EQ(endless->retry.max_backoff_ms, 30'000);
  }
  EXPECT_EQ(recipe->steps[2].action.retry.max_refusals, 5);
}

TEST(CompilerTest, KindsImplyEdges) {
  const auto recipe = CompileOrDie(kTravel).definition->recipe();
  EXPECT_THAT(recipe->steps[0].dependencies, ElementsAre());
  EXPECT_THAT(recipe->steps[2].dependencies, ElementsAre(3));
  EXPECT_THAT(recipe->steps[3].dependencies, ElementsAre(0, 1));
  EXPECT_THAT(recipe->steps[0].transitive_dependents, ElementsAre(2, 3));
  EXPECT_THAT(recipe->steps[1].transitive_dependents, ElementsAre(2, 3));
  EXPECT_THAT(recipe->steps[2].transitive_dependents, ElementsAre());
}

TEST(CompilerTest, WithoutAfterAStepFollowsTheOneAbove) {
  const auto recipe = CompileOrDie(Definition({})).definition->recipe();
  EXPECT_THAT(recipe->steps[1].dependencies, ElementsAre(0));
  EXPECT_THAT(recipe->steps[0].transitive_dependents, ElementsAre(1));
}

TEST(CompilerTest, RetriableStepsWithoutAPivotWaitForAllCompensatableOnes) {
  const auto recipe = CompileOrDie(
                          "name: x\nsteps:\n"
                          "- {name: r, kind: retriable, participant: shop, action: {method: shop.v1.PayService/Pay}}\n"
                          "- {name: c, after: [], participant: shop, compensation: none, action: {method: "
                          "shop.v1.PayService/Pay}}\n")
                          .definition->recipe();
  EXPECT_THAT(recipe->steps[0].dependencies, ElementsAre(1));
}

TEST(CompilerTest, AsksForEachServiceOfAParticipantOnce) {
  TestSource source;
  ASSERT_TRUE(Compile(kTravel, 1, &source).ok());
  EXPECT_EQ(source.asked, 2);  // shop and depot
}

TEST(CompilerTest, AParticipantThatCannotBeAskedIsUnavailableUnlessTheTextIsWrongAnyway) {
  TestSource source;
  const std::string text =
      "name: x\nsteps:\n- {name: a, participant: gone, compensation: none, action: {method: a.B/C}}\n";
  const absl::Status status = Compile(text, 1, &source).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("participant `gone`"));
  EXPECT_TRUE(absl::IsInvalidArgument(Compile(text + "nonsense: 1\n", 1, &source).status()));
}

TEST(CompilerTest, DigestDependsOnMeaningOnly) {
  const std::string digest = CompileOrDie(
                                 "name: x\nsteps:\n- name: a\n  participant: shop\n  compensation: none\n"
                                 "  action: {method: shop.v1.PayService/Pay, timeout: 1s}\n")
                                 .digest;
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(
      CompileOrDie("# a comment\n{\"steps\": [{\"participant\": \"shop\", \"name\": \"a\", \"action\": {\"timeout\": "
                   "\"1s\", \"method\": \"shop.v1.PayService/Pay\"}, \"compensation\": \"none\"}], \"name\": \"x\"}",
                   9)
          .digest,
      digest);
  EXPECT_NE(CompileOrDie("name: x\nsteps:\n- name: a\n  participant: shop\n  compensation: none\n"
                         "  action: {method: shop.v1.PayService/Pay, timeout: 2s}\n")
                .digest,
            digest);
}

TEST(CompilerTest, DigestDependsOnTheDescriptors) {
  class Widened final : public DescriptorSource {
   public:
    bool KnowsParticipant(absl::string_view) const override { return true; }
    absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view,
                                                                   absl::string_view symbol) override {
      auto set = TestSource().FindSymbol("shop", symbol);
      if (!set.ok()) return set;
      auto* field = set->mutable_file(0)->mutable_message_type(0)->add_field();
      field->set_name("colour");
      field->set_number(77);
      field->set_type(google::protobuf::FieldDescriptorProto::TYPE_STRING);
      field->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
      return set;
    }
  } widened;
  const auto other = Compile(Definition({}), 1, &widened);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(other->digest, CompileOrDie(Definition({})).digest);
}

TEST(CompilerTest, KeepsOnlyTheDescriptorsItNeeds) {
  class Chatty final : public DescriptorSource {
   public:
    bool KnowsParticipant(absl::string_view) const override { return true; }
    absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view,
                                                                   absl::string_view symbol) override {
      auto set = TestSource().FindSymbol("shop", symbol);
      if (set.ok()) set->add_file()->set_name("unrelated.proto");
      return set;
    }
  } chatty;
  const auto compiled = Compile(Definition({}), 1, &chatty);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  std::vector<std::string> names;
  for (const auto& file : compiled->descriptors.file()) names.push_back(file.name());
  EXPECT_THAT(
      names, ElementsAre("google/protobuf/duration.proto", "google/protobuf/struct.proto",
                         "google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto", "tutti_test/shop.proto"));
}

storage::v1::DefinitionRecord RecordOf(const Compiled& compiled, const std::string& text) {
  storage::v1::DefinitionRecord record;
  record.set_name(compiled.name);
  record.set_revision(3);
  record.set_source(text);
  record.set_digest(compiled.digest);
  *record.mutable_descriptors() = compiled.descriptors;
  return record;
}

TEST(CompilerTest, RecompilesAKeptRevisionToTheSameThing) {
  for (const std::string& text : {std::string(kTravel), Definition({})}) {
    const Compiled first = CompileOrDie(text, 3);
    const auto second = Recompile(RecordOf(first, text));
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(second->digest, first.digest);
    EXPECT_EQ(second->descriptors.SerializeAsString(), first.descriptors.SerializeAsString());
    EXPECT_EQ(second->definition->recipe()->revision, 3);
    EXPECT_EQ(second->definition->recipe()->steps.size(), first.definition->recipe()->steps.size());
  }
}

TEST(CompilerTest, InputEncodedByOneCompilationIsReadByTheNext) {
  const std::string text =
      Definition({.input = "{zeta: string, alpha: \"map<string, int64>\", order: optional shop.v1.Order}",
                  .pay = "{user_id: \"${input.zeta}\"}"});
  const Compiled first = CompileOrDie(text);
  const auto second = Recompile(RecordOf(first, text));
  ASSERT_TRUE(second.ok()) << second.status();
  const auto bytes =
      first.definition->EncodeInput(JsonStruct(R"({"zeta":"z","alpha":{"k":1},"order":{"order_id":"o"}})"));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  testing::ExpectJson(testing::Json(*second->definition->DecodeInput(*bytes)),
                      R"({"alpha":{"k":"1"},"order":{"order_id":"o"},"zeta":"z"})");
}

TEST(CompilerTest, ADamagedRecordIsDataLoss) {
  const Compiled compiled = CompileOrDie(kTravel);
  auto record = RecordOf(compiled, kTravel);
  record.mutable_descriptors()->clear_file();
  EXPECT_TRUE(absl::IsDataLoss(Recompile(record).status()));
  record = RecordOf(compiled, kTravel);
  record.set_source("name: [");
  EXPECT_TRUE(absl::IsDataLoss(Recompile(record).status()));
  record = RecordOf(compiled, kTravel);
  record.set_digest("00");
  EXPECT_TRUE(absl::IsDataLoss(Recompile(record).status()));
}

}  // namespace
}  // namespace tutti::definition
