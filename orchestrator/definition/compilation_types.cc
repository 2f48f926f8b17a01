// The part of a compilation that asks participants for their types and looks up methods.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "orchestrator/definition/compilation.h"

namespace tutti::definition {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::MethodDescriptor;

bool FindMessageIn(const DescriptorProto& message, const std::string& name, const std::string& wanted, bool* is_enum) {
  if (name == wanted) return true;
  if (!absl::StartsWith(wanted, name + ".")) return false;
  for (const auto& nested : message.enum_type()) {
    if (absl::StrCat(name, ".", nested.name()) == wanted) return *is_enum = true;
  }
  for (const auto& nested : message.nested_type()) {
    if (FindMessageIn(nested, absl::StrCat(name, ".", nested.name()), wanted, is_enum)) return true;
  }
  return false;
}

// True when the set defines the message or enum.
bool FindTypeIn(const FileDescriptorSet& files, const std::string& wanted, NamedType* type) {
  for (const FileDescriptorProto& file : files.file()) {
    const std::string prefix = file.package().empty() ? "" : file.package() + ".";
    type->file = file.name();
    type->closed = file.syntax() != "proto3";
    type->is_enum = false;
    for (const auto& message : file.message_type()) {
      if (FindMessageIn(message, prefix + message.name(), wanted, &type->is_enum)) {
        type->closed &= type->is_enum;
        return true;
      }
    }
    type->is_enum = true;
    for (const auto& entry : file.enum_type()) {
      if (prefix + entry.name() == wanted) return true;
    }
  }
  return false;
}

// A participant's types cannot be used until somebody mends them; asking again does not help.
bool IsPermanent(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status);
}

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
  absl::StatusOr<FileDescriptorSet> files = descriptors_->FindSymbol(participant, symbol);
  if (!files.ok()) return it->second = files.status();
  NamedType type;
  if (FindTypeIn(*files, symbol, &type)) input_types_[symbol] = type;
  return it->second = types_->AddFiles(*files, absl::StrCat("participant `", participant, "`"));
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
  } else if (IsPermanent(status)) {
    if (first) violations_.Add(command.method.path, command.method.line, std::string(status.message()));
  } else if (unavailable_.ok()) {
    unavailable_ = absl::UnavailableError(
        absl::StrCat("the types of participant `", step.participant.text, "` cannot be had: ", status.message()));
  }
}

bool Compilation::GatherType(const DefinitionSource& source, const std::string& type, const std::string& path,
                             int line) {
  if (const std::string file = StandardFileOf(type); !file.empty()) {
    input_types_[type] = NamedType{.is_enum = type == "google.protobuf.NullValue", .file = file};
    FileDescriptorProto anchor;  // makes the pool load the file
    anchor.set_name(absl::StrCat("tutti/definition/uses/", type, ".proto"));
    anchor.add_dependency(file);
    types_->AddFile(std::move(anchor));
    return true;
  }
  bool asked_all = true;
  std::set<std::string> participants;
  for (const StepSource& step : source.steps) {
    const std::string& name = step.participant.text;
    if (name.empty() || !descriptors_->KnowsParticipant(name) || !participants.insert(name).second) continue;
    const absl::Status status = Ask(name, type);
    if (status.ok() && input_types_.count(type) > 0) return true;
    if (IsPermanent(status)) {
      violations_.Add(path, line, std::string(status.message()));
      return false;
    }
    if (status.ok() || absl::IsNotFound(status)) continue;
    asked_all = false;
    if (unavailable_.ok()) {
      unavailable_ = absl::UnavailableError(
          absl::StrCat("the types of participant `", name, "` cannot be had: ", status.message()));
    }
  }
  if (asked_all) {
    violations_.Add(
        path, line,
        absl::StrCat("no participant of this saga knows the type `", type, "`; write its full name, package included"));
  }
  return false;
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
  types_->AddFile(MakeInputFile(input_, input_types_));
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

const MethodDescriptor* Compilation::ResolveMethod(const StepSource& step, const CommandSource& command) {
  std::string service_name;
  std::string method_name;
  if (!SplitMethod(command.method.text, &service_name, &method_name)) return nullptr;
  const auto* service = types_->FindService(service_name);
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

FileDescriptorSet Compilation::NeededDescriptors() const {
  std::set<const google::protobuf::FileDescriptor*> roots;
  for (const Methods& methods : methods_) {
    roots.insert(methods.action->file());
    if (methods.compensation != nullptr) roots.insert(methods.compensation->file());
  }
  // The file of an inline input is made from the text, what it imports is not.
  const auto* input = schema_.input->file();
  if (!input_.IsInline()) roots.insert(input);
  for (int i = 0; input_.IsInline() && i < input->dependency_count(); ++i) roots.insert(input->dependency(i));
  return TypePool::Closure(roots);
}

}  // namespace tutti::definition
