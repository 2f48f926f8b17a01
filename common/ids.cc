#include "common/ids.h"

#include <sys/random.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/errors.h"
#include "common/limits.h"

namespace tutti {

std::string RandomHex128() {
  char bytes[16];
  TUTTI_CHECK(getentropy(bytes, sizeof(bytes)) == 0, "the operating system has no randomness to give");
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

absl::Status ValidateSagaId(absl::string_view id, absl::string_view field) {
  const auto invalid = [&](const std::string& description) {
    return InvalidArgumentError("SAGA_ID_INVALID", {{std::string(field), description}});
  };
  if (id.empty()) return invalid("is required: choose an id that is unique to the business transaction");
  if (id.size() > limits::kSagaIdBytesMax) {
    return invalid(absl::StrCat("has ", id.size(), " bytes; at most ", limits::kSagaIdBytesMax, " are allowed"));
  }
  for (const char c : id) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '/' || c == '|') {
      return invalid("must be printable ASCII without spaces, '/' and '|'");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateName(absl::string_view name, absl::string_view field) {
  const auto invalid = [&](const std::string& description) {
    return InvalidArgumentError("NAME_INVALID", {{std::string(field), description}});
  };
  if (name.empty()) return invalid("is required");
  if (name.size() > limits::kNameBytesMax) {
    return invalid(absl::StrCat("has ", name.size(), " bytes; at most ", limits::kNameBytesMax, " are allowed"));
  }
  const bool known = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
           c == '-';
  });
  if (!known || name.front() == '-' || name.back() == '-') {
    return invalid("must be lower-case letters, digits and '-', with a letter or digit at both ends");
  }
  return absl::OkStatus();
}

}  // namespace tutti
