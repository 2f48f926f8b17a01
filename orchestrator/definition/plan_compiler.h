// From mappings as written to plans: looks up every field, reads every literal by its field's type, checks every
// reference's place and type.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_PLAN_COMPILER_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_PLAN_COMPILER_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "orchestrator/definition/graph.h"
#include "orchestrator/definition/mapping_plan.h"
#include "orchestrator/definition/reference.h"
#include "orchestrator/definition/type_pool.h"
#include "orchestrator/definition/violations.h"
#include "orchestrator/definition/yaml_tree.h"

namespace tutti::definition {

// Where a mapping stands decides what it may read.
struct Place {
  enum class Kind { kAction, kCompensation, kLabels, kOutput };
  Kind kind = Kind::kAction;
  int step = -1;  // of kAction and kCompensation
};

// What is known about a definition's types. Null types could not be resolved; that has been said already, so references
// to them are let pass.
struct Schema {
  const google::protobuf::Descriptor* input = nullptr;
  std::vector<std::string> step_names;
  std::vector<const google::protobuf::Descriptor*> replies;  // of the actions
  std::vector<StepSet> predecessors;
};

// Not thread-safe. The plans point into `types`.
class PlanCompiler {
 public:
  // All must outlive the compiler.
  PlanCompiler(const TypePool* types, const Schema* schema, Violations* violations)
      : types_(types), schema_(schema), violations_(violations) {}

  // With violations the plan is incomplete. A missing node makes an empty message.
  std::unique_ptr<MessagePlan> CompileMessage(const Node* node, const google::protobuf::Descriptor* type,
                                              const std::string& path, const Place& place);
  TextPlan CompileText(const Node& node, const std::string& path, const Place& place);
  ValuePlan CompileValue(const Node& node, const std::string& path, const Place& place);

  // A dotted path of fields from `type` downwards. Nothing, with a violation, when there is none.
  std::optional<std::vector<const google::protobuf::FieldDescriptor*>> ResolvePath(
      const google::protobuf::Descriptor* type, const std::vector<std::string>& names, const std::string& shown,
      const std::string& path, int line);

  // Steps whose reply some mapping compiled so far reads without a default.
  const std::set<int>& needed_replies() const { return needed_replies_; }

 private:
  using FieldDescriptor = google::protobuf::FieldDescriptor;

  void CompileField(const Node& node, const FieldDescriptor& field, const std::string& path, const Place& place,
                    MessagePlan* plan);
  void CompileList(const Node& node, const FieldDescriptor& field, const std::string& path, const Place& place,
                   MessagePlan* plan);
  void CompileMap(const Node& node, const FieldDescriptor& field, const std::string& path, const Place& place,
                  MessagePlan* plan);
  // One value: a singular field, or one element of a repeated one.
  void CompileSingle(const Node& node, const FieldDescriptor& field, const std::string& path, const Place& place,
                     MessagePlan* plan);
  void CompileScalarNode(const Node& node, const FieldDescriptor& field, const std::string& path, const Place& place,
                         MessagePlan* plan);
  void CompileMessageLiteral(const Node& node, const FieldDescriptor& field, const std::string& path,
                             const Place& place, MessagePlan* plan);
  // `element`: into one element of a repeated field.
  void CompileCopy(const Node& node, const ReferenceText& reference, const FieldDescriptor& field, bool element,
                   const std::string& path, const Place& place, MessagePlan* plan);
  // The same into a google.protobuf.Value, Struct or ListValue, and of a scalar into a wrapper.
  void CompileJsonCopy(const Node& node, const ReferenceText& reference, const FieldDescriptor& field,
                       const std::string& path, const Place& place, MessagePlan* plan);
  void CompileWrappedCopy(const Node& node, const ReferenceText& reference, const FieldDescriptor& field,
                          const std::string& path, const Place& place, MessagePlan* plan);
  std::unique_ptr<google::protobuf::Message> CompileFallback(const Node& node, const ReferenceText& reference,
                                                             const FieldDescriptor& field, bool element,
                                                             const std::string& path);
  bool SetLiteral(const FieldDescriptor& field, const std::string& text, const std::string& path, int line,
                  google::protobuf::Message* message);
  // Literals go to the constants until a list has had a reference; from then on order matters.
  void PlaceLiteral(const Node& node, const FieldDescriptor& field, const std::string& text, const std::string& path,
                    MessagePlan* plan);

  std::optional<Template> ReadTemplate(const Node& node, const std::string& path);
  TextPlan CompileTemplate(const Template& parsed, const Node& node, const std::string& path, const Place& place);
  // Nothing when the reference is wrong, or leads through a type that is not known.
  std::optional<Reference> Resolve(const ReferenceText& text, const std::string& path, int line, const Place& place);
  std::optional<Reference> ResolveRoot(const ReferenceText& text, const std::string& path, int line,
                                       const Place& place);
  bool ResolveStep(const ReferenceText& text, const std::string& path, int line, const Place& place,
                   Reference* reference);
  std::string CheckReplyPlace(int step, bool has_fallback, const Place& place) const;
  // "`…` is a repeated string".
  static std::string Describe(const Reference& reference, const google::protobuf::Descriptor* root);
  const google::protobuf::Descriptor* RootType(const Reference& reference) const;

  const TypePool* const types_;
  const Schema* const schema_;
  Violations* const violations_;
  std::set<int> needed_replies_;
};

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_PLAN_COMPILER_H_
