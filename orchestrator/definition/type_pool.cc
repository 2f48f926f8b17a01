#include "orchestrator/definition/type_pool.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

bool DefinesBelow(const DescriptorProto& message, const std::string& name, const std::string& wanted, bool* is_enum) {
  if (name == wanted) return true;
  if (!absl::StartsWith(wanted, name + ".")) return false;
  for (const auto& nested : message.enum_type()) {
    if (absl::StrCat(name, ".", nested.name()) == wanted) return *is_enum = true;
  }
  for (const auto& nested : message.nested_type()) {
    if (DefinesBelow(nested, absl::StrCat(name, ".", nested.name()), wanted, is_enum)) return true;
  }
  return false;
}

// True when the file defines the message or enum.
bool Defines(const FileDescriptorProto& file, const std::string& wanted, bool* is_enum) {
  const std::string prefix = file.package().empty() ? "" : file.package() + ".";
  *is_enum = false;
  for (const auto& message : file.message_type()) {
    if (DefinesBelow(message, prefix + message.name(), wanted, is_enum)) return true;
  }
  *is_enum = true;
  for (const auto& entry : file.enum_type()) {
    if (prefix + entry.name() == wanted) return true;
  }
  return false;
}

absl::Status CheckLanguage(const FileDescriptorProto& file, const std::string& participant) {
  if (file.syntax().empty() || file.syntax() == "proto2" || file.syntax() == "proto3") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the file ", file.name(), " of participant `", participant, "` is written in protobuf ", file.syntax(),
      ", which this version cannot read; write its types in a proto3 file too, with the same names and numbers, make "
      "a descriptor set of that, and name it as the participant's descriptor_set in participants.yaml"));
}

// The file and all it imports.
FileSet ClosureOf(const FileSet& files, const std::string& name) {
  FileSet closure;
  std::vector<std::string> open = {name};
  while (!open.empty()) {
    const FileSet::File* file = files.Find(open.back());
    open.pop_back();
    if (file == nullptr || closure.Find(file->proto.name()) != nullptr) continue;
    closure.Add(file->proto, file->origin).IgnoreError();  // there is none of that name
    open.insert(open.end(), file->proto.dependency().begin(), file->proto.dependency().end());
  }
  return closure;
}

}  // namespace

TypePool::TypePool() : factory_(std::make_unique<google::protobuf::DynamicMessageFactory>()) {}

TypePool::~TypePool() = default;

absl::Status TypePool::AddFiles(const std::string& participant, const FileDescriptorSet& files) {
  if (given_.count(participant) == 0) participants_.push_back(participant);
  FileSet& mine = given_[participant];
  for (const FileDescriptorProto& file : files.file()) {
    if (absl::Status status = CheckLanguage(file, participant); !status.ok()) return status;
    if (!mine.Add(file, participant).ok()) {
      return absl::InvalidArgumentError(absl::StrCat("participant `", participant, "` has given two different files ",
                                                     file.name(), "; deploy all its replicas with one version of it"));
    }
  }
  return absl::OkStatus();
}

std::optional<NamedType> TypePool::FindType(const std::string& participant, const std::string& name) const {
  const auto given = given_.find(participant);
  if (given == given_.end()) return std::nullopt;
  const FileSet::File* file = given->second.FindDefining(name);
  if (file == nullptr) return std::nullopt;
  NamedType type{.participant = participant, .file = file->proto.name(), .is_proto2 = file->proto.syntax() != "proto3"};
  if (!Defines(file->proto, name, &type.is_enum)) return std::nullopt;
  return type;
}

absl::Status TypePool::UseInInput(const std::string& name, const NamedType& type) {
  FileSet files;
  if (type.participant.empty()) {
    files.AddStandard(type.file);
  } else {
    files = ClosureOf(given_[type.participant], type.file);
  }
  const std::string misfit = input_files_.FindMisfit(files);
  if (misfit.empty()) {
    input_files_.AddAll(files);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "`", name, "` of participant `", type.participant, "` needs ", misfit,
      ", and another type of the input comes with a different version of it from another participant; write the fields "
      "of one of them in the input instead"));
}

