// Participants that have types of one name, or files of one name, that are not the same.
#include <utility>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/text_format.h"
#include "orchestrator/definition/test_source.h"
#include "orchestrator/definition/type_match.h"

namespace tutti::definition {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::JsonStruct;

FileDescriptorProto File(const std::string& text) {
  FileDescriptorProto file;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &file)) << text;
  return file;
}

FileDescriptorProto Money(const std::string& path, const std::string& more_fields = "") {
  return File(
      absl::StrCat("syntax: 'proto3' package: 'common' name: '", path,
                   "' enum_type { name: 'Kind' value { name: 'CASH' number: 0 } value { name: 'CARD' number: 1 } }"
                   " message_type { name: 'Money'"
                   " field { name: 'units' number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }"
                   " field { name: 'kind' number: 2 type: TYPE_ENUM type_name: '.common.Kind' label: LABEL_OPTIONAL } ",
                   more_fields, "}"));
}

constexpr const char* kScale = "field { name: 'scale' number: 3 type: TYPE_INT32 label: LABEL_OPTIONAL }";

// `package`.Api/Do takes and gives an Order with one Money, all of them, and a map of them.
FileDescriptorProto Api(const std::string& package, const std::string& money) {
  const std::string order = absl::StrCat(".", package, ".Order");
  const std::string map_entry = absl::StrCat(order, ".NamedEntry");
  return File(absl::StrCat(
      "syntax: 'proto3' package: '", package, "' name: '", package, ".proto' dependency: '", money,
      "' message_type { name: 'Order'"
      " field { name: 'price' number: 1 type: TYPE_MESSAGE type_name: '.common.Money' label: LABEL_OPTIONAL }"
      " field { name: 'parts' number: 2 type: TYPE_MESSAGE type_name: '.common.Money' label: LABEL_REPEATED }"
      " field { name: 'kind' number: 3 type: TYPE_ENUM type_name: '.common.Kind' label: LABEL_OPTIONAL }"
      " field { name: 'named' number: 4 type: TYPE_MESSAGE type_name: '",
      map_entry,
      "' label: LABEL_REPEATED }"
      " nested_type { name: 'NamedEntry' options { map_entry: true }"
      " field { name: 'key' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }"
      " field { name: 'value' number: 2 type: TYPE_MESSAGE type_name: '.common.Money' label: LABEL_OPTIONAL } } }"
      " service { name: 'Api' method { name: 'Do' input_type: '",
      order, "' output_type: '", order, "' } }"));
}

class TwoServices final : public DescriptorSource {
 public:
  TwoServices(const FileDescriptorProto& first, const FileDescriptorProto& second) {
    *sets_["one"].add_file() = first;
    *sets_["one"].add_file() = Api("one", first.name());
    *sets_["two"].add_file() = second;
    *sets_["two"].add_file() = Api("two", second.name());
  }

  bool KnowsParticipant(absl::string_view) const override { return true; }
  absl::StatusOr<FileDescriptorSet> FindSymbol(absl::string_view participant, absl::string_view symbol) override {
    ++asked;
    const std::string name(participant);
    const bool known = symbol == name + ".Api" || symbol == name + ".Order" || symbol == "common.Money";
    if (!known) return absl::NotFoundError(std::string(symbol));
    return sets_[name];
  }
  int asked = 0;

 private:
  std::map<std::string, FileDescriptorSet> sets_;
};

std::string Text(const std::string& second_request, const std::string& input = "{price: common.Money}") {
  return absl::StrCat("name: both\ninput: ", input,
                      "\nsteps:\n- {name: a, participant: one, compensation: none, action: {method: one.Api/Do}}\n"
                      "- {name: b, participant: two, compensation: none, action: {method: two.Api/Do, request: ",
                      second_request, "}}\n");
}

storage::v1::DefinitionRecord RecordOf(const Compiled& compiled, const std::string& text) {
  storage::v1::DefinitionRecord record;
  record.set_name(compiled.name);
  record.set_revision(1);
  record.set_source(text);
  record.set_digest(compiled.digest);
  *record.mutable_descriptors() = compiled.descriptors;
  *record.mutable_participant_types() = compiled.participant_types;
  return record;
}

std::string Refusal(DescriptorSource* source, const std::string& text) {
  const auto compiled = Compile(text, 1, source);
  return compiled.ok() ? "OK" : std::string(compiled.status().message());
}

constexpr const char* kCopies =
    "{price: \"${input.price}\", parts: [\"${input.price}\", \"${steps.a.reply.price}\"], kind: "
    "\"${steps.a.reply.kind}\", named: \"${steps.a.reply.named}\"}";

