// The part of a compilation that asks participants for their types and looks up methods.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "orchestrator/definition/compilation.h"

namespace tutti::definition {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::MethodDescriptor;

// "pkg.Service/Method" in its two parts; false when it is not of that shape.
bool SplitMethod(const std::string& text, std::string* service, std::string* method) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size() || text.find('/', slash + 1) != text.npos) {
    return false;
  }
  *service = text.substr(0, slash);
  *method = text.substr(slash + 1);
  return true;
}

}  // namespace

absl::Status Compilation::Ask(const std::string& participant, const std::string& symbol) {
  const auto [it, inserted] = asked_.emplace(std::make_pair(participant, symbol), absl::OkStatus());
  if (!inserted) return it->second;
  const absl::StatusOr<FileDescriptorSet> files = descriptors_->FindSymbol(participant, symbol);
  if (files.ok()) return it->second = types_->AddFiles(participant, *files);
  if (absl::IsNotFound(files.status())) return it->second = files.status();
  const bool permanent = absl::IsFailedPrecondition(files.status()) || absl::IsInvalidArgument(files.status());
  return it->second = absl::Status(
             permanent ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kUnavailable,
             absl::StrCat("the types of participant `", participant, "` cannot be had: ", files.status().message()));
}

void Compilation::GatherCommand(const StepSource& step, const CommandSource& command) {
  if (command.method.text.empty()) return;
  std::string service;
  std::string method;
  if (!SplitMethod(command.method.text, &service, &method)) {
    violations_.Add(
        command.method.path, command.method.line,
        absl::StrCat("`", command.method.text.substr(0, 200), "` is not a method; write package.Service/Method"));
    return;
  }
  if (step.participant.text.empty() || !descriptors_->KnowsParticipant(step.participant.text)) return;
  const bool first = asked_.count({step.participant.text, service}) == 0;
  const absl::Status status = Ask(step.participant.text, service);
  if (status.ok()) return;
  if (absl::IsNotFound(status)) {
    violations_.Add(command.method.path, command.method.line,
                    absl::StrCat("participant `", step.participant.text, "` has no service `", service,
                                 "`; check the name, its package included"));
  } else if (absl::IsInvalidArgument(status)) {
    if (first) violations_.Add(command.method.path, command.method.line, std::string(status.message()));
  } else if (unavailable_.ok()) {
    unavailable_ = status;
  }
}

std::optional<NamedType> Compilation::FindType(const DefinitionSource& source, const std::string& type,
                                               const std::string& path, int line) {
  if (std::optional<NamedType> standard = FindStandardType(type)) return standard;
  bool asked_all = true;
  std::set<std::string> participants;
  for (const StepSource& step : source.steps) {
    const std::string& name = step.participant.text;
    if (name.empty() || !descriptors_->KnowsParticipant(name) || !participants.insert(name).second) continue;
    // What its services brought along need not be asked for, and a kept revision finds the same again.
    if (std::optional<NamedType> found = types_->FindType(name, type)) return found;
    const absl::Status status = Ask(name, type);
    if (absl::IsInvalidArgument(status)) {
      violations_.Add(path, line, std::string(status.message()));
      return std::nullopt;
    }
    if (std::optional<NamedType> found = types_->FindType(name, type); status.ok() && found.has_value()) return found;
    if (status.ok() || absl::IsNotFound(status)) continue;
    asked_all = false;
    if (unavailable_.ok()) unavailable_ = status;
  }
  if (asked_all) {
    violations_.Add(path, line,
                    absl::StrCat("no participant of this saga knows the type `", type.substr(0, 200),
                                 "`; write its full name, package included"));
  }
  return std::nullopt;
}

void Compilation::GatherType(const DefinitionSource& source, const std::string& type, const std::string& path,
                             int line) {
  if (input_types_.count(type) > 0) return;
  const std::optional<NamedType> found = FindType(source, type, path, line);
  if (!found.has_value()) return;
  if (const absl::Status used = types_->UseInInput(type, *found); !used.ok()) {
    violations_.Add(path, line, std::string(used.message()));
    return;
  }
  input_types_.emplace(type, *found);
}

void Compilation::GatherInput(const DefinitionSource& source) {
  const int line = source.input.node == nullptr ? 0 : source.input.node->line;
  if (!input_.IsInline()) {
    GatherType(source, input_.message, source.input.path, line);
    return;
  }
  for (const InputField& field : input_.fields) {
    if (!IsScalarTypeName(field.type)) GatherType(source, field.type, field.path, field.line);
  }
}

void Compilation::Gather(const DefinitionSource& source) {
  for (const StepSource& step : source.steps) {
    if (!step.participant.text.empty() && !descriptors_->KnowsParticipant(step.participant.text)) {
      violations_.Add(
          step.participant.path, step.participant.line,
          absl::StrCat("participant `", step.participant.text, "` is unknown; add it to participants.yaml"));
    }
    GatherCommand(step, step.action);
    if (step.compensation.has_value()) GatherCommand(step, *step.compensation);
  }
  GatherInput(source);
}