TypePool::Pool* TypePool::PoolFor(const FileSet& files, const FileSet& beside) {
  for (const auto& pool : pools_) {
    if (!pool->files.FindMisfit(beside).empty()) continue;
    pool->files.AddAll(files);
    return pool.get();
  }
  pools_.push_back(std::make_unique<Pool>());
  pools_.back()->files.AddAll(files);
  return pools_.back().get();
}

std::vector<TypePool::Problem> TypePool::Build(const FileDescriptorProto* inline_input) {
  std::vector<Problem> problems;
  for (const std::string& participant : participants_) {
    pool_of_[participant] = PoolFor(given_[participant], given_[participant]);
  }
  FileSet with_inline = input_files_;
  if (inline_input != nullptr) {
    const absl::Status status = with_inline.Add(*inline_input, "");
    if (!status.ok()) problems.push_back({"", "", std::string(status.message())});
    // What it imports of protobuf's own; itself it is of this definition alone.
    for (const std::string& import : inline_input->dependency()) input_files_.AddStandard(import);
  }
  input_pool_ = PoolFor(input_files_, with_inline);
  for (const auto& pool : pools_) {
    pool->descriptors = SharedPool(pool->files, &problems);
    pool->files = FileSet();
  }
  input_descriptors_ = input_pool_->descriptors.get();
  if (inline_input != nullptr && problems.empty()) {
    inline_pool_ = std::make_unique<DescriptorPool>(input_descriptors_);
    BuildFile(*inline_input, "", inline_pool_.get(), &problems);
    input_descriptors_ = inline_pool_.get();
  }
  given_.clear();
  input_files_ = FileSet();
  return problems;
}

const DescriptorPool* TypePool::PoolOf(const std::string& participant) const {
  const auto pool = pool_of_.find(participant);
  return pool == pool_of_.end() ? nullptr : pool->second->descriptors.get();
}

const google::protobuf::ServiceDescriptor* TypePool::FindService(const std::string& participant,
                                                                 const std::string& name) const {
  const DescriptorPool* pool = PoolOf(participant);
  return pool == nullptr ? nullptr : pool->FindServiceByName(name);
}

const Descriptor* TypePool::FindInputMessage(const std::string& name) const {
  return input_descriptors_->FindMessageTypeByName(name);
}

const FileDescriptor* TypePool::FindFile(const NamedType& type) const {
  const DescriptorPool* pool = type.participant.empty() ? input_descriptors_ : PoolOf(type.participant);
  return pool == nullptr ? nullptr : pool->FindFileByName(type.file);
}

const google::protobuf::Message* TypePool::Prototype(const Descriptor* type) const {
  return factory_->GetPrototype(type);
}

FileDescriptorSet TypePool::Closure(const std::set<const FileDescriptor*>& roots) {
  std::map<std::string, const FileDescriptor*> needed;
  std::vector<const FileDescriptor*> open(roots.begin(), roots.end());
  while (!open.empty()) {
    const FileDescriptor* file = open.back();
    open.pop_back();
    if (!needed.emplace(file->name(), file).second) continue;
    for (int i = 0; i < file->dependency_count(); ++i) open.push_back(file->dependency(i));
  }
  FileDescriptorSet set;
  for (const auto& entry : needed) {
    FileDescriptorProto proto;
    entry.second->CopyTo(&proto);
    *set.add_file() = Normalized(std::move(proto));
  }
  return set;
}

std::optional<NamedType> FindStandardType(const std::string& name) {
  if (!absl::StartsWith(name, "google.protobuf.")) return std::nullopt;
  const Descriptor* message = StandardPool()->FindMessageTypeByName(name);
  const google::protobuf::EnumDescriptor* entry = StandardPool()->FindEnumTypeByName(name);
  const FileDescriptor* file = message != nullptr ? message->file() : entry != nullptr ? entry->file() : nullptr;
  if (file == nullptr) return std::nullopt;
  return NamedType{
      .file = file->name(), .is_enum = entry != nullptr, .is_proto2 = file->syntax() == FileDescriptor::SYNTAX_PROTO2};
}

}  // namespace tutti::definition
