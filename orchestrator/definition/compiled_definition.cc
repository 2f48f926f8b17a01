#include "orchestrator/definition/compiled_definition.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "google/protobuf/arena.h"
#include "orchestrator/definition/compilation.h"
#include "orchestrator/definition/decode.h"
#include "orchestrator/definition/input_codec.h"
#include "orchestrator/definition/value_writer.h"

namespace tutti::definition {
namespace {

// A kept revision brings all its types with it; which participant they came from no longer matters.
class StoredDescriptors final : public DescriptorSource {
 public:
  explicit StoredDescriptors(const google::protobuf::FileDescriptorSet& files) : files_(files) {}

  bool KnowsParticipant(absl::string_view) const override { return true; }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view, absl::string_view) override {
    return files_;
  }

 private:
  const google::protobuf::FileDescriptorSet& files_;
};

}  // namespace

absl::StatusOr<std::string> PlannedDefinition::EncodeInput(const google::protobuf::Struct& input) const {
  return EncodeStruct(input, *plans_->sources.input, plans_->inline_input, "input");
}

absl::StatusOr<std::optional<std::string>> PlannedDefinition::EncodeReply(
    absl::string_view step, const std::optional<google::protobuf::Struct>& reply) const {
  const auto& steps = recipe_->steps;
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& each) { return each.name == step; });
  if (found == steps.end()) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("step: the saga has no step ", step)),
                      "STEP_NOT_FOUND");
  }
  const int index = static_cast<int>(found - steps.begin());
  if (reply.has_value()) {
    absl::StatusOr<std::string> bytes = EncodeStruct(*reply, *plans_->steps[index].action.reply, false, "reply");
    if (!bytes.ok()) return bytes.status();
    return std::optional<std::string>(*std::move(bytes));
  }
  if (!plans_->needed_replies.contains(index)) return std::optional<std::string>();
  return InvalidArgumentError("FIELD_INVALID",
                              {{"reply", absl::StrCat("is missing, and a mapping reads the reply of step ", step,
                                                      "; give what its action would have answered")}});
}

absl::StatusOr<google::protobuf::Struct> PlannedDefinition::DecodeInput(absl::string_view encoded) const {
  google::protobuf::Arena arena;
  google::protobuf::Message* message = plans_->sources.input->New(&arena);
  absl::Status status = Decode(encoded, message);
  if (absl::IsInvalidArgument(status)) return absl::DataLossError("the stored input cannot be read");
  Allowance allowance(limits::kShownInputBytesMax, "the input as JSON");
  ValueWriter writer(&allowance, limits::kJsonLevelsMax, ValueWriter::Reader::kPrinter);
  std::string value;
  if (status.ok()) status = writer.WriteMessage(*message, 0, &value);
  google::protobuf::Struct shown;
  absl::string_view members;
  std::string wrapped;
  if (status.ok() && !MembersOf(value, &members)) {  // a type of protobuf's own whose JSON form is no object
    status = writer.AddMember("value", value, &wrapped);
    members = wrapped;
  }
  if (!status.ok()) return status;
  if (!shown.ParseFromArray(members.data(), static_cast<int>(members.size()))) {
    return absl::DataLossError("the stored input cannot be written as JSON");
  }
  return shown;
}

absl::StatusOr<std::map<std::string, std::string>> PlannedDefinition::MapLabels(absl::string_view encoded_input) const {
  Scope scope(&plans_->sources, encoded_input, nullptr, "");
  std::map<std::string, std::string> labels;
  std::vector<FieldViolation> violations;
  for (const auto& [name, plan] : plans_->labels) {
    absl::StatusOr<std::string> value = scope.Text(plan, Allowance(limits::kLabelBytesMax, "the label"));
    if (value.ok()) {
      labels.emplace(name, *std::move(value));
    } else if (absl::IsDataLoss(value.status())) {
      return value.status();
    } else {
      violations.push_back({absl::StrCat("labels.", name),
                            absl::StrCat(value.status().message(), "; change the input fields it is made of")});
    }
  }
  if (!violations.empty()) return InvalidArgumentError("INPUT_INVALID", violations);
  return labels;
}

absl::StatusOr<Compiled> Compile(absl::string_view text, int64_t revision, DescriptorSource* source) {
  return Compilation(revision, source, Violations::Of::kApplied).Run(text);
}

absl::StatusOr<Compiled> Recompile(const storage::v1::DefinitionRecord& record) {
  StoredDescriptors source(record.descriptors());
  absl::StatusOr<Compiled> compiled =
      Compilation(record.revision(), &source, Violations::Of::kKept).Run(record.source());
  const auto damaged = [&](absl::string_view why) {
    return absl::DataLossError(absl::StrCat("revision ", record.revision(), " of definition `", record.name(),
                                            "` cannot be compiled again: ", why));
  };
  if (!compiled.ok()) return damaged(compiled.status().message());
  if (compiled->name != record.name() || compiled->digest != record.digest()) {
    return damaged("its text and its descriptors are not those that were applied");
  }
  return compiled;
}

}  // namespace tutti::definition
