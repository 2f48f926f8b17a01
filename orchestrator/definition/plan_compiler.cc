#include "orchestrator/definition/plan_compiler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/type_match.h"
#include "orchestrator/definition/value_copy.h"
#include "orchestrator/definition/well_known.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;

constexpr const char* kNoValue = "has no value; write one, or leave the key out";

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

Message* AddOrSetMessage(const FieldDescriptor& field, Message* holder) {
  const auto& r = *holder->GetReflection();
  return field.is_repeated() ? r.AddMessage(holder, &field) : r.MutableMessage(holder, &field);
}

// Whether a field of kind `target` takes what a reference to `last` in `root` (or to `root` itself, or to a text: both
// null) stands for in the form of JSON.
bool BecomesJson(WellKnown target, const Descriptor* root, const FieldDescriptor* last) {
  const bool is_list = last != nullptr && last->is_repeated() && !last->is_map();
  const Descriptor* type = last == nullptr ? root : IsMessage(*last) && !is_list ? last->message_type() : nullptr;
  const WellKnown kind = type == nullptr ? WellKnown::kNone : WellKnownOf(*type);
  switch (target) {
    case WellKnown::kValue:
      return true;
    case WellKnown::kStruct:
      return type != nullptr && (kind == WellKnown::kNone || kind == WellKnown::kStruct);
    case WellKnown::kListValue:
      return is_list || kind == WellKnown::kListValue;
    default:
      return false;
  }
}

bool TakesNull(const FieldDescriptor& field) {
  return IsMessage(field) && WellKnownOf(*field.message_type()) == WellKnown::kValue;
}

// Two participants can have types of one name that are not the same.
std::string AdviceFor(const Descriptor* root, const FieldDescriptor* last, const FieldDescriptor& field) {
  const Descriptor* from = last == nullptr ? root : last->message_type();
  const Descriptor* to = field.message_type();
  std::string misfit;
  if (from != nullptr && to != nullptr && from->full_name() == to->full_name()) misfit = Misfit(*from, *to);
  if (last != nullptr && last->enum_type() != nullptr && field.enum_type() != nullptr &&
      last->enum_type()->full_name() == field.enum_type()->full_name()) {
    misfit = Misfit(*last->enum_type(), *field.enum_type());
  }
  if (misfit.empty()) return "; map a field of that type";
  return absl::StrCat("; the two participants' types of that name differ: ", misfit,
                      "; map what is needed field by field");
}

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

// As YAML's JSON core reads it: quotes make strings, everything else is what it looks like.
absl::StatusOr<Value> ReadValue(absl::string_view text, bool quoted) {
  Value value;
  if (quoted || !IsTypedWord(text) || (text.empty() && quoted)) {
    value.set_string_value(std::string(text));
  } else if (text == "true" || text == "false") {
    value.set_bool_value(text == "true");
  } else if (IsNumber(text)) {
    constexpr double kExactMax = 9007199254740992.0;  // 2^53
    double number = 0;
    if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
      return absl::InvalidArgumentError("the number is out of range; write it in quotes");
    }
    if (std::abs(number) >= kExactMax && text.find_first_of(".eE") == absl::string_view::npos) {
      return absl::InvalidArgumentError("the integer would lose digits; write it in quotes");
    }
    value.set_number_value(number);
  } else {
    value.set_null_value(google::protobuf::NULL_VALUE);
  }
  return value;
}

}  // namespace

