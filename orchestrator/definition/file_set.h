// .proto files that fit into one pool of descriptors: no name stands for two things.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_FILE_SET_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_FILE_SET_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

namespace tutti::definition {

// Not thread-safe.
class FileSet {
 public:
  struct File {
    google::protobuf::FileDescriptorProto proto;
    std::string bytes;   // of the proto, to compare
    std::string origin;  // the participant that it came from
  };

  // google/protobuf/*.proto are always our own: participants' copies differ by language only. INVALID_ARGUMENT when
  // there is another file of that name.
  absl::Status Add(const google::protobuf::FileDescriptorProto& file, const std::string& origin);
  // A file of protobuf's own, and what it imports. False when it has no such file.
  bool AddStandard(const std::string& name);
  void AddAll(const FileSet& other);

  // The name of a file of `other` that cannot be added beside those that are here: one of the same name differs, or
  // another one defines the same type. Empty when all can.
  std::string FindMisfit(const FileSet& other) const;

  const File* Find(const std::string& name) const;
  // The file that defines the symbol, or what it is nested in.
  const File* FindDefining(const std::string& symbol) const;
  const std::map<std::string, File>& files() const { return files_; }

 private:
  void Put(File file);

  std::map<std::string, File> files_;
  // The file of every name that has a meaning; empty for packages, which many files may have.
  std::map<std::string, std::string> symbols_;
};

// Without what differs between compilers and languages, but not on the wire.
google::protobuf::FileDescriptorProto Normalized(google::protobuf::FileDescriptorProto file);

// Where protobuf's own types are found.
const google::protobuf::DescriptorPool* StandardPool();

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_FILE_SET_H_
