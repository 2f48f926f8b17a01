// The text of participants.yaml in: participants, or a refusal with violations.
#include <string>

#include "common/check.h"
#include "common/errors.h"
#include "orchestrator/server/participants_file.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto participants =
      tutti::server::ParseParticipants(std::string(reinterpret_cast<const char*>(data), size), "/nowhere");
  TUTTI_CHECK(participants.ok() || !tutti::ViolationsOf(participants.status()).empty(), "a refusal says what is wrong");
  return 0;
}
