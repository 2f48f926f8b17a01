// Minting and checking of the names that become keys, metadata values and log fields.
#ifndef TUTTI_COMMON_IDS_H_
#define TUTTI_COMMON_IDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tutti {

// 128 random bits of the operating system as 32 lower-case hex digits.
std::string RandomHex128();

// INVALID_ARGUMENT (reason SAGA_ID_INVALID) that names `field` unless the id is 1 to limits::kSagaIdBytesMax printable
// ASCII characters without '/', '|' and spaces.
absl::Status ValidateSagaId(absl::string_view id, absl::string_view field = "saga_id");

// INVALID_ARGUMENT (reason NAME_INVALID) unless the name is a DNS label: 1 to limits::kNameBytesMax of a-z, 0-9 and
// '-', with a letter or digit at both ends.
absl::Status ValidateName(absl::string_view name, absl::string_view field);

}  // namespace tutti

#endif  // TUTTI_COMMON_IDS_H_