std::unique_ptr<MessagePlan> PlanCompiler::CompileMessage(const Node* node, const Descriptor* type,
                                                          const std::string& path, const Place& place) {
  auto plan = std::make_unique<MessagePlan>();
  plan->prototype = types_->Prototype(type);
  plan->constants.reset(plan->prototype->New());
  if (node != nullptr && !node->IsMap()) {
    violations_->Add(path, node->line,
                     absl::StrCat("expected a map of the fields of ", type->full_name(), ", found ", node->Describe()));
    return plan;
  }
  static const auto& none = *new std::vector<Entry>();
  std::map<const google::protobuf::OneofDescriptor*, std::string> chosen;
  for (const Entry& entry : node == nullptr ? none : node->entries) {
    const std::string field_path = ChildPath(path, entry.key);
    const FieldDescriptor* field = type->FindFieldByName(entry.key);
    if (field == nullptr) {
      violations_->Add(field_path, entry.line,
                       absl::StrCat(type->full_name(), " has no field `", entry.key, "`",
                                    violations_->suggester()->For(entry.key, FieldNames(*type)), "; remove it"));
      continue;
    }
    if (const auto* oneof = field->real_containing_oneof()) {
      const auto [it, inserted] = chosen.emplace(oneof, entry.key);
      if (!inserted) {
        violations_->Add(field_path, entry.line,
                         absl::StrCat("only one of the fields of `", oneof->name(), "` can be set, and `", it->second,
                                      "` is; keep one"));
      }
    }
    CompileField(entry.value, *field, field_path, place, plan.get());
  }
  for (int i = 0; i < type->field_count(); ++i) {
    if (!type->field(i)->is_required() || (node != nullptr && node->Find(type->field(i)->name()) != nullptr)) continue;
    violations_->Add(ChildPath(path, type->field(i)->name()), node == nullptr ? 0 : node->line,
                     absl::StrCat("is missing; ", type->full_name(), " requires it"));
  }
  return plan;
}

void PlanCompiler::CompileField(const Node& node, const FieldDescriptor& field, const std::string& path,
                                const Place& place, MessagePlan* plan) {
  if (node.IsNull() && !TakesNull(field)) {
    violations_->Add(path, node.line, kNoValue);
    return;
  }
  if (!field.is_repeated()) return CompileSingle(node, field, path, place, plan);
  if (node.IsScalar()) {
    const std::optional<Template> parsed = ReadTemplate(node, path);
    if (!parsed.has_value()) return;
    if (parsed->IsSoleReference()) {
      return CompileCopy(node, *parsed->pieces[0].reference, field, false, path, place, plan);
    }
  }
  if (field.is_map()) return CompileMap(node, field, path, place, plan);
  CompileList(node, field, path, place, plan);
}

void PlanCompiler::CompileList(const Node& node, const FieldDescriptor& field, const std::string& path,
                               const Place& place, MessagePlan* plan) {
  if (!node.IsList()) {
    violations_->Add(path, node.line,
                     absl::StrCat("expected a list for ", TypeName(field), ", found ", node.Describe()));
    return;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const std::string item_path = ItemPath(path, i);
    if (node.items[i].IsNull() && !TakesNull(field)) {
      violations_->Add(item_path, node.items[i].line, kNoValue);
    } else {
      CompileSingle(node.items[i], field, item_path, place, plan);
    }
  }
}

void PlanCompiler::CompileMap(const Node& node, const FieldDescriptor& field, const std::string& path,
                              const Place& place, MessagePlan* plan) {
  if (!node.IsMap()) {
    violations_->Add(path, node.line,
                     absl::StrCat("expected a map for ", TypeName(field), ", found ", node.Describe()));
    return;
  }
  const Descriptor* type = field.message_type();
  for (const Entry& entry : node.entries) {
    const std::string entry_path = ChildPath(path, entry.key);
    if (absl::StrContains(entry.key, "${")) {
      violations_->Add(entry_path, entry.line, "keys are literal; move the reference into a value");
      continue;
    }
    auto nested = std::make_unique<MessagePlan>();
    nested->prototype = types_->Prototype(type);
    nested->constants.reset(nested->prototype->New());
    SetLiteral(*type->map_key(), entry.key, entry_path, entry.line, nested->constants.get());
    CompileField(entry.value, *type->map_value(), entry_path, place, nested.get());
    plan->assignments.push_back({&field, entry_path, std::move(nested)});
  }
}

