#ifndef TUTTI_ORCHESTRATOR_DEFINITION_DIGEST_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::definition {

// SHA-256 in hex of a definition's canonical text and the descriptors it was resolved against, sorted by name: those in
// `descriptors`, or, where that is empty, those of each participant.
std::string DigestOf(absl::string_view canonical_text, const google::protobuf::FileDescriptorSet& descriptors,
                     const google::protobuf::RepeatedPtrField<storage::v1::ParticipantTypes>& participant_types);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_DIGEST_H_