bool Compilation::BuildTypes(const DefinitionSource& source) {
  std::optional<FileDescriptorProto> inline_input;
  if (input_.IsInline()) inline_input = MakeInputFile(input_, input_types_);
  const std::vector<TypePool::Problem> problems = types_->Build(inline_input.has_value() ? &*inline_input : nullptr);
  for (const TypePool::Problem& problem : problems) {
    if (problem.participant.empty()) {
      const InputField* field = FieldOfElement(input_, problem.element);
      violations_.Add(field == nullptr ? source.input.path : field->path,
                      field == nullptr ? (source.input.node == nullptr ? 0 : source.input.node->line) : field->line,
                      absl::StrCat("cannot be declared like this: ", problem.description));
      continue;
    }
    const auto step = std::find_if(source.steps.begin(), source.steps.end(), [&](const StepSource& each) {
      return each.participant.text == problem.participant;
    });
    const Word where = step == source.steps.end() ? Word() : step->participant;
    violations_.Add(
        where.path, where.line,
        absl::StrCat("the types of participant `", problem.participant, "` cannot be used: ", problem.description));
  }
  return problems.empty();
}

const MethodDescriptor* Compilation::ResolveMethod(const StepSource& step, const CommandSource& command) {
  std::string service_name;
  std::string method_name;
  if (!SplitMethod(command.method.text, &service_name, &method_name)) return nullptr;
  const auto* service = types_->FindService(step.participant.text, service_name);
  if (service == nullptr) {
    const auto asked = asked_.find({step.participant.text, service_name});
    if (asked != asked_.end() && asked->second.ok()) {
      violations_.Add(command.method.path, command.method.line,
                      absl::StrCat("the descriptors of participant `", step.participant.text, "` lack service `",
                                   service_name, "`; check what it serves by reflection"));
    }
    return nullptr;  // anything else was said when it was asked for
  }
  const MethodDescriptor* method = service->FindMethodByName(method_name);
  if (method == nullptr) {
    std::vector<std::string> names;
    for (int i = 0; i < service->method_count(); ++i) names.push_back(service->method(i)->name());
    violations_.Add(
        command.method.path, command.method.line,
        absl::StrCat("service `", service_name, "` has no method `", method_name, "`",
                     violations_.suggester()->For(method_name, names), "; it has ", absl::StrJoin(names, ", ")));
    return nullptr;
  }
  if (method->client_streaming() || method->server_streaming()) {
    violations_.Add(command.method.path, command.method.line,
                    absl::StrCat("`", command.method.text, "` is a streaming method; name a unary one"));
    return nullptr;
  }
  return method;
}

void Compilation::ResolveMethods(const DefinitionSource& source) {
  for (const StepSource& step : source.steps) {
    Methods methods;
    const bool known = descriptors_->KnowsParticipant(step.participant.text);
    if (known) methods.action = ResolveMethod(step, step.action);
    if (known && step.compensation.has_value()) methods.compensation = ResolveMethod(step, *step.compensation);
    methods_.push_back(methods);
  }
}

void Compilation::KeepDescriptors(const DefinitionSource& source, Compiled* compiled) const {
  std::map<std::string, std::set<const google::protobuf::FileDescriptor*>> roots;
  for (size_t i = 0; i < methods_.size(); ++i) {
    auto& mine = roots[source.steps[i].participant.text];
    mine.insert(methods_[i].action->file());
    if (methods_[i].compensation != nullptr) mine.insert(methods_[i].compensation->file());
  }
  // The file of an inline input is made from the text, what it imports is not.
  for (const auto& [name, type] : input_types_) roots[type.participant].insert(types_->FindFile(type));
  FileSet together;
  bool fits = true;
  std::map<std::string, FileDescriptorSet> sets;
  for (const auto& [participant, files] : roots) {
    FileDescriptorSet& set = sets[participant] = TypePool::Closure(files);
    FileSet mine;
    for (const FileDescriptorProto& file : set.file()) mine.Add(file, participant).IgnoreError();  // each name is once
    fits = fits && together.FindMisfit(mine).empty();
    together.AddAll(mine);
  }
  if (fits) {
    for (const auto& [name, file] : together.files()) *compiled->descriptors.add_file() = file.proto;
    return;
  }
  for (auto& [participant, set] : sets) {
    if (participant.empty()) continue;  // protobuf's own are always at hand
    storage::v1::ParticipantTypes* types = compiled->participant_types.Add();
    types->set_participant(participant);
    types->mutable_descriptors()->Swap(&set);
  }
}

}  // namespace tutti::definition
