// A page token in: the cursor it was made of, or a refusal. No other bytes make the same cursor.
#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "orchestrator/api/page_token.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tutti::api::DecodePageToken;
  const absl::string_view token(reinterpret_cast<const char*>(data), size);
  const auto cursor = DecodePageToken("sagas|", token);
  TUTTI_CHECK(cursor.ok() || absl::IsInvalidArgument(cursor.status()), cursor.status().ToString().c_str());
  const auto own = DecodePageToken("sagas|", tutti::api::EncodePageToken("sagas|", token));
  TUTTI_CHECK(own.ok() && *own == token, "what was encoded is decoded");
  return 0;
}
