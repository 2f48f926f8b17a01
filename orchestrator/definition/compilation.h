// One run of the compiler: from text to plans, with everything that is wrong collected on the way.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_COMPILATION_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_COMPILATION_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/definition/compiler.h"
#include "orchestrator/definition/definition_source.h"
#include "orchestrator/definition/graph.h"
#include "orchestrator/definition/input_type.h"
#include "orchestrator/definition/mapper.h"
#include "orchestrator/definition/plan_compiler.h"
#include "orchestrator/definition/type_pool.h"

namespace tutti::definition {

// Used once. Not thread-safe.
class Compilation {
 public:
  Compilation(int64_t revision, DescriptorSource* descriptors, Violations::Of of)
      : revision_(revision), descriptors_(descriptors), violations_(of) {}

  absl::StatusOr<Compiled> Run(absl::string_view text);

 private:
  struct Methods {
    const google::protobuf::MethodDescriptor* action = nullptr;
    const google::protobuf::MethodDescriptor* compensation = nullptr;
  };

  // Asking participants. Each service and message is asked for once.
  void Gather(const DefinitionSource& source);
  void GatherCommand(const StepSource& step, const CommandSource& command);
  bool GatherType(const DefinitionSource& source, const std::string& type, const std::string& path, int line);
  void GatherInput(const DefinitionSource& source);
  absl::Status Ask(const std::string& participant, const std::string& symbol);

  void ResolveMethods(const DefinitionSource& source);
  const google::protobuf::MethodDescriptor* ResolveMethod(const StepSource& step, const CommandSource& command);
  void MakeSchema(const DefinitionSource& source);

  void PlanSteps(const DefinitionSource& source);
  void PlanCommand(const CommandSource& command, const google::protobuf::MethodDescriptor& method, const Place& place,
                   CommandPlan* plan);
  void PlanMetadata(const Part& part, const Place& place, CommandPlan* plan);
  void CheckHeaderText(const TextPlan& value, const std::string& path, int line, size_t* bytes);
  void PlanRejections(const Part& part, const google::protobuf::Descriptor& reply, CommandPlan* plan);
  void PlanLabels(const Part& part);
  void PlanOutput(const Part& part);

  saga::Recipe MakeRecipe(const DefinitionSource& source) const;
  google::protobuf::FileDescriptorSet NeededDescriptors() const;

  const int64_t revision_;
  DescriptorSource* const descriptors_;
  Violations violations_;
  absl::Status unavailable_;  // the first participant that could not be asked
  std::shared_ptr<TypePool> types_ = std::make_shared<TypePool>();
  std::map<std::pair<std::string, std::string>, absl::Status> asked_;
  InputDeclaration input_;
  std::map<std::string, NamedType> input_types_;
  Graph graph_;
  std::vector<Methods> methods_;
  Schema schema_;
  std::unique_ptr<PlanCompiler> planner_;
  std::shared_ptr<DefinitionPlans> plans_ = std::make_shared<DefinitionPlans>();
};

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_COMPILATION_H_
