#include "orchestrator/definition/mapping_plan.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/value_copy.h"
#include "orchestrator/saga/command_key.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;

// The same error, with the field it concerns in front.
absl::Status At(absl::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace

bool Scope::HasReply(int step) const {
  return saga_ != nullptr && step < saga_->steps_size() && saga_->steps(step).has_reply();
}

absl::Status Scope::NoValue(const Reference& reference) const {
  return absl::FailedPreconditionError(
      absl::StrCat(reference.text, " has no value: step `", types_->step_names[reference.step], "` has no reply"));
}

absl::StatusOr<const Message*> Scope::Root(const Reference& reference) {
  const bool is_input = reference.root == Reference::Root::kInput;
  if (!is_input && !HasReply(reference.step)) return nullptr;
  Message*& message = is_input ? input_ : replies_[reference.step];
  if (message == nullptr) {
    Message* parsed = (is_input ? types_->input : types_->replies[reference.step])->New(&arena_);
    const absl::string_view bytes = is_input ? input_bytes_ : absl::string_view(saga_->steps(reference.step).reply());
    if (!parsed->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::DataLossError(absl::StrCat(reference.text, " cannot be read: the stored message is damaged"));
    }
    message = parsed;
  }
  return message;
}

absl::StatusOr<Scope::Found> Scope::Find(const Reference& reference) {
  TUTTI_CHECK(!reference.IsText(), "texts are found by TextOf");
  const absl::StatusOr<const Message*> root = Root(reference);
  if (!root.ok()) return root.status();
  if (*root == nullptr) return Found{};
  Found found{.holder = *root, .field = nullptr, .present = true};
  for (const FieldDescriptor* field : reference.path) {
    if (found.field != nullptr) found.holder = &found.holder->GetReflection()->GetMessage(*found.holder, found.field);
    found.field = field;
    if (field->has_presence() && !found.holder->GetReflection()->HasField(*found.holder, field)) found.present = false;
  }
  return found;
}

absl::StatusOr<std::string> Scope::TextOf(const Reference& reference) const {
  switch (reference.root) {
    case Reference::Root::kSagaId:
      return saga_->saga_id();
    case Reference::Root::kCommandKey:
      return std::string(key_);
    case Reference::Root::kStepKey:
      return saga::CommandKey(saga_->uid(), types_->step_names[reference.step], v1::OPERATION_ACTION);
    default:
      TUTTI_CHECK(false, "messages are found by Find");
      return "";
  }
}

absl::StatusOr<std::string> Scope::Text(const TextPlan& plan) {
  std::string text;
  for (const TextPiece& piece : plan.pieces) {
    text.append(piece.literal);
    if (!piece.reference.has_value()) continue;
    if (piece.reference->IsText()) {
      absl::StatusOr<std::string> part = TextOf(*piece.reference);
      if (!part.ok()) return part.status();
      text.append(*part);
      continue;
    }
    const absl::StatusOr<Found> found = Find(*piece.reference);
    if (!found.ok()) return found.status();
    if (!found->present && piece.fallback.has_value()) {
      text.append(*piece.fallback);
    } else if (found->holder == nullptr) {
      return NoValue(*piece.reference);
    } else {
      text.append(RenderScalar(*found->field, ReadScalar(*found->holder, *found->field, 0)));
    }
  }
  return text;
}

absl::StatusOr<Message*> Scope::Build(const MessagePlan& plan) {
  Message* message = plan.prototype->New(&arena_);
  if (absl::Status status = Fill(plan, message); !status.ok()) return status;
  return message;
}

absl::Status Scope::Fill(const MessagePlan& plan, Message* message) {
  if (plan.constants != nullptr) message->MergeFrom(*plan.constants);
  for (const Assignment& assignment : plan.assignments) {
    if (absl::Status status = Assign(assignment, message); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Scope::Assign(const Assignment& assignment, Message* message) {
  const FieldDescriptor& field = *assignment.field;
  const auto child = [&] {
    const auto* r = message->GetReflection();
    return field.is_repeated() ? r->AddMessage(message, &field) : r->MutableMessage(message, &field);
  };
  if (const auto* copy = std::get_if<CopyPlan>(&assignment.source)) {
    const absl::Status status = AssignCopy(*copy, field, message);
    return status.ok() ? status : At(assignment.path, status);
  }
  if (const auto* text = std::get_if<TextPlan>(&assignment.source)) {
    absl::StatusOr<std::string> value = Text(*text);
    if (!value.ok()) return At(assignment.path, value.status());
    WriteScalar(Scalar(*std::move(value)), field, message);
    return absl::OkStatus();
  }
  if (const auto* nested = std::get_if<std::unique_ptr<MessagePlan>>(&assignment.source)) {
    return Fill(**nested, child());  // errors inside name their own paths
  }
  if (const auto* value = std::get_if<std::unique_ptr<ValuePlan>>(&assignment.source)) {
    return AssignValue(**value, child());
  }
  message->MergeFrom(*std::get<std::unique_ptr<Message>>(assignment.source));
  return absl::OkStatus();
}

absl::Status Scope::AssignCopy(const CopyPlan& plan, const FieldDescriptor& field, Message* message) {
  const absl::StatusOr<Found> found = Find(plan.reference);
  if (!found.ok()) return found.status();
  if (!found->present) {
    if (plan.fallback != nullptr) {
      message->MergeFrom(*plan.fallback);
      return absl::OkStatus();
    }
    if (found->holder == nullptr) return NoValue(plan.reference);
    if (!field.is_repeated()) return absl::OkStatus();  // an unset field stays unset; an element has to be something
  }
  if (found->field != nullptr) {
    CopyField(*found->holder, *found->field, field, message);
    return absl::OkStatus();
  }
  const auto* r = message->GetReflection();
  (field.is_repeated() ? r->AddMessage(message, &field) : r->MutableMessage(message, &field))->CopyFrom(*found->holder);
  return absl::OkStatus();
}

absl::Status Scope::AssignValue(const ValuePlan& plan, Message* message) {
  const absl::StatusOr<std::optional<Value>> evaluated = Evaluate(plan);
  if (!evaluated.ok()) return evaluated.status();
  if (!evaluated->has_value()) return absl::OkStatus();
  const Value& value = **evaluated;
  const std::string& type = message->GetDescriptor()->full_name();
  // The target's type comes from the participant's descriptors, so the way there is through bytes.
  bool done = false;
  if (type == "google.protobuf.Value") done = message->ParseFromString(value.SerializeAsString());
  if (type == "google.protobuf.Struct" && value.has_struct_value()) {
    done = message->ParseFromString(value.struct_value().SerializeAsString());
  }
  if (type == "google.protobuf.ListValue" && value.has_list_value()) {
    done = message->ParseFromString(value.list_value().SerializeAsString());
  }
  if (done) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(plan.path, ": the value does not fit into ", type));
}

absl::StatusOr<std::optional<Value>> Scope::EvaluateCopy(const ValuePlan::CopiedValue& copied) {
  const absl::StatusOr<Found> found = Find(copied.reference);
  if (!found.ok()) return found.status();
  if (!found->present) {
    if (copied.fallback.has_value()) return copied.fallback;
    if (found->holder == nullptr) return NoValue(copied.reference);
    return std::nullopt;
  }
  absl::StatusOr<Value> value =
      found->field == nullptr ? ToValue(*found->holder) : ToValue(*found->holder, *found->field);
  if (!value.ok()) return value.status();
  return std::optional<Value>(*std::move(value));
}

absl::StatusOr<std::optional<Value>> Scope::Evaluate(const ValuePlan& plan) {
  if (const auto* literal = std::get_if<Value>(&plan.source)) return std::optional<Value>(*literal);
  if (const auto* copied = std::get_if<ValuePlan::CopiedValue>(&plan.source)) {
    absl::StatusOr<std::optional<Value>> value = EvaluateCopy(*copied);
    if (!value.ok()) return At(plan.path, value.status());
    return value;
  }
  Value result;
  if (const auto* text = std::get_if<TextPlan>(&plan.source)) {
    absl::StatusOr<std::string> value = Text(*text);
    if (!value.ok()) return At(plan.path, value.status());
    result.set_string_value(*std::move(value));
  } else if (const auto* map = std::get_if<ValuePlan::Map>(&plan.source)) {
    auto& fields = *result.mutable_struct_value()->mutable_fields();
    for (const auto& [key, child] : *map) {
      absl::StatusOr<std::optional<Value>> value = Evaluate(child);
      if (!value.ok()) return value.status();
      if (value->has_value()) fields[key] = **std::move(value);
    }
  } else {
    auto* list = result.mutable_list_value();
    for (const ValuePlan& child : std::get<ValuePlan::List>(plan.source)) {
      absl::StatusOr<std::optional<Value>> value = Evaluate(child);
      if (!value.ok()) return value.status();
      Value* element = list->add_values();
      element->set_null_value(google::protobuf::NULL_VALUE);
      if (value->has_value()) *element = **std::move(value);
    }
  }
  return std::optional<Value>(std::move(result));
}

}  // namespace tutti::definition
