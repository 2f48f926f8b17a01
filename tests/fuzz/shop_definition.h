// What the targets around definitions share: a participant whose descriptors are linked in, and one definition of it.
#ifndef TUTTI_TESTS_FUZZ_SHOP_DEFINITION_H_
#define TUTTI_TESTS_FUZZ_SHOP_DEFINITION_H_

#include <memory>
#include <string>

#include "orchestrator/definition/compiler.h"

namespace tutti::fuzz {

// "shop" serves shop.v1; "gone" cannot be asked.
class ShopSource final : public definition::DescriptorSource {
 public:
  bool KnowsParticipant(absl::string_view participant) const override;
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view participant,
                                                                 absl::string_view symbol) override;
};

// Three steps, one after the other: pay and note (compensatable, the latter without compensation), ship (retriable).
// Every kind of reference is in its mappings.
std::shared_ptr<const definition::CompiledDefinition> ShopDefinition();

}  // namespace tutti::fuzz

#endif  // TUTTI_TESTS_FUZZ_SHOP_DEFINITION_H_
