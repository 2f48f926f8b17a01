// A definition as written: keys, kinds, durations and limits checked, names and mappings not yet looked up.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_DEFINITION_SOURCE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_DEFINITION_SOURCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/definition/violations.h"
#include "orchestrator/definition/yaml_tree.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::definition {

// A word and where it stands. Empty when it was missing or refused.
struct Word {
  std::string text;
  std::string path;
  int line = 0;
};

// A part of the tree that is read once the types are known. `node` is null when it was left out.
struct Part {
  const Node* node = nullptr;
  std::string path;
};

struct CommandSource {
  Word method;
  Part request;
  Part metadata;
  Part rejected_when;
  int64_t attempt_timeout_ms = 0;
  saga::RetryPolicy retry;
  std::map<saga::StatusCode, v1::Outcome> outcomes;
};

struct StepSource {
  Word name;
  Word participant;
  v1::StepKind kind = v1::STEP_KIND_COMPENSATABLE;
  std::optional<std::vector<Word>> after;  // unset: follows the step written above
  int64_t deadline_ms = 0;
  CommandSource action;
  std::optional<CommandSource> compensation;
};

struct DefinitionSource {
  Word name;
  Part input;
  Part labels;
  Part output;
  int64_t timeout_ms = 0;
  std::vector<StepSource> steps;
};

// What could be read; `tree` must outlive it.
DefinitionSource ReadDefinition(const Node& tree, Violations* violations);

// A DNS label of at most limits::kNameBytesMax bytes.
bool IsName(absl::string_view text);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_DEFINITION_SOURCE_H_
