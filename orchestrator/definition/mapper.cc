#include "orchestrator/definition/mapper.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "google/protobuf/arena.h"
#include "orchestrator/definition/input_codec.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool Holds(const RejectionRule& rule, const Message& reply) {
  const Message* holder = &reply;
  for (const FieldDescriptor* field : rule.path) {
    if (field->has_presence() && !holder->GetReflection()->HasField(*holder, field)) return false;
    if (field != rule.path.back()) holder = &holder->GetReflection()->GetMessage(*holder, field);
  }
  return ReadScalar(*holder, *rule.path.back(), 0) == rule.value;
}

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
  const absl::StatusOr<Message*> message = scope.Build(*plan.request);
  if (!message.ok()) return message.status();
  saga::MappedRequest request{.bytes = SerializeDeterministically(**message)};
  size_t header_bytes = 0;
  for (const auto& [name, text] : plan.metadata) {
    absl::StatusOr<std::string> value = scope.Text(text);
    if (!value.ok()) {
      return absl::Status(value.status().code(), absl::StrCat("metadata.", name, ": ", value.status().message()));
    }
    header_bytes += name.size() + value->size();
    if (header_bytes > limits::kMetadataBytesMax || !IsHeaderText(*value)) {
      return absl::FailedPreconditionError(absl::StrCat("metadata.", name,
                                                        ": the value is not printable ASCII, or the headers exceed ",
                                                        limits::kMetadataBytesMax, " bytes"));
    }
    request.metadata.emplace(name, *std::move(value));
  }
  return request;
}

saga::ReplyVerdict PlanMapper::JudgeReply(int step, v1::Operation operation, absl::string_view reply) const {
  const CommandPlan& plan = PlanOf(step, operation);
  google::protobuf::Arena arena;
  Message* message = plan.reply->New(&arena);
  if (!message->ParseFromArray(reply.data(), static_cast<int>(reply.size()))) return saga::ReplyVerdict::kUndecodable;
  for (const RejectionRule& rule : plan.rejected_when) {
    if (Holds(rule, *message)) return saga::ReplyVerdict::kRejected;
  }
  return saga::ReplyVerdict::kAccepted;
}

saga::MappedOutput PlanMapper::MapOutput(const storage::v1::SagaRecord& saga) const {
  const bool complete = std::all_of(saga.steps().begin(), saga.steps().end(), [](const storage::v1::StepRecord& step) {
    return step.state() == v1::STEP_STATE_SUCCEEDED;
  });
  Scope scope(&plans_->sources, saga.input(), &saga, "");
  saga::MappedOutput mapped;
  google::protobuf::Struct output;
  for (const auto& [name, plan] : plans_->output) {
    absl::StatusOr<std::optional<google::protobuf::Value>> value = scope.Evaluate(plan);
    if (!value.ok()) {
      if (complete || !absl::IsFailedPrecondition(value.status())) {
        mapped.failures.push_back(std::string(value.status().message()));
      }
      continue;
    }
    if (value->has_value()) (*output.mutable_fields())[name] = **std::move(value);
  }
  mapped.bytes = SerializeDeterministically(output);
  return mapped;
}

}  // namespace tutti::definition
