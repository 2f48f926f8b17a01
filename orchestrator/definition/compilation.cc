#include "orchestrator/definition/compilation.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/limits.h"
#include "orchestrator/definition/compiled_definition.h"
#include "orchestrator/definition/digest.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

// Empty when commands may carry the header.
std::string HeaderMistake(const std::string& name) {
  if (name.empty()) return "a header needs a name";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_islower(byte) && !absl::ascii_isdigit(byte) && c != '-' && c != '_' && c != '.') {
      return "header names are lower-case letters, digits, '-', '_' and '.'";
    }
  }
  if (absl::StartsWith(name, "tutti-")) return "the orchestrator sets the tutti- headers itself; choose another name";
  if (absl::StartsWith(name, "grpc-")) return "grpc- headers belong to gRPC; choose another name";
  if (absl::EndsWith(name, "-bin")) return "binary headers are not supported; choose a name without -bin";
  for (const char* reserved : {"content-type", "te", "user-agent", "host", "connection", "content-length",
                               "transfer-encoding", "upgrade", "keep-alive", "proxy-connection", "traceparent"}) {
    if (name == reserved) return "the transport sets this header itself; choose another name";
  }
  return "";
}

bool IsNan(const Scalar& scalar) {
  const auto* number = std::get_if<double>(&scalar);
  return number != nullptr && std::isnan(*number);
}

}  // namespace

void Compilation::MakeSchema(const DefinitionSource& source) {
  schema_.input = types_->FindInputMessage(input_.IsInline() ? kInlineInputType : input_.message);
  if (schema_.input == nullptr && input_types_.count(input_.message) > 0) {
    violations_.Add(source.input.path, source.input.node->line,
                    absl::StrCat("`", input_.message, "` is not a message; name one, or write a map of fields"));
  }
  for (size_t i = 0; i < source.steps.size(); ++i) {
    schema_.step_names.push_back(source.steps[i].name.text);
    schema_.replies.push_back(methods_[i].action == nullptr ? nullptr : methods_[i].action->output_type());
  }
  schema_.predecessors = graph_.predecessors;
  planner_ = std::make_unique<PlanCompiler>(types_.get(), &schema_, &violations_);
  plans_->types = types_;
  plans_->inline_input = input_.IsInline();
  plans_->sources.step_names = schema_.step_names;
  if (schema_.input != nullptr) plans_->sources.input = types_->Prototype(schema_.input);
  for (const auto* reply : schema_.replies) {
    plans_->sources.replies.push_back(reply == nullptr ? nullptr : types_->Prototype(reply));
  }
}

void Compilation::PlanMetadata(const Part& part, const Place& place, CommandPlan* plan) {
  if (part.node == nullptr) return;
  if (!part.node->IsMap()) {
    violations_.Add(part.path, part.node->line,
                    absl::StrCat("expected a map of headers, found ", part.node->Describe()));
    return;
  }
  if (part.node->entries.size() > static_cast<size_t>(limits::kMetadataEntriesMax)) {
    violations_.Add(part.path, part.node->line,
                    absl::StrCat("at most ", limits::kMetadataEntriesMax, " headers are allowed"));
  }
  size_t bytes = 0;
  for (const Entry& entry : part.node->entries) {
    const std::string path = ChildPath(part.path, entry.key);
    const std::string mistake = HeaderMistake(entry.key);
    if (!mistake.empty()) violations_.Add(path, entry.line, mistake);
    TextPlan value = planner_->CompileText(entry.value, path, place);
    CheckHeaderText(value, path, entry.line, &bytes);
    bytes += entry.key.size();
    plan->metadata.emplace(entry.key, std::move(value));
  }
  if (bytes > limits::kMetadataBytesMax) {
    violations_.AddUnlessKept(part.path, part.node->line,
                              absl::StrCat("has ", bytes, " bytes of names and text; at most ",
                                           limits::kMetadataBytesMax, " fit into a command's headers"));
  }
}

