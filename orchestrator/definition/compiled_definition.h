// The CompiledDefinition that a compilation makes.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_COMPILED_DEFINITION_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_COMPILED_DEFINITION_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "orchestrator/definition/compiler.h"
#include "orchestrator/definition/mapper.h"

namespace tutti::definition {

// Thread-safe.
class PlannedDefinition final : public CompiledDefinition {
 public:
  PlannedDefinition(std::shared_ptr<const saga::Recipe> recipe, std::shared_ptr<const DefinitionPlans> plans)
      : recipe_(std::move(recipe)), plans_(std::move(plans)) {}

  std::shared_ptr<const saga::Recipe> recipe() const override { return recipe_; }
  absl::StatusOr<std::string> EncodeInput(const google::protobuf::Struct& input) const override;
  absl::StatusOr<google::protobuf::Struct> DecodeInput(absl::string_view encoded) const override;
  absl::StatusOr<std::optional<std::string>> EncodeReply(
      absl::string_view step, const std::optional<google::protobuf::Struct>& reply) const override;
  absl::StatusOr<std::map<std::string, std::string>> MapLabels(absl::string_view encoded_input) const override;

 private:
  const std::shared_ptr<const saga::Recipe> recipe_;
  const std::shared_ptr<const DefinitionPlans> plans_;
};

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_COMPILED_DEFINITION_H_
