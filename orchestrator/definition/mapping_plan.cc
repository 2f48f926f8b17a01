#include "orchestrator/definition/mapping_plan.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "orchestrator/definition/decode.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/well_known.h"
#include "orchestrator/saga/command_key.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;

// The same error, with the field it concerns in front. A key of the output may be as long as a definition.
absl::Status At(absl::string_view path, const absl::Status& status) {
  constexpr size_t kPathBytesMax = 200;
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(TruncateUtf8(path, kPathBytesMax), ": ", status.message()));
}

// Of a list or a map: it has to be something.
bool IsElement(const FieldDescriptor& field) {
  return field.is_repeated() || field.containing_type()->options().map_entry();
}

CopyTarget Child(const FieldDescriptor& field, const CopyTarget& target) {
  const auto& r = *target.message->GetReflection();
  return {
      .message = field.is_repeated() ? r.AddMessage(target.message, &field) : r.MutableMessage(target.message, &field),
      .level = target.level + 1,
      .allowance = target.allowance};
}

// Of a field that could stay unset, and has nothing to be set to.
absl::Status LeaveUnset(const FieldDescriptor& field) {
  if (!field.is_required()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("what it is mapped from is unset, and ", field.containing_type()->full_name(), " requires it"));
}

}  // namespace

size_t ConstantBytes(const TextPlan& plan) {
  size_t bytes = 0;
  for (const TextPiece& piece : plan.pieces) bytes += piece.literal.size();
  return bytes;
}

size_t ConstantBytes(const ValuePlan& plan) {
  size_t bytes = 0;
  if (const auto* value = std::get_if<Value>(&plan.source)) {
    bytes = value->ByteSizeLong();
  } else if (const auto* text = std::get_if<TextPlan>(&plan.source)) {
    bytes = ConstantBytes(*text);
  } else if (const auto* map = std::get_if<ValuePlan::Map>(&plan.source)) {
    for (const ValuePlan::Member& member : *map) bytes += member.key.size() + ConstantBytes(member.value);
  } else if (const auto* list = std::get_if<ValuePlan::List>(&plan.source)) {
    for (const ValuePlan& element : *list) bytes += ConstantBytes(element);
  }
  return bytes;
}

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
    const absl::Status status =
        Decode(is_input ? input_bytes_ : absl::string_view(saga_->steps(reference.step).reply()), parsed);
    if (absl::IsInvalidArgument(status)) {
      return absl::DataLossError(
          absl::StrCat(reference.text, ": the stored message is damaged, it ", status.message()));
    }
    if (!status.ok()) return At(reference.text, status);
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

absl::Status Scope::AppendPiece(const TextPiece& piece, const Allowance& allowance, std::string* text) {
  text->append(piece.literal);
  if (!piece.reference.has_value()) return allowance.Check(text->size());
  std::string part;
  if (piece.reference->IsText()) {
    absl::StatusOr<std::string> found = TextOf(*piece.reference);
    if (!found.ok()) return found.status();
    part = *std::move(found);
  } else {
    const absl::StatusOr<Found> found = Find(*piece.reference);
    if (!found.ok()) return found.status();
    if (!found->present && piece.fallback.has_value()) {
      part = *piece.fallback;
    } else if (found->holder == nullptr) {
      return NoValue(*piece.reference);
    } else {
      part = RenderScalar(*found->field, ReadScalar(*found->holder, *found->field, 0));
    }
  }
  if (!IsUtf8(part)) return absl::InvalidArgumentError(absl::StrCat(piece.reference->text, " is not UTF-8"));
  text->append(part);
  return allowance.Check(text->size());
}

absl::StatusOr<std::string> Scope::Text(const TextPlan& plan, const Allowance& allowance) {
  std::string text;
  for (const TextPiece& piece : plan.pieces) {
    if (absl::Status status = AppendPiece(piece, allowance, &text); !status.ok()) return status;
  }
  return text;
}

absl::StatusOr<Message*> Scope::Build(const MessagePlan& plan, Allowance* allowance) {
  Message* message = plan.prototype->New(&arena_);
  const absl::Status status = Fill(plan, {.message = message, .level = 0, .allowance = allowance});
  if (!status.ok()) return status;
  return message;
}

