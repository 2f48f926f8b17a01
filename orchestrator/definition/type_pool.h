// The message and service types of one definition, as its participants and its input have them.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_TYPE_POOL_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_TYPE_POOL_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "orchestrator/definition/file_set.h"
#include "orchestrator/definition/shared_pool.h"

namespace tutti::definition {

// What a name that is no proto scalar's stands for.
struct NamedType {
  std::string participant;  // empty: protobuf's own
  std::string file;
  bool is_enum = false;
  bool is_proto2 = false;
};

// First files are added, then Build is called once, then types are looked up. Participants share a pool of descriptors
// as long as their files fit together; one whose files do not has another. So a type is known by its participant and
// its name, and types of one name may differ (type_match.h). Thread-safe after Build.
class TypePool {
 public:
  using Problem = PoolProblem;

  TypePool();
  ~TypePool();
  TypePool(const TypePool&) = delete;
  TypePool& operator=(const TypePool&) = delete;

  // INVALID_ARGUMENT when a file differs from one of the same name that the participant gave before, or is written in a
  // language that cannot be read here.
  absl::Status AddFiles(const std::string& participant, const google::protobuf::FileDescriptorSet& files);

  // The message or enum, if what the participant gave so far defines it.
  std::optional<NamedType> FindType(const std::string& participant, const std::string& name) const;
  // Lets the input use the type. INVALID_ARGUMENT when its files do not fit beside those of the types before it.
  absl::Status UseInInput(const std::string& name, const NamedType& type);

  // `inline_input`: the file that defines the input, when the definition itself does.
  std::vector<Problem> Build(const google::protobuf::FileDescriptorProto* inline_input);

  const google::protobuf::ServiceDescriptor* FindService(const std::string& participant, const std::string& name) const;
  const google::protobuf::Descriptor* FindInputMessage(const std::string& name) const;
  const google::protobuf::FileDescriptor* FindFile(const NamedType& type) const;

  // Lives as long as the pool.
  const google::protobuf::Message* Prototype(const google::protobuf::Descriptor* type) const;

  // `roots` and all they import, by name, without what only people read.
  static google::protobuf::FileDescriptorSet Closure(const std::set<const google::protobuf::FileDescriptor*>& roots);

 private:
  struct Pool {
    FileSet files;
    std::shared_ptr<const google::protobuf::DescriptorPool> descriptors;
  };

  // One that has, or takes, `files`, and where `beside`, which holds them, would fit as a whole.
  Pool* PoolFor(const FileSet& files, const FileSet& beside);
  const google::protobuf::DescriptorPool* PoolOf(const std::string& participant) const;

  std::vector<std::string> participants_;  // in the order of their first files
  std::map<std::string, FileSet> given_;   // by participant; until Build
  FileSet input_files_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::map<std::string, Pool*> pool_of_;  // by participant
  Pool* input_pool_ = nullptr;
  std::unique_ptr<google::protobuf::DescriptorPool> inline_pool_;        // on top of it, where the input is inline
  const google::protobuf::DescriptorPool* input_descriptors_ = nullptr;  // of the two, the one to look into
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;
};

// A type of protobuf's own, which every definition may name.
std::optional<NamedType> FindStandardType(const std::string& name);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_TYPE_POOL_H_
