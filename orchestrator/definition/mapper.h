// The saga room's Mapper over compiled plans.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_MAPPER_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_MAPPER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/definition/mapping_plan.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/type_pool.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::definition {

// A reply is a refusal when the field has the value. A field that is unset has the default that its .proto gives it
// (proto2); without one it has no value, nor has anything in a message that is unset.
struct RejectionRule {
  std::string text;  // "order.state: GONE"
  std::vector<const google::protobuf::FieldDescriptor*> path;
  Scalar value;
};

// gRPC refuses other bytes in a header.
bool IsHeaderText(absl::string_view text);

struct CommandPlan {
  std::unique_ptr<MessagePlan> request;
  std::map<std::string, TextPlan> metadata;
  const google::protobuf::Message* reply = nullptr;  // prototype
  std::vector<RejectionRule> rejected_when;
};

struct StepPlan {
  CommandPlan action;
  std::unique_ptr<CommandPlan> compensation;
};

struct DefinitionPlans {
  std::shared_ptr<const TypePool> types;  // the plans point into it
  SourceTypes sources;
  std::vector<StepPlan> steps;
  std::map<std::string, TextPlan> labels;
  std::vector<std::pair<std::string, ValuePlan>> output;
  bool inline_input = true;
  std::set<int> needed_replies;  // steps whose reply some mapping reads without a default
};

// Thread-safe: nothing changes after the constructor.
class PlanMapper final : public saga::Mapper {
 public:
  explicit PlanMapper(std::shared_ptr<const DefinitionPlans> plans) : plans_(std::move(plans)) {}

  absl::StatusOr<saga::MappedRequest> MapRequest(int step, v1::Operation operation, absl::string_view key,
                                                 const storage::v1::SagaRecord& saga) const override;
  saga::JudgedReply JudgeReply(int step, v1::Operation operation, absl::string_view reply) const override;
  saga::MappedOutput MapOutput(const storage::v1::SagaRecord& saga) const override;

 private:
  const CommandPlan& PlanOf(int step, v1::Operation operation) const;

  const std::shared_ptr<const DefinitionPlans> plans_;
};

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_MAPPER_H_
