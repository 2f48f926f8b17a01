// YAML or JSON in, a validated and compiled revision out. See docs/definitions.md for the language.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_COMPILER_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_COMPILER_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/struct.pb.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::definition {

// Where the descriptors of a participant's services come from: its server reflection, or a descriptor set from a file.
// May block on the network.
class DescriptorSource {
 public:
  virtual ~DescriptorSource() = default;
  virtual bool KnowsParticipant(absl::string_view participant) const = 0;
  // The file that defines the service or message `symbol`, and all it imports, in any order. NOT_FOUND when the
  // participant does not have it; FAILED_PRECONDITION, with the remedy, when its descriptors cannot be had until
  // somebody mends something (no reflection, no token, a missing file); UNAVAILABLE when they can be asked for again.
  virtual absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view participant,
                                                                         absl::string_view symbol) = 0;
};

// One immutable revision. Thread-safe.
class CompiledDefinition {
 public:
  virtual ~CompiledDefinition() = default;

  virtual std::shared_ptr<const saga::Recipe> recipe() const = 0;

  // Checks a client's input against the declared one. INVALID_ARGUMENT with one violation ("input.price") per mistake:
  // unknown, missing or mistyped fields, integers that would lose digits.
  virtual absl::StatusOr<std::string> EncodeInput(const google::protobuf::Struct& input) const = 0;
  // For reading back; 64-bit integers become strings, as in protobuf's JSON mapping. RESOURCE_EXHAUSTED when the input
  // with its defaults written out is larger than limits::kShownInputBytesMax or deeper than kJsonLevelsMax,
  // INVALID_ARGUMENT when JSON has no form for it, DATA_LOSS when the bytes are damaged. The saga itself does not need
  // it.
  virtual absl::StatusOr<google::protobuf::Struct> DecodeInput(absl::string_view encoded) const = 0;
  // For a step that an operator resolves as done: the action's reply, checked against its type. Nothing in, nothing
  // out, but INVALID_ARGUMENT when some mapping needs the reply. FAILED_PRECONDITION when there is no such step.
  virtual absl::StatusOr<std::optional<std::string>> EncodeReply(
      absl::string_view step, const std::optional<google::protobuf::Struct>& reply) const = 0;
  // UTF-8. INVALID_ARGUMENT, a violation each, when a label is longer than limits::kLabelBytesMax or cannot be written.
  virtual absl::StatusOr<std::map<std::string, std::string>> MapLabels(absl::string_view encoded_input) const = 0;
};

// What must be kept to compile the same thing again without asking anybody.
struct Compiled {
  std::shared_ptr<const CompiledDefinition> definition;
  std::string name;
  std::string digest;  // hex; the same for sources that differ in comments, layout or key order only
  google::protobuf::FileDescriptorSet descriptors;
};

// Resolves against `source`. INVALID_ARGUMENT with one violation per mistake, each naming line or path and the remedy;
// UNAVAILABLE when a participant's descriptors cannot be had. `revision` goes into the recipe.
absl::StatusOr<Compiled> Compile(absl::string_view text, int64_t revision, DescriptorSource* source);

// Compiles a kept revision from its stored descriptors. Only a damaged record fails.
absl::StatusOr<Compiled> Recompile(const storage::v1::DefinitionRecord& record);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_COMPILER_H_