TEST(VendoredTest, OneTypeUnderTwoPathsIsCopiedFromOneParticipantToTheOther) {
  TwoServices source(Money("common/money.proto"), Money("proto/common/money.proto"));
  const std::string text = Text(kCopies);
  const auto compiled = Compile(text, 1, &source);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const auto kept = Recompile(RecordOf(*compiled, text));
  ASSERT_TRUE(kept.ok()) << kept.status();
  for (const auto& definition : {compiled->definition, kept->definition}) {
    const auto input = definition->EncodeInput(JsonStruct(R"({"price": {"units": "5", "kind": "CARD"}})"));
    ASSERT_TRUE(input.ok()) << input.status();
    storage::v1::SagaRecord record;
    record.set_input(*input);
    record.add_steps()->set_has_reply(true);
    record.add_steps();
    // price {units: 5, kind: CARD}, kind: CARD, named {"k": {units: 1}}
    const std::string reply("\x0a\x04\x08\x05\x10\x01\x18\x01\x22\x07\x0a\x01k\x12\x02\x08\x01", 17);
    record.mutable_steps(0)->set_reply(reply);
    const auto mapped = definition->recipe()->mapper->MapRequest(1, v1::OPERATION_ACTION, "key", record);
    ASSERT_TRUE(mapped.ok()) << mapped.status();
    EXPECT_EQ(mapped->bytes, std::string("\x0a\x04\x08\x05\x10\x01\x12\x04\x08\x05\x10\x01\x12\x04\x08\x05\x10\x01"
                                         "\x18\x01\x22\x07\x0a\x01k\x12\x02\x08\x01",
                                         29));
  }
}

TEST(VendoredTest, WhatDoesNotFitTogetherIsKeptByParticipantAndTheRestTogether) {
  TwoServices apart(Money("common/money.proto"), Money("common/money.proto", kScale));
  const auto compiled = Compile(Text("{}"), 1, &apart);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_TRUE(compiled->descriptors.file().empty());
  std::vector<std::string> participants;
  for (const auto& types : compiled->participant_types) participants.push_back(types.participant());
  EXPECT_THAT(participants, ElementsAre("one", "two"));

  TwoServices alike(Money("common/money.proto"), Money("common/money.proto"));
  const auto shared = Compile(Text("{}"), 1, &alike);
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_TRUE(shared->participant_types.empty());
  std::vector<std::string> files;
  for (const auto& file : shared->descriptors.file()) files.push_back(file.name());
  EXPECT_THAT(files, ElementsAre("common/money.proto", "one.proto", "two.proto"));
  EXPECT_NE(shared->digest, compiled->digest);
}

TEST(VendoredTest, TheDigestDependsOnEachParticipantsTypes) {
  TwoServices source(Money("common/money.proto"), Money("common/money.proto", kScale));
  TwoServices swapped(Money("common/money.proto", kScale), Money("common/money.proto"));
  const auto one = Compile(Text("{}"), 1, &source);
  const auto other = Compile(Text("{}"), 1, &swapped);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(one->digest, other->digest);
  auto record = RecordOf(*one, Text("{}"));
  record.mutable_participant_types()->SwapElements(0, 1);
  EXPECT_TRUE(Recompile(record).ok());  // found by name
  record.mutable_participant_types()->RemoveLast();
  EXPECT_TRUE(absl::IsDataLoss(Recompile(record).status()));
}

TEST(VendoredTest, ATypeIsCopiedToOneThatKnowsMoreAndNotBack) {
  TwoServices grown(Money("common/money.proto"), Money("common/money.proto", kScale));
  EXPECT_EQ(Refusal(&grown, Text(kCopies)), "OK");
  TwoServices shrunk(Money("common/money.proto", kScale), Money("common/money.proto"));
  EXPECT_EQ(
      Refusal(&shrunk, Text("{price: \"${steps.a.reply.price}\"}", "{}")),
      "steps[1].action.request.price (line 5): `${steps.a.reply.price}` is common.Money, but the field is "
      "common.Money; the two participants' types of that name differ: field `common.Money.scale` is not in the other; "
      "map what is needed field by field");
  EXPECT_EQ(Refusal(&shrunk, Text("{price: {units: \"${steps.a.reply.price.units}\"}}")), "OK");
}

TEST(VendoredTest, TheTypesOfOneInputMustFitTogether) {
  TwoServices source(Money("common/money.proto"), Money("common/money.proto", kScale));
  EXPECT_EQ(Refusal(&source, Text("{}", "{a: one.Order, b: two.Order}")),
            "input.b (line 2): `two.Order` of participant `two` needs common/money.proto, and another type of the "
            "input comes with a different version of it from another participant; write the fields of one of them in "
            "the input instead");
  EXPECT_EQ(Refusal(&source, Text("{}", "{b: two.Order, c: repeated two.Order}")), "OK");
}

TEST(VendoredTest, TypesThatAServiceBroughtAlongAreNotAskedFor) {
  TwoServices source(Money("common/money.proto"), Money("common/money.proto"));
  EXPECT_EQ(Refusal(&source, Text("{}")), "OK");
  EXPECT_EQ(source.asked, 2);
}

