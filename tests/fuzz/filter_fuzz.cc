// A filter of ListSagas in: a query, or a refusal that names the position.
#include <string>

#include "common/check.h"
#include "common/errors.h"
#include "orchestrator/api/filter.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto query = tutti::api::ParseFilter({reinterpret_cast<const char*>(data), size});
  TUTTI_CHECK(query.ok() || !tutti::ViolationsOf(query.status()).empty(), "a refusal says what is wrong");
  return 0;
}
