// Descriptor sets from files, for participants without reflection: `protoc --include_imports -o types.binpb …`.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_DESCRIPTOR_FILE_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_DESCRIPTOR_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"

namespace tutti::effects {

// FAILED_PRECONDITION, with the remedy, when there is no such file, or when it is no descriptor set, lacks its imports
// or has more than limits::kDescriptorBytesMax.
absl::StatusOr<google::protobuf::FileDescriptorSet> LoadDescriptorSet(const std::string& path);

// The file that defines `symbol` and all it imports. NOT_FOUND when the set does not have it.
absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbolIn(const google::protobuf::FileDescriptorSet& files,
                                                                 absl::string_view symbol);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_REFLECTION_DESCRIPTOR_FILE_H_
