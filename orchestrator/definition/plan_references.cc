// The part of the plan compiler that looks up references.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "orchestrator/definition/plan_compiler.h"
#include "orchestrator/definition/scalar.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr const char* kRoots =
    "references start with input, saga.id, command.key, steps.<name>.key or steps.<name>.reply";

}  // namespace

std::optional<Template> PlanCompiler::ReadTemplate(const Node& node, const std::string& path) {
  absl::StatusOr<Template> parsed = ParseTemplate(node.text);
  if (parsed.ok()) return *std::move(parsed);
  violations_->Add(path, node.line, std::string(parsed.status().message()));
  return std::nullopt;
}

TextPlan PlanCompiler::CompileText(const Node& node, const std::string& path, const Place& place) {
  if (!node.IsScalar()) {
    violations_->Add(path, node.line, absl::StrCat("expected text, found ", node.Describe()));
    return {};
  }
  const std::optional<Template> parsed = ReadTemplate(node, path);
  return parsed.has_value() ? CompileTemplate(*parsed, node, path, place) : TextPlan();
}

TextPlan PlanCompiler::CompileTemplate(const Template& parsed, const Node& node, const std::string& path,
                                       const Place& place) {
  TextPlan plan;
  for (const TemplatePiece& piece : parsed.pieces) {
    TextPiece compiled{.literal = piece.literal, .reference = std::nullopt, .fallback = std::nullopt};
    if (piece.reference.has_value()) {
      compiled.reference = Resolve(*piece.reference, path, node.line, place);
      if (!compiled.reference.has_value()) continue;
      const Reference& reference = *compiled.reference;
      const FieldDescriptor* last = reference.path.empty() ? nullptr : reference.path.back();
      if (!reference.IsText() &&
          (last == nullptr || last->is_repeated() || last->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)) {
        violations_->Add(path, node.line,
                         absl::StrCat(Describe(reference, RootType(reference)),
                                      " and cannot be part of a text; name a single value in it"));
        continue;
      }
      compiled.fallback = piece.reference->fallback;
    }
    plan.pieces.push_back(std::move(compiled));
  }
  return plan;
}

const Descriptor* PlanCompiler::RootType(const Reference& reference) const {
  return reference.root == Reference::Root::kInput ? schema_->input : schema_->replies[reference.step];
}

std::string PlanCompiler::Describe(const Reference& reference, const Descriptor* root) {
  return absl::StrCat("`", reference.text, "` is ",
                      reference.IsText()       ? "string"
                      : reference.path.empty() ? root->full_name()
                                               : TypeName(*reference.path.back()));
}

std::optional<Reference> PlanCompiler::Resolve(const ReferenceText& text, const std::string& path, int line,
                                               const Place& place) {
  std::optional<Reference> reference = ResolveRoot(text, path, line, place);
  if (text.fallback.has_value() && absl::StrContains(*text.fallback, "${")) {
    violations_->AddUnlessKept(path, line,
                               absl::StrCat("`", text.text,
                                            "`: a default is taken as it stands and cannot hold a reference; write a "
                                            "literal"));
  }
  if (reference.has_value() && reference->IsText() && text.fallback.has_value()) {
    violations_->AddUnlessKept(path, line,
                               absl::StrCat("`", text.text,
                                            "` always has a value; leave out its default, which "
                                            "input and reply references alone can have"));
  }
  return reference;
}

std::optional<Reference> PlanCompiler::ResolveRoot(const ReferenceText& text, const std::string& path, int line,
                                                   const Place& place) {
  Reference reference;
  reference.text = text.text;
  const std::vector<std::string>& parts = text.path;
  const auto refuse = [&](std::string description) {
    violations_->Add(path, line, absl::StrCat("`", text.text, "`: ", description));
    return std::nullopt;
  };
  size_t consumed = 1;
  if (parts[0] == "input") {
    reference.root = Reference::Root::kInput;
  } else if (parts[0] == "steps") {
    if (place.kind == Place::Kind::kLabels) return refuse("labels are set at the start and read the input only");
    if (!ResolveStep(text, path, line, place, &reference)) return std::nullopt;
    consumed = 3;
  } else if (parts == std::vector<std::string>{"saga", "id"}) {
    if (place.kind == Place::Kind::kLabels)
      return refuse("a saga is found by its id anyway; labels read the input only");
    reference.root = Reference::Root::kSagaId;
    return reference;
  } else if (parts == std::vector<std::string>{"command", "key"}) {
    if (place.step < 0) return refuse("there is no command here; only actions and compensations have a key");
    reference.root = Reference::Root::kCommandKey;
    return reference;
  } else {
    return refuse(absl::StrCat(
        "unknown", violations_->suggester()->For(parts[0], {"input", "steps", "saga", "command"}), "; ", kRoots));
  }
  if (reference.root == Reference::Root::kStepKey) {
    if (parts.size() > consumed) return refuse("a key has no fields; end the reference at key");
    return reference;
  }
  const Descriptor* root = RootType(reference);
  if (root == nullptr) return std::nullopt;
  const std::vector<std::string> names(parts.begin() + static_cast<std::ptrdiff_t>(consumed), parts.end());
  auto fields = ResolvePath(root, names, text.text, path, line);
  if (!fields.has_value()) return std::nullopt;
  reference.path = *std::move(fields);
  return reference;
}