void Compilation::CheckHeaderText(const TextPlan& value, const std::string& path, int line, size_t* bytes) {
  for (const TextPiece& piece : value.pieces) {
    *bytes += piece.literal.size();
    if (IsHeaderText(piece.literal) && IsHeaderText(piece.fallback.value_or(""))) continue;
    return violations_.AddUnlessKept(
        path, line, "can never be sent: headers are printable ASCII; encode it, in base64 for example");
  }
}

void Compilation::PlanRejections(const Part& part, const google::protobuf::Descriptor& reply, CommandPlan* plan) {
  if (part.node == nullptr) return;
  if (!part.node->IsMap()) {
    violations_.Add(part.path, part.node->line,
                    absl::StrCat("expected a map of reply fields to values, found ", part.node->Describe()));
    return;
  }
  for (const Entry& entry : part.node->entries) {
    const std::string path = ChildPath(part.path, entry.key);
    const std::vector<std::string> names = absl::StrSplit(entry.key, '.');
    auto fields = planner_->ResolvePath(&reply, names, entry.key, path, entry.line);
    if (!fields.has_value()) continue;
    const FieldDescriptor& last = *fields->back();
    if (last.is_repeated() || last.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      violations_.Add(path, entry.line, absl::StrCat("is ", TypeName(last), "; name a field with a single value"));
    } else if (!entry.value.IsScalar()) {
      violations_.Add(path, entry.value.line, absl::StrCat("expected one value, found ", entry.value.Describe()));
    } else if (absl::StrContains(entry.value.text, "${") && violations_.of() == Violations::Of::kApplied) {
      violations_.Add(path, entry.value.line, "is compared as it stands and cannot hold a reference; write a literal");
    } else if (absl::StatusOr<Scalar> value = ParseScalar(last, entry.value.text, violations_.suggester());
               !value.ok()) {
      violations_.Add(path, entry.value.line, std::string(value.status().message()));
    } else if (IsNan(*value)) {
      violations_.AddUnlessKept(path, entry.value.line, "is equal to no value, itself included; leave the rule out");
    } else {
      plan->rejected_when.push_back(
          {absl::StrCat(entry.key, ": ", entry.value.text), *std::move(fields), *std::move(value)});
    }
  }
}

void Compilation::PlanCommand(const CommandSource& command, const MethodDescriptor& method, const Place& place,
                              CommandPlan* plan) {
  plan->request = planner_->CompileMessage(command.request.node, method.input_type(), command.request.path, place);
  plan->reply = types_->Prototype(method.output_type());
  PlanMetadata(command.metadata, place, plan);
  PlanRejections(command.rejected_when, *method.output_type(), plan);
}

void Compilation::PlanSteps(const DefinitionSource& source) {
  for (size_t i = 0; i < source.steps.size(); ++i) {
    const StepSource& step = source.steps[i];
    const int index = static_cast<int>(i);
    StepPlan plan;
    if (methods_[i].action != nullptr) {
      PlanCommand(step.action, *methods_[i].action, {Place::Kind::kAction, index}, &plan.action);
    }
    if (methods_[i].compensation != nullptr) {
      plan.compensation = std::make_unique<CommandPlan>();
      PlanCommand(*step.compensation, *methods_[i].compensation, {Place::Kind::kCompensation, index},
                  plan.compensation.get());
    }
    plans_->steps.push_back(std::move(plan));
  }
}

void Compilation::PlanLabels(const Part& part) {
  if (part.node == nullptr) return;
  if (!part.node->IsMap() || part.node->entries.size() > static_cast<size_t>(limits::kLabelsMax)) {
    violations_.Add(part.path, part.node->line,
                    absl::StrCat("must be a map of at most ", limits::kLabelsMax, " labels to texts"));
    return;
  }
  for (const Entry& entry : part.node->entries) {
    const std::string path = ChildPath(part.path, entry.key);
    if (!IsName(entry.key)) {
      violations_.Add(path, entry.line,
                      "is not a label; use lower-case letters, digits and '-', starting with a letter");
    }
    TextPlan value = planner_->CompileText(entry.value, path, {Place::Kind::kLabels, -1});
    if (const size_t bytes = ConstantBytes(value); bytes > limits::kLabelBytesMax) {
      violations_.AddUnlessKept(path, entry.value.line,
                                absl::StrCat("has ", bytes, " bytes of text; at most ", limits::kLabelBytesMax,
                                             " can be listed by, so no start would be taken; shorten it"));
    }
    plans_->labels.emplace(entry.key, std::move(value));
  }
}

