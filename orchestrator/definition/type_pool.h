// The message and service types of one definition, gathered from its participants.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_TYPE_POOL_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_TYPE_POOL_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"

namespace tutti::definition {

// First files are added, then Build is called once, then types are looked up. Thread-safe after Build.
class TypePool {
 public:
  TypePool();
  ~TypePool();
  TypePool(const TypePool&) = delete;
  TypePool& operator=(const TypePool&) = delete;

  // `origin` names where they come from, for messages. INVALID_ARGUMENT when a file of the same name but other content
  // came from elsewhere. google/protobuf/*.proto are always our own: participants' copies differ by language only.
  absl::Status AddFiles(const google::protobuf::FileDescriptorSet& files, absl::string_view origin);
  void AddFile(google::protobuf::FileDescriptorProto file);

  // INVALID_ARGUMENT when the files do not fit together.
  absl::Status Build();

  const google::protobuf::ServiceDescriptor* FindService(const std::string& name) const;
  const google::protobuf::Descriptor* FindMessage(const std::string& name) const;

  // Lives as long as the pool.
  const google::protobuf::Message* Prototype(const google::protobuf::Descriptor* type) const;

  // `roots` and all they import, by name, without what only people read.
  static google::protobuf::FileDescriptorSet Closure(const std::set<const google::protobuf::FileDescriptor*>& roots);

 private:
  struct File {
    google::protobuf::FileDescriptorProto proto;
    std::string origin;
  };

  absl::Status AddStandardFile(const std::string& name);

  std::map<std::string, File> files_;
  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;
};

// Types of protobuf's own that every definition may name.
bool IsStandardType(absl::string_view name);
// The file that defines such a type; empty when there is none.
std::string StandardFileOf(const std::string& type);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_TYPE_POOL_H_