void PlanCompiler::CompileSingle(const Node& node, const FieldDescriptor& field, const std::string& path,
                                 const Place& place, MessagePlan* plan) {
  if (node.IsScalar()) return CompileScalarNode(node, field, path, place, plan);
  if (IsMessage(field) && IsJsonType(*field.message_type())) {
    const WellKnown kind = WellKnownOf(*field.message_type());
    if ((kind == WellKnown::kStruct && !node.IsMap()) || (kind == WellKnown::kListValue && !node.IsList())) {
      violations_->Add(path, node.line,
                       absl::StrCat("a ", field.message_type()->full_name(), " cannot be made of ", node.Describe()));
      return;
    }
    plan->assignments.push_back({&field, path, std::make_unique<ValuePlan>(CompileValue(node, path, place))});
    return;
  }
  if (!IsMessage(field) || !node.IsMap()) {
    violations_->Add(path, node.line,
                     absl::StrCat("expected one value for ", ElementTypeName(field), ", found ", node.Describe()));
    return;
  }
  plan->assignments.push_back({&field, path, CompileMessage(&node, field.message_type(), path, place)});
}

void PlanCompiler::CompileScalarNode(const Node& node, const FieldDescriptor& field, const std::string& path,
                                     const Place& place, MessagePlan* plan) {
  const std::optional<Template> parsed = ReadTemplate(node, path);
  if (!parsed.has_value()) return;
  if (parsed->IsSoleReference()) {
    CompileCopy(node, *parsed->pieces[0].reference, field, field.is_repeated(), path, place, plan);
    return;
  }
  if (IsMessage(field)) return CompileMessageLiteral(node, field, path, place, plan);
  if (parsed->IsLiteral()) return PlaceLiteral(node, field, parsed->Literal(), path, plan);
  if (field.type() != FieldDescriptor::TYPE_STRING) {
    violations_->Add(path, node.line,
                     absl::StrCat("text around a reference makes a string, but the field is ", ElementTypeName(field),
                                  "; write the reference alone"));
    return;
  }
  plan->assignments.push_back({&field, path, CompileTemplate(*parsed, node, path, place)});
}

void PlanCompiler::CompileMessageLiteral(const Node& node, const FieldDescriptor& field, const std::string& path,
                                         const Place& place, MessagePlan* plan) {
  const Descriptor* type = field.message_type();
  const WellKnown kind = WellKnownOf(*type);
  if (kind == WellKnown::kValue) {
    plan->assignments.push_back({&field, path, std::make_unique<ValuePlan>(CompileValue(node, path, place))});
    return;
  }
  auto nested = std::make_unique<MessagePlan>();
  nested->prototype = types_->Prototype(type);
  nested->constants.reset(nested->prototype->New());
  if (kind == WellKnown::kWrapper) {
    CompileScalarNode(node, *type->FindFieldByName("value"), path, place, nested.get());
  } else if (kind == WellKnown::kTimestamp || kind == WellKnown::kDuration) {
    Value value;
    value.set_string_value(node.text);
    const absl::StatusOr<int64_t> ms = ParseDurationMs(node.text);
    if (kind == WellKnown::kDuration && ms.ok()) {
      value.set_string_value(absl::StrCat(*ms / 1000, ".", absl::Dec(*ms % 1000, absl::kZeroPad3), "s"));
    }
    std::string json;
    const bool parsed = google::protobuf::util::MessageToJsonString(value, &json).ok() &&
                        google::protobuf::util::JsonStringToMessage(json, nested->constants.get()).ok();
    if (!parsed) {
      violations_->Add(path, node.line,
                       absl::StrCat(node.Describe(), " is not a ", type->full_name(),
                                    "; write 2030-01-31T12:00:00Z for times and 1.5s for durations"));
    }
  } else {
    violations_->Add(path, node.line,
                     absl::StrCat("expected a map of the fields of ", type->full_name(), ", found ", node.Describe()));
  }
  plan->assignments.push_back({&field, path, std::move(nested)});
}

bool PlanCompiler::SetLiteral(const FieldDescriptor& field, const std::string& text, const std::string& path, int line,
                              Message* message) {
  const absl::StatusOr<Scalar> scalar = ParseScalar(field, text, violations_->suggester());
  if (!scalar.ok()) {
    violations_->Add(path, line, std::string(scalar.status().message()));
    return false;
  }
  WriteScalar(*scalar, field, message);
  return true;
}

