// Definition text in: it compiles or is refused with violations; what compiles can be compiled again from what is kept.
#include "common/check.h"
#include "common/errors.h"
#include "tests/fuzz/shop_definition.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  tutti::fuzz::ShopSource source;
  const auto compiled = tutti::definition::Compile(text, 1, &source);
  if (!compiled.ok()) {
    TUTTI_CHECK(absl::IsInvalidArgument(compiled.status()) || absl::IsUnavailable(compiled.status()),
                compiled.status().ToString().c_str());
    TUTTI_CHECK(absl::IsUnavailable(compiled.status()) || !tutti::ViolationsOf(compiled.status()).empty(),
                "a refusal says what is wrong");
    return 0;
  }
  tutti::storage::v1::DefinitionRecord record;
  record.set_version(1);
  record.set_name(compiled->name);
  record.set_revision(1);
  record.set_source(text);
  record.set_digest(compiled->digest);
  *record.mutable_descriptors() = compiled->descriptors;
  const auto again = tutti::definition::Recompile(record);
  TUTTI_CHECK(again.ok() && again->digest == compiled->digest, "what compiles compiles again, to the same");
  return 0;
}
