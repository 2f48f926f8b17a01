#include "orchestrator/definition/digest.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/definition/input_codec.h"

namespace tutti::definition {

std::string DigestOf(absl::string_view canonical_text, const google::protobuf::FileDescriptorSet& descriptors,
                     const google::protobuf::RepeatedPtrField<storage::v1::ParticipantTypes>& participant_types) {
  // The length in front keeps text and descriptors apart.
  std::string content =
      absl::StrCat(canonical_text.size(), "\n", canonical_text, SerializeDeterministically(descriptors));
  for (const storage::v1::ParticipantTypes& types : participant_types) {
    const std::string bytes = SerializeDeterministically(types);
    absl::StrAppend(&content, bytes.size(), "\n", bytes);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TUTTI_CHECK(EVP_Digest(content.data(), content.size(), digest, &size, EVP_sha256(), nullptr) == 1,
              "SHA-256 is built in");
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace tutti::definition