void PlanCompiler::PlaceLiteral(const Node& node, const FieldDescriptor& field, const std::string& text,
                                const std::string& path, MessagePlan* plan) {
  const bool after_reference =
      field.is_repeated() && !plan->assignments.empty() && plan->assignments.back().field == &field;
  if (!after_reference) {
    SetLiteral(field, text, path, node.line, plan->constants.get());
    return;
  }
  std::unique_ptr<Message> literal(plan->prototype->New());
  SetLiteral(field, text, path, node.line, literal.get());
  plan->assignments.push_back({&field, path, std::move(literal)});
}

void PlanCompiler::CompileCopy(const Node& node, const ReferenceText& text, const FieldDescriptor& field, bool element,
                               const std::string& path, const Place& place, MessagePlan* plan) {
  std::optional<Reference> reference = Resolve(text, path, node.line, place);
  if (!reference.has_value()) return;
  const bool list = field.is_repeated() && !element;
  const Descriptor* root = reference->IsText() ? nullptr : RootType(*reference);
  const FieldDescriptor* last = reference->path.empty() ? nullptr : reference->path.back();
  const WellKnown kind = IsMessage(field) && !list ? WellKnownOf(*field.message_type()) : WellKnown::kNone;
  if (BecomesJson(kind, root, last)) return CompileJsonCopy(node, text, field, path, place, plan);
  if (kind == WellKnown::kWrapper && (reference->IsText() || (last != nullptr && !IsMessage(*last)))) {
    return CompileWrappedCopy(node, text, field, path, place, plan);
  }
  const bool same_root =
      last == nullptr && root != nullptr && IsMessage(field) && !list && Misfit(*root, *field.message_type()).empty();
  const bool fits = reference->IsText() ? field.type() == FieldDescriptor::TYPE_STRING && !list
                    : last == nullptr   ? same_root
                                        : CanCopy(*last, field, element);
  if (!fits) {
    violations_->Add(path, node.line,
                     absl::StrCat(Describe(*reference, root), ", but the field is ",
                                  element ? ElementTypeName(field) : TypeName(field), AdviceFor(root, last, field)));
    return;
  }
  if (reference->IsText()) {
    TextPlan plain;
    plain.pieces.push_back({"", *std::move(reference), std::nullopt});
    plan->assignments.push_back({&field, path, std::move(plain)});
    return;
  }
  CopyPlan copy{.reference = *std::move(reference), .fallback = CompileFallback(node, text, field, element, path)};
  plan->assignments.push_back({&field, path, std::move(copy)});
}

void PlanCompiler::CompileJsonCopy(const Node& node, const ReferenceText& text, const FieldDescriptor& field,
                                   const std::string& path, const Place& place, MessagePlan* plan) {
  const WellKnown kind = WellKnownOf(*field.message_type());
  const char* const empty = kind == WellKnown::kListValue ? "[]" : "{}";
  if (kind != WellKnown::kValue && text.fallback.has_value() && (text.fallback != empty || text.fallback_quoted)) {
    violations_->AddUnlessKept(path, node.line,
                               absl::StrCat("the default of ", ElementTypeName(field), " can only be ", empty));
  }
  plan->assignments.push_back({&field, path, std::make_unique<ValuePlan>(CompileValue(node, path, place))});
}

// Into the only field of the wrapper, which is set only when there is a value.
void PlanCompiler::CompileWrappedCopy(const Node& node, const ReferenceText& text, const FieldDescriptor& field,
                                      const std::string& path, const Place& place, MessagePlan* plan) {
  MessagePlan nested;
  nested.prototype = types_->Prototype(field.message_type());
  const FieldDescriptor& wrapped = *field.message_type()->FindFieldByName("value");
  CompileCopy(node, text, wrapped, false, path, place, &nested);
  if (nested.assignments.empty()) return;
  auto* copy = std::get_if<CopyPlan>(&nested.assignments.front().source);
  if (copy == nullptr) {
    plan->assignments.push_back({&field, path, std::make_unique<MessagePlan>(std::move(nested))});
    return;
  }
  copy->wrapped = &wrapped;
  if (copy->fallback != nullptr) {
    std::unique_ptr<Message> holder(types_->Prototype(field.containing_type())->New());
    AddOrSetMessage(field, holder.get())->CopyFrom(*copy->fallback);
    copy->fallback = std::move(holder);
  }
  plan->assignments.push_back({&field, path, std::move(*copy)});
}

