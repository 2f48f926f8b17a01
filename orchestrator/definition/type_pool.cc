#include "orchestrator/definition/type_pool.h"

#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

// Linked in by naming them, so that the generated pool knows their files.
const DescriptorPool* StandardPool() {
  static const DescriptorPool* pool = [] {
    google::protobuf::Any::descriptor();
    google::protobuf::Duration::descriptor();
    google::protobuf::Empty::descriptor();
    google::protobuf::FieldMask::descriptor();
    google::protobuf::Struct::descriptor();
    google::protobuf::Timestamp::descriptor();
    google::protobuf::StringValue::descriptor();
    return DescriptorPool::generated_pool();
  }();
  return pool;
}

void ClearJsonNames(DescriptorProto* message) {
  for (auto& field : *message->mutable_field()) field.clear_json_name();
  for (auto& field : *message->mutable_extension()) field.clear_json_name();
  for (auto& nested : *message->mutable_nested_type()) ClearJsonNames(&nested);
}

// What differs between compilers and languages without a difference on the wire.
FileDescriptorProto Normalized(FileDescriptorProto file) {
  file.clear_source_code_info();
  for (auto& message : *file.mutable_message_type()) ClearJsonNames(&message);
  for (auto& field : *file.mutable_extension()) field.clear_json_name();
  return file;
}

class ErrorCollector final : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    if (first_.empty()) first_ = absl::StrCat(file, ": ", element, ": ", message);
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

}  // namespace

TypePool::TypePool() : pool_(std::make_unique<DescriptorPool>()) {
  factory_ = std::make_unique<google::protobuf::DynamicMessageFactory>(pool_.get());
}

TypePool::~TypePool() = default;

absl::Status TypePool::AddStandardFile(const std::string& name) {
  if (files_.count(name) > 0) return absl::OkStatus();
  const FileDescriptor* file = StandardPool()->FindFileByName(name);
  if (file == nullptr) return absl::NotFoundError(name);
  FileDescriptorProto proto;
  file->CopyTo(&proto);
  files_[name] = {Normalized(std::move(proto)), "protobuf"};
  for (int i = 0; i < file->dependency_count(); ++i) {
    if (absl::Status status = AddStandardFile(file->dependency(i)->name()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status TypePool::AddFiles(const FileDescriptorSet& files, absl::string_view origin) {
  for (const FileDescriptorProto& file : files.file()) {
    if (absl::StartsWith(file.name(), "google/protobuf/") && AddStandardFile(file.name()).ok()) continue;
    if (!file.syntax().empty() && file.syntax() != "proto2" && file.syntax() != "proto3") {
      return absl::InvalidArgumentError(absl::StrCat("the file ", file.name(), " of ", origin, " is written in ",
                                                     file.syntax(),
                                                     ", of which only proto2 and proto3 can be read; give "
                                                     "a proto3 copy of it as the participant's descriptor_set"));
    }
    FileDescriptorProto proto = Normalized(file);
    const auto it = files_.find(file.name());
    if (it == files_.end()) {
      files_[file.name()] = {std::move(proto), std::string(origin)};
    } else if (it->second.proto.SerializeAsString() != proto.SerializeAsString()) {
      return absl::InvalidArgumentError(absl::StrCat("the file ", file.name(), " of ", origin, " differs from that of ",
                                                     it->second.origin, "; deploy both with one version of it"));
    }
  }
  return absl::OkStatus();
}

void TypePool::AddFile(FileDescriptorProto file) {
  for (const std::string& dependency : file.dependency()) AddStandardFile(dependency).IgnoreError();
  std::string name = file.name();
  files_[std::move(name)] = {std::move(file), "the definition"};
}

absl::Status TypePool::Build() {
  size_t built = 0;
  for (bool progress = true; progress;) {
    progress = false;
    for (const auto& [name, file] : files_) {
      if (pool_->FindFileByName(name) != nullptr) continue;
      bool ready = true;
      for (const std::string& dependency : file.proto.dependency()) {
        ready = ready && pool_->FindFileByName(dependency) != nullptr;
      }
      if (!ready) continue;
      ErrorCollector errors;
      if (pool_->BuildFileCollectingErrors(file.proto, &errors) == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("the types of ", file.origin, " cannot be used: ", errors.first()));
      }
      ++built;
      progress = true;
    }
  }
  if (built == files_.size()) return absl::OkStatus();
  for (const auto& [name, file] : files_) {
    if (pool_->FindFileByName(name) != nullptr) continue;
    for (const std::string& dependency : file.proto.dependency()) {
      if (files_.count(dependency) > 0) continue;
      return absl::InvalidArgumentError(absl::StrCat("the types of ", file.origin, " are incomplete: ", name,
                                                     " imports ", dependency, ", which was not given"));
    }
  }
  return absl::InvalidArgumentError("the files of a participant import each other in a circle");
}

const google::protobuf::ServiceDescriptor* TypePool::FindService(const std::string& name) const {
  return pool_->FindServiceByName(name);
}

const Descriptor* TypePool::FindMessage(const std::string& name) const {
  return pool_->FindMessageTypeByName(name);
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

bool IsStandardType(absl::string_view name) {
  return absl::StartsWith(name, "google.protobuf.");
}

std::string StandardFileOf(const std::string& type) {
  if (!IsStandardType(type)) return "";
  const FileDescriptor* file = StandardPool()->FindFileContainingSymbol(type);
  return file == nullptr ? "" : file->name();
}

}  // namespace tutti::definition