bool PlanCompiler::ResolveStep(const ReferenceText& text, const std::string& path, int line, const Place& place,
                               Reference* reference) {
  const auto refuse = [&](std::string description) {
    violations_->Add(path, line, absl::StrCat("`", text.text, "`: ", description));
    return false;
  };
  if (text.path.size() < 3 || (text.path[2] != "key" && text.path[2] != "reply")) {
    return refuse("a step has a key and a reply; write steps.<name>.key or steps.<name>.reply.<field>");
  }
  const auto& names = schema_->step_names;
  const auto it = std::find(names.begin(), names.end(), text.path[1]);
  if (it == names.end()) {
    return refuse(absl::StrCat("there is no step `", text.path[1], "`",
                               violations_->suggester()->For(text.path[1], names), "; name a step of this saga"));
  }
  reference->step = static_cast<int>(it - names.begin());
  if (text.path[2] == "key") {
    reference->root = Reference::Root::kStepKey;
    return true;
  }
  reference->root = Reference::Root::kStepReply;
  if (!text.fallback.has_value()) needed_replies_.insert(reference->step);
  const std::string mistake = CheckReplyPlace(reference->step, text.fallback.has_value(), place);
  return mistake.empty() || refuse(mistake);
}

std::string PlanCompiler::CheckReplyPlace(int step, bool has_fallback, const Place& place) const {
  if (place.step < 0) return "";
  const std::string& name = schema_->step_names[step];
  if (step == place.step) {
    if (place.kind == Place::Kind::kAction) return "an action cannot read its own reply; name a step that precedes it";
    if (has_fallback) return "";
    return absl::StrCat("the compensation of `", name,
                        "` must work without its action's reply, which may never have come; add `| default(…)`, or "
                        "address what is undone by ${steps.",
                        name, ".key}");
  }
  if (schema_->predecessors[place.step].test(step) || has_fallback) return "";
  return absl::StrCat("step `", name, "` does not precede `", schema_->step_names[place.step],
                      "`, so its reply may not be there; name it in `after`, or add `| default(…)`");
}

std::optional<std::vector<const FieldDescriptor*>> PlanCompiler::ResolvePath(const Descriptor* type,
                                                                             const std::vector<std::string>& names,
                                                                             const std::string& shown,
                                                                             const std::string& path, int line) {
  std::vector<const FieldDescriptor*> fields;
  for (const std::string& name : names) {
    if (type == nullptr) {
      violations_->Add(path, line,
                       absl::StrCat("`", shown, "`: `", fields.back()->name(), "` is ", TypeName(*fields.back()),
                                    " and has no field to follow; end there"));
      return std::nullopt;
    }
    const FieldDescriptor* field = type->FindFieldByName(name);
    if (field == nullptr) {
      std::vector<std::string> known;
      for (int i = 0; i < type->field_count(); ++i) known.push_back(type->field(i)->name());
      const std::string fields_known =
          known.empty() ? "it has no fields" : absl::StrCat("it has ", absl::StrJoin(known, ", "));
      violations_->Add(path, line,
                       absl::StrCat("`", shown, "`: ", type->full_name(), " has no field `", name, "`",
                                    violations_->suggester()->For(name, known), "; ", fields_known));
      return std::nullopt;
    }
    fields.push_back(field);
    const bool open = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated();
    type = open ? field->message_type() : nullptr;
  }
  return fields;
}

}  // namespace tutti::definition
