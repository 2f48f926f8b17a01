#include "orchestrator/effects/reflection/descriptor_file.h"

#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/limits.h"
#include "common/read_file.h"

namespace tutti::effects {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

// `name` is a service, message or enum of the file, nested ones included.
bool Defines(const FileDescriptorProto& file, absl::string_view name) {
  if (!file.package().empty() && (!absl::ConsumePrefix(&name, file.package()) || !absl::ConsumePrefix(&name, "."))) {
    return false;
  }
  for (const auto& service : file.service()) {
    if (service.name() == name) return true;
  }
  for (const auto& entry : file.enum_type()) {
    if (entry.name() == name) return true;
  }
  const auto* messages = &file.message_type();
  while (true) {
    const google::protobuf::DescriptorProto* outer = nullptr;
    for (const auto& message : *messages) {
      if (message.name() == name) return true;
      absl::string_view rest = name;
      if (absl::ConsumePrefix(&rest, message.name()) && absl::ConsumePrefix(&rest, ".")) {
        outer = &message;
        name = rest;
        break;
      }
    }
    if (outer == nullptr) return false;
    for (const auto& entry : outer->enum_type()) {
      if (entry.name() == name) return true;
    }
    messages = &outer->nested_type();
  }
}

}  // namespace

absl::StatusOr<FileDescriptorSet> LoadDescriptorSet(const std::string& path) {
  const auto content = ReadRegularFile(path, limits::kDescriptorBytesMax);
  if (!content.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("the descriptor_set cannot be read: ", content.status().message(),
                                                      "; put one there, of at most ", limits::kDescriptorBytesMax >> 20,
                                                      " MiB, or leave descriptor_set out"));
  }
  FileDescriptorSet files;
  if (!files.ParseFromString(*content) || files.file_size() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a descriptor set; make one with protoc --include_imports -o"));
  }
  std::set<std::string> names;
  for (const FileDescriptorProto& file : files.file()) names.insert(file.name());
  for (const FileDescriptorProto& file : files.file()) {
    for (const std::string& import : file.dependency()) {
      if (names.count(import) > 0) continue;
      return absl::FailedPreconditionError(absl::StrCat(path, " lacks ", import, ", which ", file.name(),
                                                        " imports; make it with protoc --include_imports"));
    }
  }
  return files;
}

absl::StatusOr<FileDescriptorSet> FindSymbolIn(const FileDescriptorSet& files, absl::string_view symbol) {
  std::map<std::string, const FileDescriptorProto*> by_name;
  std::vector<const FileDescriptorProto*> open;
  for (const FileDescriptorProto& file : files.file()) {
    by_name[file.name()] = &file;
    if (open.empty() && Defines(file, symbol)) open.push_back(&file);
  }
  if (open.empty()) return absl::NotFoundError(absl::StrCat("the descriptor set does not have ", symbol));
  FileDescriptorSet found;
  std::set<std::string> taken;
  while (!open.empty()) {
    const FileDescriptorProto* file = open.back();
    open.pop_back();
    if (!taken.insert(file->name()).second) continue;
    *found.add_file() = *file;
    for (const std::string& import : file->dependency()) {
      const auto it = by_name.find(import);
      if (it != by_name.end()) open.push_back(it->second);
    }
  }
  return found;
}

}  // namespace tutti::effects
