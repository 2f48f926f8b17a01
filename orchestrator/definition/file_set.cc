#include "orchestrator/definition/file_set.h"

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"

namespace tutti::definition {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;

void ClearJsonNames(DescriptorProto* message) {
  for (auto& field : *message->mutable_field()) field.clear_json_name();
  for (auto& field : *message->mutable_extension()) field.clear_json_name();
  for (auto& nested : *message->mutable_nested_type()) ClearJsonNames(&nested);
}

using SymbolVisitor = absl::FunctionRef<void(const std::string& name, bool is_package)>;

void VisitExtension(const FieldDescriptorProto& extension, SymbolVisitor visit) {
  visit(absl::StrCat(extension.extendee(), "#", extension.number()), false);
}

void VisitNestedExtensions(const DescriptorProto& message, SymbolVisitor visit) {
  for (const auto& extension : message.extension()) VisitExtension(extension, visit);
  for (const auto& nested : message.nested_type()) VisitNestedExtensions(nested, visit);
}

// What the file defines at the level of its package; what is nested is as unique as what it is nested in.
void VisitSymbols(const FileDescriptorProto& file, SymbolVisitor visit) {
  const std::string& package = file.package();
  for (size_t dot = package.find('.'); dot != std::string::npos; dot = package.find('.', dot + 1)) {
    visit(package.substr(0, dot), true);
  }
  if (!package.empty()) visit(package, true);
  const std::string prefix = package.empty() ? "" : package + ".";
  for (const auto& message : file.message_type()) {
    visit(prefix + message.name(), false);
    VisitNestedExtensions(message, visit);
  }
  for (const auto& entry : file.enum_type()) {
    visit(prefix + entry.name(), false);
    for (const auto& value : entry.value()) visit(prefix + value.name(), false);  // values stand beside their enum
  }
  for (const auto& service : file.service()) visit(prefix + service.name(), false);
  for (const auto& extension : file.extension()) {
    visit(prefix + extension.name(), false);
    VisitExtension(extension, visit);
  }
}

}  // namespace

FileDescriptorProto Normalized(FileDescriptorProto file) {
  file.clear_source_code_info();
  for (auto& message : *file.mutable_message_type()) ClearJsonNames(&message);
  for (auto& field : *file.mutable_extension()) field.clear_json_name();
  return file;
}

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

bool FileSet::AddStandard(const std::string& name) {
  if (!absl::StartsWith(name, "google/protobuf/")) return false;
  if (files_.count(name) > 0) return true;
  const FileDescriptor* file = StandardPool()->FindFileByName(name);
  if (file == nullptr) return false;
  FileDescriptorProto proto;
  file->CopyTo(&proto);
  proto = Normalized(std::move(proto));
  std::string bytes = proto.SerializeAsString();
  Put({.proto = std::move(proto), .bytes = std::move(bytes), .origin = "protobuf"});
  for (int i = 0; i < file->dependency_count(); ++i) AddStandard(file->dependency(i)->name());
  return true;
}

absl::Status FileSet::Add(const FileDescriptorProto& file, const std::string& origin) {
  if (AddStandard(file.name())) return absl::OkStatus();
  for (const std::string& import : file.dependency()) AddStandard(import);
  FileDescriptorProto proto = Normalized(file);
  std::string bytes = proto.SerializeAsString();
  const File* known = Find(file.name());
  if (known == nullptr) {
    Put({.proto = std::move(proto), .bytes = std::move(bytes), .origin = origin});
  } else if (known->bytes != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("there are two different files ", file.name()));
  }
  return absl::OkStatus();
}

void FileSet::AddAll(const FileSet& other) {
  for (const auto& [name, file] : other.files_) {
    if (files_.count(name) == 0) Put(file);
  }
}

std::string FileSet::FindMisfit(const FileSet& other) const {
  for (const auto& [name, file] : other.files_) {
    if (const File* mine = Find(name); mine != nullptr) {
      if (mine->bytes != file.bytes) return name;
      continue;
    }
    bool fits = true;
    VisitSymbols(file.proto, [&](const std::string& symbol, bool is_package) {
      const auto it = symbols_.find(symbol);
      fits = fits && (it == symbols_.end() || (it->second.empty() && is_package));
    });
    if (!fits) return name;
  }
  return "";
}

const FileSet::File* FileSet::Find(const std::string& name) const {
  const auto it = files_.find(name);
  return it == files_.end() ? nullptr : &it->second;
}

const FileSet::File* FileSet::FindDefining(const std::string& symbol) const {
  for (size_t end = symbol.size(); end != std::string::npos && end > 0; end = symbol.rfind('.', end - 1)) {
    const auto it = symbols_.find(symbol.substr(0, end));
    if (it != symbols_.end() && !it->second.empty()) return Find(it->second);
  }
  return nullptr;
}

void FileSet::Put(File file) {
  const std::string name = file.proto.name();
  VisitSymbols(file.proto, [&](const std::string& symbol, bool is_package) {
    symbols_.emplace(symbol, is_package ? std::string() : name);
  });
  files_[name] = std::move(file);
}

}  // namespace tutti::definition
