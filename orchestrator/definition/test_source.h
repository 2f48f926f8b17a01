// What the tests of this room share: a participant, definitions around one step, and ways to read refusals.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_TEST_SOURCE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_TEST_SOURCE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "orchestrator/definition/compiler.h"
#include "orchestrator/definition/yaml_tree.h"
#include "orchestrator/saga/command_key.h"
#include "tutti_test/shop.pb.h"

namespace tutti::definition::testing {

// Participants "shop" and "depot" serve shop.v1; "gone" cannot be asked.
class TestSource final : public DescriptorSource {
 public:
  bool KnowsParticipant(absl::string_view participant) const override {
    return participant == "shop" || participant == "depot" || participant == "gone";
  }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view participant,
                                                                 absl::string_view symbol) override {
    ++asked;
    if (participant == "gone") return absl::UnavailableError("connection refused");
    // Through a message, so that the linker keeps the file.
    const auto* pool = shop::v1::PayRequest::descriptor()->file()->pool();
    const auto* file = pool->FindFileContainingSymbol(std::string(symbol));
    if (file == nullptr || file->package() != "shop.v1") return absl::NotFoundError(std::string(symbol));
    google::protobuf::FileDescriptorSet set;
    file->CopyTo(set.add_file());
    for (int i = 0; i < file->dependency_count(); ++i) file->dependency(i)->CopyTo(set.add_file());
    return set;
  }
  int asked = 0;
};

// A definition with steps `pay` and `ship`; the texts are put in as YAML flow maps.
struct Texts {
  std::string input = "{user: string, price: int64, small: int32, tags: repeated string, order: shop.v1.Order}";
  std::string pay = "{user_id: \"${input.user}\"}";
  std::string refund = "{payment_key: \"${steps.pay.key}\"}";
  std::string ship = "{}";
  std::string output = "{}";
  std::string labels = "{}";
  std::string pay_more = "";  // further keys of pay's action, one a line, indented by six
};

inline std::string Definition(const Texts& texts) {
  return absl::StrCat(
      "name: buy\ninput: ", texts.input, "\nlabels: ", texts.labels,
      "\nsteps:\n  - name: pay\n    participant: shop\n    action:\n      method: "
      "shop.v1.PayService/Pay\n      request: ",
      texts.pay, "\n", texts.pay_more,
      "    compensation:\n      method: shop.v1.PayService/Refund\n      request: ", texts.refund,
      "\n  - name: ship\n    participant: depot\n    action:\n      method: shop.v1.PayService/Pay\n      "
      "request: ",
      texts.ship, "\n    compensation: none\noutput: ", texts.output, "\n");
}

// "path: description" of each violation, one a line; "OK" when it compiles.
inline std::string Refusals(const std::string& text) {
  TestSource source;
  const absl::StatusOr<Compiled> compiled = Compile(text, 1, &source);
  if (compiled.ok()) return "OK";
  std::vector<std::string> lines;
  for (const FieldViolation& violation : ViolationsOf(compiled.status())) {
    lines.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  return lines.empty() ? compiled.status().ToString() : absl::StrJoin(lines, "\n");
}

inline google::protobuf::Struct JsonStruct(const std::string& json) {
  google::protobuf::Struct value;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &value).ok()) << json;
  return value;
}

// What a client reads of an output.
inline google::protobuf::Struct OutputStruct(const saga::MappedOutput& output) {
  google::protobuf::Struct value;
  EXPECT_TRUE(value.ParseFromString(output.bytes));
  return value;
}

inline std::string Json(const google::protobuf::Message& message) {
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &json).ok());
  return json;
}

// Equal as JSON; the order of members means nothing.
inline void ExpectJson(const std::string& actual, const std::string& expected) {
  Violations violations;
  const auto actual_tree = ParseTree(actual, &violations);
  const auto expected_tree = ParseTree(expected, &violations);
  ASSERT_TRUE(violations.empty() && actual_tree.has_value() && expected_tree.has_value()) << actual << expected;
  EXPECT_EQ(CanonicalText(*actual_tree), CanonicalText(*expected_tree));
}

// One saga of a definition of two steps, of which the first may be answered.
class SagaTest : public ::testing::Test {
 protected:
  // As if the saga had just started with this input.
  void Use(const std::string& definition, const std::string& input) {
    TestSource source;
    auto compiled = Compile(definition, 1, &source);
    ASSERT_TRUE(compiled.ok()) << Refusals(definition);
    definition_ = compiled->definition;
    const auto encoded = definition_->EncodeInput(JsonStruct(input));
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    record_.Clear();
    record_.set_saga_id("saga-1");
    record_.set_uid("uid-1");
    record_.set_input(*encoded);
    for (const saga::StepRecipe& step : definition_->recipe()->steps) record_.add_steps()->set_name(step.name);
  }
  // Answers the first step.
  void Reply(std::string bytes) {
    record_.mutable_steps(0)->set_has_reply(true);
    record_.mutable_steps(0)->set_reply(std::move(bytes));
    record_.mutable_steps(0)->set_state(v1::STEP_STATE_SUCCEEDED);
  }
  const saga::Mapper& mapper() const { return *definition_->recipe()->mapper; }

  std::shared_ptr<const CompiledDefinition> definition_;
  storage::v1::SagaRecord record_;
};

}  // namespace tutti::definition::testing

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_TEST_SOURCE_H_