// A message type `t.M` with these fields, of its own pool.
class OwnType {
 public:
  explicit OwnType(const std::string& fields, const std::string& more = "") {
    const auto file = File(absl::StrCat("name: 't.proto' package: 't' syntax: 'proto3' ", more,
                                        " message_type { name: 'M' ", fields, " }"));
    EXPECT_NE(pool_.BuildFile(file), nullptr);
  }
  const google::protobuf::Descriptor& type() const { return *pool_.FindMessageTypeByName("t.M"); }

 private:
  google::protobuf::DescriptorPool pool_;
};

TEST(VendoredTest, WhatMakesTypesDiffer) {
  const std::string text = "field { name: 'a' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }";
  const auto misfit = [](const OwnType& from, const OwnType& to) { return Misfit(from.type(), to.type()); };
  const OwnType plain(text);
  EXPECT_EQ(misfit(plain, OwnType(text)), "");
  EXPECT_EQ(misfit(plain, OwnType(text + "field { name: 'b' number: 2 type: TYPE_BOOL label: LABEL_OPTIONAL }")), "");
  EXPECT_EQ(misfit(plain, OwnType("")), "field `t.M.a` is not in the other");
  EXPECT_EQ(misfit(plain, OwnType("field { name: 'b' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }")),
            "field `t.M.a` is not in the other");
  EXPECT_EQ(misfit(plain, OwnType("field { name: 'a' number: 1 type: TYPE_BYTES label: LABEL_OPTIONAL }")),
            "field `t.M.a` is string in one, bytes in the other");
  EXPECT_EQ(misfit(plain, OwnType("field { name: 'a' number: 1 type: TYPE_STRING label: LABEL_REPEATED }")),
            "field `t.M.a` is string in one, repeated string in the other");
  EXPECT_EQ(misfit(plain, OwnType("field { name: 'a' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 "
                                  "} field { name: 'b' number: 2 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0 "
                                  "} oneof_decl { name: 'o' }")),
            "field `t.M.a` excludes others in one of them only");
  const std::string self = "field { name: 'm' number: 1 type: TYPE_MESSAGE type_name: '.t.M' label: LABEL_OPTIONAL }";
  EXPECT_EQ(misfit(OwnType(self), OwnType(self)), "");
  const std::string kind = "field { name: 'e' number: 1 type: TYPE_ENUM type_name: '.t.E' label: LABEL_OPTIONAL }";
  const std::string narrow = "enum_type { name: 'E' value { name: 'X' number: 0 } }";
  const std::string wide = "enum_type { name: 'E' value { name: 'X' number: 0 } value { name: 'Y' number: 1 } }";
  EXPECT_EQ(misfit(OwnType(kind, narrow), OwnType(kind, wide)), "");
  EXPECT_EQ(misfit(OwnType(kind, wide), OwnType(kind, narrow)), "value `t.Y` is not in the other");
}

TEST(VendoredTest, ImportsOfProtobufsOwnNeedNotBeGiven) {
  class Frugal final : public DescriptorSource {
   public:
    bool KnowsParticipant(absl::string_view) const override { return true; }
    absl::StatusOr<FileDescriptorSet> FindSymbol(absl::string_view participant, absl::string_view symbol) override {
      const auto set = testing::TestSource().FindSymbol(participant, symbol);
      if (!set.ok()) return set;
      FileDescriptorSet own;
      *own.add_file() = set->file(0);
      return own;
    }
  } frugal;
  EXPECT_EQ(Refusal(&frugal, testing::Definition({})), "OK");
}

TEST(VendoredTest, FilesThatCannotBeUsedAreTheMistakeOfTheirParticipantsLine) {
  class Broken final : public DescriptorSource {
   public:
    explicit Broken(FileDescriptorProto file) : file_(std::move(file)) {}
    bool KnowsParticipant(absl::string_view) const override { return true; }
    absl::StatusOr<FileDescriptorSet> FindSymbol(absl::string_view, absl::string_view) override {
      FileDescriptorSet set;
      *set.add_file() = file_;
      return set;
    }

   private:
    const FileDescriptorProto file_;
  };
  const std::string text =
      "name: x\nsteps:\n- {name: a, compensation: none, action: {method: s.S/M}, participant: p}\n";
  Broken lacking(File("name: 's.proto' package: 's' dependency: 'lost.proto' service { name: 'S' }"));
  EXPECT_EQ(Refusal(&lacking, text),
            "steps[0].participant (line 3): the types of participant `p` cannot be used: s.proto imports lost.proto, "
            "which was not given");
  Broken circular(File("name: 's.proto' package: 's' dependency: 's.proto' service { name: 'S' }"));
  EXPECT_THAT(Refusal(&circular, text), HasSubstr("s.proto imports itself"));
  Broken wrong(
      File("name: 's.proto' package: 's' service { name: 'S' method { name: 'M' input_type: '.s.No' "
           "output_type: '.s.No' } }"));
  EXPECT_THAT(Refusal(&wrong, text), HasSubstr("the types of participant `p` cannot be used: s.proto: s.S.M: "));
}

}  // namespace
}  // namespace tutti::definition