std::unique_ptr<Message> PlanCompiler::CompileFallback(const Node& node, const ReferenceText& reference,
                                                       const FieldDescriptor& field, bool element,
                                                       const std::string& path) {
  if (!reference.fallback.has_value()) return nullptr;
  std::unique_ptr<Message> fallback(types_->Prototype(field.containing_type())->New());
  const std::string& text = *reference.fallback;
  const bool whole = field.is_repeated() && !element;
  if (IsMessage(field) || whole) {
    const bool list = whole && !field.is_map();
    if (text != (list ? "[]" : "{}")) {
      // For one element `[]` was once what could be written, and nothing was added then.
      const bool was_right = element && field.is_repeated() && text == "[]";
      std::string refusal = absl::StrCat("the default of ", element ? ElementTypeName(field) : TypeName(field),
                                         " can only be ", list ? "[]" : "{}");
      was_right ? violations_->AddUnlessKept(path, node.line, std::move(refusal))
                : violations_->Add(path, node.line, std::move(refusal));
      return fallback;
    }
    if (!whole) AddOrSetMessage(field, fallback.get());
    return fallback;
  }
  SetLiteral(field, text, path, node.line, fallback.get());
  return fallback;
}

ValuePlan PlanCompiler::CompileValue(const Node& node, const std::string& path, const Place& place) {
  ValuePlan plan{.path = path, .source = Value()};
  const auto literal = [&](absl::string_view text, bool quoted) {
    absl::StatusOr<Value> value = ReadValue(text, quoted);
    if (!value.ok()) violations_->Add(path, node.line, absl::StrCat("`", text, "`: ", value.status().message()));
    return value.ok() ? *std::move(value) : Value();
  };
  const auto fallback = [&](const std::string& text, bool quoted) {
    Value value;
    if (!quoted && text == "{}") {
      value.mutable_struct_value();
    } else if (!quoted && text == "[]") {
      value.mutable_list_value();
    } else {
      value = literal(text, quoted);
    }
    return value;
  };
  if (node.IsMap()) {
    ValuePlan::Map map;
    for (const Entry& entry : node.entries) {
      map.push_back({entry.key, CompileValue(entry.value, ChildPath(path, entry.key), place)});
    }
    plan.source = std::move(map);
  } else if (node.IsList()) {
    ValuePlan::List list;
    for (size_t i = 0; i < node.items.size(); ++i) {
      list.push_back(CompileValue(node.items[i], ItemPath(path, i), place));
    }
    plan.source = std::move(list);
  } else if (node.IsNull()) {
    plan.source = literal("null", false);
  } else if (const std::optional<Template> parsed = ReadTemplate(node, path); parsed.has_value()) {
    if (parsed->IsLiteral()) {
      plan.source = literal(parsed->Literal(), node.quoted);
    } else if (!parsed->IsSoleReference()) {
      plan.source = CompileTemplate(*parsed, node, path, place);
    } else if (std::optional<Reference> reference = Resolve(*parsed->pieces[0].reference, path, node.line, place)) {
      const ReferenceText& text = *parsed->pieces[0].reference;
      if (reference->IsText()) {
        plan.source = CompileTemplate(*parsed, node, path, place);
      } else {
        ValuePlan::CopiedValue copied{.reference = *std::move(reference), .fallback = std::nullopt};
        if (text.fallback.has_value()) copied.fallback = fallback(*text.fallback, text.fallback_quoted);
        plan.source = std::move(copied);
      }
    }
  }
  return plan;
}

}  // namespace tutti::definition