void Compilation::PlanOutput(const Part& part) {
  if (part.node == nullptr) return;
  if (!part.node->IsMap()) {
    violations_.Add(part.path, part.node->line, absl::StrCat("expected a map, found ", part.node->Describe()));
    return;
  }
  size_t bytes = 0;
  for (const Entry& entry : part.node->entries) {
    const std::string path = ChildPath(part.path, entry.key);
    ValuePlan value = planner_->CompileValue(entry.value, path, {Place::Kind::kOutput, -1});
    bytes += entry.key.size() + ConstantBytes(value);
    plans_->output.emplace_back(entry.key, std::move(value));
  }
  if (bytes > limits::kOutputBytesMax) {
    violations_.AddUnlessKept(part.path, part.node->line,
                              absl::StrCat("has ", bytes, " bytes of literals; an output has at most ",
                                           limits::kOutputBytesMax, ", so some would always be left out"));
  }
}

saga::Recipe Compilation::MakeRecipe(const DefinitionSource& source) const {
  const auto command_recipe = [](const CommandSource& command) {
    return saga::CommandRecipe{.method = command.method.text,
                               .attempt_timeout_ms = command.attempt_timeout_ms,
                               .retry = command.retry,
                               .outcomes = command.outcomes};
  };
  saga::Recipe recipe{.definition = source.name.text, .revision = revision_, .timeout_ms = source.timeout_ms};
  for (size_t i = 0; i < source.steps.size(); ++i) {
    const StepSource& step = source.steps[i];
    saga::StepRecipe step_recipe{.name = step.name.text,
                                 .participant = step.participant.text,
                                 .kind = step.kind,
                                 .action = command_recipe(step.action),
                                 .deadline_ms = step.deadline_ms,
                                 .dependencies = graph_.dependencies[i]};
    if (step.compensation.has_value()) step_recipe.compensation = command_recipe(*step.compensation);
    for (size_t j = 0; j < source.steps.size(); ++j) {
      if (graph_.predecessors[j].test(i)) step_recipe.transitive_dependents.push_back(static_cast<int>(j));
    }
    recipe.steps.push_back(std::move(step_recipe));
  }
  recipe.mapper = std::make_shared<PlanMapper>(plans_);
  return recipe;
}

absl::StatusOr<Compiled> Compilation::Run(absl::string_view text) {
  const std::optional<Node> tree = ParseTree(text, &violations_);
  if (!tree.has_value()) return violations_.ToStatus();
  const DefinitionSource source = ReadDefinition(*tree, &violations_);
  graph_ = BuildGraph(source, &violations_);
  input_ = ReadInput(source.input, &violations_);
  Gather(source);
  if (!BuildTypes(source)) return violations_.ToStatus();
  ResolveMethods(source);
  MakeSchema(source);
  PlanSteps(source);
  PlanLabels(source.labels);
  PlanOutput(source.output);
  if (!violations_.empty()) return violations_.ToStatus();
  if (!unavailable_.ok()) return unavailable_;

  plans_->needed_replies = planner_->needed_replies();
  Compiled compiled;
  compiled.name = source.name.text;
  KeepDescriptors(source, &compiled);
  compiled.digest = DigestOf(CanonicalText(*tree), compiled.descriptors, compiled.participant_types);
  compiled.definition =
      std::make_shared<PlannedDefinition>(std::make_shared<const saga::Recipe>(MakeRecipe(source)), plans_);
  return compiled;
}

}  // namespace tutti::definition
