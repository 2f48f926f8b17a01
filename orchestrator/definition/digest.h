#ifndef TUTTI_ORCHESTRATOR_DEFINITION_DIGEST_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"

namespace tutti::definition {

// SHA-256 in hex of a definition's canonical text and the descriptors it was resolved against, sorted by name.
std::string DigestOf(absl::string_view canonical_text, const google::protobuf::FileDescriptorSet& descriptors);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_DIGEST_H_