// Literals take nothing from the allowance: the definition bounds them.
absl::Status Scope::Fill(const MessagePlan& plan, const CopyTarget& target) {
  if (plan.constants != nullptr) target.message->MergeFrom(*plan.constants);
  for (const Assignment& assignment : plan.assignments) {
    absl::Status status = Assign(assignment, target);
    if (status.ok()) status = At(assignment.path, CheckSpace(arena_));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Scope::Assign(const Assignment& assignment, const CopyTarget& target) {
  const FieldDescriptor& field = *assignment.field;
  if (const auto* copy = std::get_if<CopyPlan>(&assignment.source)) {
    return At(assignment.path, AssignCopy(*copy, field, target));
  }
  if (const auto* text = std::get_if<TextPlan>(&assignment.source)) {
    return At(assignment.path, AssignText(*text, field, target));
  }
  if (const auto* nested = std::get_if<std::unique_ptr<MessagePlan>>(&assignment.source)) {
    return Fill(**nested, Child(field, target));  // errors inside name their own paths
  }
  if (const auto* value = std::get_if<std::unique_ptr<ValuePlan>>(&assignment.source)) {
    return AssignValue(**value, field, target);  // these too
  }
  target.message->MergeFrom(*std::get<std::unique_ptr<Message>>(assignment.source));
  return absl::OkStatus();
}

absl::Status Scope::AssignText(const TextPlan& plan, const FieldDescriptor& field, const CopyTarget& target) {
  absl::StatusOr<std::string> text = Text(plan, *target.allowance);
  if (!text.ok()) return text.status();
  if (absl::Status status = target.allowance->Take(text->size()); !status.ok()) return status;
  WriteScalar(Scalar(*std::move(text)), field, target.message);
  return absl::OkStatus();
}

absl::Status Scope::AssignCopy(const CopyPlan& plan, const FieldDescriptor& field, const CopyTarget& target) {
  const absl::StatusOr<Found> found = Find(plan.reference);
  if (!found.ok()) return found.status();
  if (!found->present) {
    if (plan.fallback != nullptr) {
      target.message->MergeFrom(*plan.fallback);
      return absl::OkStatus();
    }
    if (found->holder == nullptr) return NoValue(plan.reference);
    if (field.has_presence() && !IsElement(field)) return At(plan.reference.text, LeaveUnset(field));
  }
  absl::Status status;
  if (found->field == nullptr) {
    status = CopyMessage(*found->holder, Child(field, target));
  } else if (plan.wrapped != nullptr) {
    status = CopyField(*found->holder, *found->field, *plan.wrapped, Child(field, target));
  } else {
    status = CopyField(*found->holder, *found->field, field, target);
  }
  return At(plan.reference.text, status);
}

absl::Status Scope::AssignValue(const ValuePlan& plan, const FieldDescriptor& field, const CopyTarget& target) {
  const WellKnown kind = WellKnownOf(*field.message_type());
  // A Struct stands where the content of a Value would.
  const int level = kind == WellKnown::kValue ? target.level + 1 : target.level;
  ValueWriter writer(target.allowance, limits::kMessageLevelsMax, ValueWriter::Reader::kParser);
  std::string value;
  const absl::StatusOr<bool> has_value = Evaluate(plan, &writer, level, &value);
  if (!has_value.ok()) return has_value.status();
  if (!*has_value && !IsElement(field)) return At(plan.path, LeaveUnset(field));
  absl::string_view content = value;
  bool fits = true;
  if (!*has_value && kind == WellKnown::kValue) {
    if (absl::Status status = writer.WriteNull(level, &value); !status.ok()) return At(plan.path, status);
    content = value;
  } else if (*has_value && kind == WellKnown::kStruct) {
    fits = MembersOf(value, &content);
  } else if (*has_value && kind == WellKnown::kListValue) {
    fits = ElementsOf(value, &content);
  }
  // The target's type comes from the participant's descriptors, so the way there is through bytes.
  if (fits) return At(plan.path, Decode(content, Child(field, target).message));
  return absl::InvalidArgumentError(
      absl::StrCat(plan.path, ": the value does not fit into ", field.message_type()->full_name()));
}

absl::StatusOr<bool> Scope::EvaluateCopy(const ValuePlan::CopiedValue& copied, ValueWriter* writer, int level,
                                         std::string* out) {
  const absl::StatusOr<Found> found = Find(copied.reference);
  if (!found.ok()) return found.status();
  absl::Status status;
  if (!found->present) {
    if (found->holder == nullptr && !copied.fallback.has_value()) return NoValue(copied.reference);
    if (!copied.fallback.has_value()) return false;
    status = writer->WriteMessage(*copied.fallback, level, out);
  } else if (found->field == nullptr) {
    status = writer->WriteMessage(*found->holder, level, out);
  } else {
    status = writer->WriteField(*found->holder, *found->field, level, out);
  }
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<bool> Scope::EvaluateMap(const ValuePlan::Map& map, ValueWriter* writer, int level, std::string* out) {
  std::string members;
  for (const auto& [key, child] : map) {
    std::string value;
    const absl::StatusOr<bool> has_value = Evaluate(child, writer, level + 3, &value);
    if (!has_value.ok()) return has_value.status();
    if (!*has_value) continue;
    if (absl::Status status = writer->AddMember(key, value, &members); !status.ok()) return At(child.path, status);
  }
  if (absl::Status status = writer->WriteObject(members, level, out); !status.ok()) return status;
  return true;
}

absl::StatusOr<bool> Scope::EvaluateList(const ValuePlan::List& list, ValueWriter* writer, int level,
                                         std::string* out) {
  std::string elements;
  for (const ValuePlan& child : list) {
    std::string value;
    const absl::StatusOr<bool> has_value = Evaluate(child, writer, level + writer->list_levels(), &value);
    if (!has_value.ok()) return has_value.status();
    absl::Status status = *has_value ? absl::OkStatus() : writer->WriteNull(level + writer->list_levels(), &value);
    if (status.ok()) status = writer->AddElement(value, &elements);
    if (!status.ok()) return At(child.path, status);
  }
  if (absl::Status status = writer->WriteList(elements, level, out); !status.ok()) return status;
  return true;
}

absl::StatusOr<bool> Scope::Evaluate(const ValuePlan& plan, ValueWriter* writer, int level, std::string* out) {
  if (const auto* map = std::get_if<ValuePlan::Map>(&plan.source)) return EvaluateMap(*map, writer, level, out);
  if (const auto* list = std::get_if<ValuePlan::List>(&plan.source)) return EvaluateList(*list, writer, level, out);
  if (const auto* copied = std::get_if<ValuePlan::CopiedValue>(&plan.source)) {
    const absl::StatusOr<bool> has_value = EvaluateCopy(*copied, writer, level, out);
    if (!has_value.ok()) return At(plan.path, has_value.status());
    return has_value;
  }
  absl::Status status;
  if (const auto* text = std::get_if<TextPlan>(&plan.source)) {
    const absl::StatusOr<std::string> made = Text(*text, writer->allowance());
    status = made.ok() ? writer->WriteText(*made, level, out) : made.status();
  } else {
    status = writer->WriteMessage(std::get<Value>(plan.source), level, out);
  }
  if (!status.ok()) return At(plan.path, status);
  return true;
}

}  // namespace tutti::definition
