#include "orchestrator/definition/mapper.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "google/protobuf/arena.h"
#include "orchestrator/definition/decode.h"
#include "orchestrator/definition/input_codec.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool Holds(const RejectionRule& rule, const Message& reply) {
  const Message* holder = &reply;
  for (const FieldDescriptor* field : rule.path) {
    const bool last = field == rule.path.back();
    const bool unset = field->has_presence() && !holder->GetReflection()->HasField(*holder, field);
    if (unset && !(last && field->has_default_value())) return false;
    if (!last) holder = &holder->GetReflection()->GetMessage(*holder, field);
  }
  return ReadScalar(*holder, *rule.path.back(), 0) == rule.value;
}

// As history takes it.
std::string Bounded(absl::string_view text) {
  return TruncateUtf8(text, limits::kStatusMessageBytesMax);
}

absl::Status Bounded(const absl::Status& status) {
  return absl::Status(status.code(), Bounded(status.message()));
}

absl::StatusOr<std::map<std::string, std::string>> MapMetadata(const CommandPlan& plan, Scope* scope) {
  std::map<std::string, std::string> metadata;
  Allowance allowance(limits::kMetadataBytesMax, "the headers");
  for (const auto& [name, text] : plan.metadata) {
    absl::Status status = allowance.Take(name.size());
    absl::StatusOr<std::string> value = status.ok() ? scope->Text(text, allowance) : status;
    status = value.ok() ? allowance.Take(value->size()) : value.status();
    if (status.ok() && !IsHeaderText(*value)) status = absl::InvalidArgumentError("the value is not printable ASCII");
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat("metadata.", name, ": ", status.message()));
    metadata.emplace(name, *std::move(value));
  }
  return metadata;
}

// One entry after the other, each within what is left of one allowance. One that fails leaves no trace but its reason.
class OutputMapping {
 public:
  OutputMapping(Scope* scope, bool complete) : scope_(scope), complete_(complete) {}

  void Add(const std::string& name, const ValuePlan& plan) {
    const size_t before = allowance_.used();
    const absl::Status status = Evaluate(name, plan);
    if (status.ok()) return;
    wasted_ += allowance_.used() - before;
    allowance_.Rewind(before);
    if (!complete_ && absl::IsFailedPrecondition(status)) return;  // its time may come
    if (failures_.size() + 1 < limits::kOutputFailuresMax) {
      failures_.push_back(Bounded(status.message()));
    } else {
      ++untold_;
    }
  }

  saga::MappedOutput Result() && {
    if (untold_ > 0) failures_.push_back(absl::StrCat("output: ", untold_, " more entries are left out"));
    return {.bytes = std::move(members_), .failures = std::move(failures_)};
  }

 private:
  absl::Status Evaluate(const std::string& name, const ValuePlan& plan) {
    // Many entries that nearly fit would take this thread's time for nothing.
    constexpr size_t kWastedMax = 4 * limits::kOutputBytesMax;
    if (wasted_ > kWastedMax) return absl::ResourceExhaustedError(absl::StrCat(plan.path, ": the output is too large"));
    constexpr int kLevel = 3;  // the Struct, the entry of its map, the value
    std::string value;
    const absl::StatusOr<bool> has_value = scope_->Evaluate(plan, &writer_, kLevel, &value);
    if (!has_value.ok()) return has_value.status();
    if (!*has_value) return absl::OkStatus();
    const absl::Status status = writer_.AddMember(name, value, &members_);
    return absl::Status(status.code(), absl::StrCat(plan.path, ": ", status.message()));
  }

  Scope* const scope_;
  const bool complete_;
  Allowance allowance_{limits::kOutputBytesMax, "the output"};
  ValueWriter writer_{&allowance_, limits::kJsonLevelsMax, ValueWriter::Reader::kPrinter};
  std::string members_;
  std::vector<std::string> failures_;
  size_t wasted_ = 0;
  size_t untold_ = 0;
};

}  // namespace

bool IsHeaderText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); });
}

const CommandPlan& PlanMapper::PlanOf(int step, v1::Operation operation) const {
  TUTTI_CHECK(step >= 0 && step < static_cast<int>(plans_->steps.size()), "the recipe has that step");
  const StepPlan& plan = plans_->steps[step];
  if (operation == v1::OPERATION_ACTION) return plan.action;
  TUTTI_CHECK(operation == v1::OPERATION_COMPENSATION && plan.compensation != nullptr, "the step has that command");
  return *plan.compensation;
}

absl::StatusOr<saga::MappedRequest> PlanMapper::MapRequest(int step, v1::Operation operation, absl::string_view key,
                                                           const storage::v1::SagaRecord& saga) const {
  const CommandPlan& plan = PlanOf(step, operation);
  Scope scope(&plans_->sources, saga.input(), &saga, key);
  Allowance allowance(limits::kRequestBytesMax, "the request");
  const absl::StatusOr<Message*> message = scope.Build(*plan.request, &allowance);
  if (!message.ok()) return Bounded(message.status());
  // On the way to here only the least that everything takes was counted.
  const size_t size = (*message)->ByteSizeLong();
  if (size > limits::kRequestBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("request: has ", size, " bytes, at most ",
                                                     limits::kRequestBytesMax,
                                                     " are sent; pass large values by reference"));
  }
  if (!(*message)->IsInitialized()) {
    return Bounded(absl::InvalidArgumentError(
        absl::StrCat("request: lacks what its type requires: ", (*message)->InitializationErrorString())));
  }
  absl::StatusOr<std::map<std::string, std::string>> metadata = MapMetadata(plan, &scope);
  if (!metadata.ok()) return Bounded(metadata.status());
  return saga::MappedRequest{.bytes = SerializeDeterministically(**message), .metadata = *std::move(metadata)};
}

saga::JudgedReply PlanMapper::JudgeReply(int step, v1::Operation operation, absl::string_view reply) const {
  const CommandPlan& plan = PlanOf(step, operation);
  google::protobuf::Arena arena;
  Message* message = plan.reply->New(&arena);
  const auto undecodable = [&](absl::string_view why) {
    return saga::JudgedReply{
        saga::ReplyVerdict::kUndecodable,
        Bounded(absl::StrCat("the reply cannot be decoded as ", message->GetDescriptor()->full_name(), why))};
  };
  const absl::Status status = Decode(reply, message);
  if (absl::IsInvalidArgument(status)) return undecodable("");
  if (!status.ok()) return undecodable(absl::StrCat(": ", status.message()));
  if (!message->IsInitialized()) {
    return undecodable(absl::StrCat(": it lacks the required ", message->InitializationErrorString()));
  }
  for (const RejectionRule& rule : plan.rejected_when) {
    if (!Holds(rule, *message)) continue;
    return {saga::ReplyVerdict::kRejected, Bounded(absl::StrCat("the reply says ", rule.text))};
  }
  return {};
}

saga::MappedOutput PlanMapper::MapOutput(const storage::v1::SagaRecord& saga) const {
  const bool complete = std::all_of(saga.steps().begin(), saga.steps().end(), [](const storage::v1::StepRecord& step) {
    return step.state() == v1::STEP_STATE_SUCCEEDED;
  });
  Scope scope(&plans_->sources, saga.input(), &saga, "");
  OutputMapping output(&scope, complete);
  for (const auto& [name, plan] : plans_->output) output.Add(name, plan);
  return std::move(output).Result();
}

}  // namespace tutti::definition
