#include "orchestrator/definition/definition_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "orchestrator/definition/scalar.h"

namespace tutti::definition {
namespace {

constexpr const char* kNameRule = "use lower-case letters, digits and '-', starting with a letter";

// The gRPC codes by number.
const std::vector<std::string>& CodeNames() {
  static const auto& names = *new std::vector<std::string>{
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return names;
}

// Codes that the client library makes itself, so that they prove nothing about the participant.
bool IsMadeByTheClient(absl::string_view code) {
  return code == "CANCELLED" || code == "UNKNOWN" || code == "DEADLINE_EXCEEDED" || code == "UNAVAILABLE" ||
         code == "INTERNAL" || code == "RESOURCE_EXHAUSTED";
}

class Reader {
 public:
  explicit Reader(Violations* violations) : violations_(violations) {}

  DefinitionSource Definition(const Node& tree);

 private:
  // False, with a violation, when it is no map.
  bool CheckMap(const Node& node, const std::string& path, const std::vector<std::string>& keys);
  Word ReadWord(const Node& parent, const std::string& path, const char* key, bool required);
  Word ReadName(const Node& parent, const std::string& path, const char* key);
  void ReadDuration(const Node& parent, const std::string& path, const char* key, int64_t* value_ms);
  void ReadCount(const Node& parent, const std::string& path, const char* key, bool or_unlimited, int* value);
  static Part ReadPart(const Node& parent, const std::string& path, const char* key);

  StepSource Step(const Node& node, const std::string& path);
  v1::StepKind Kind(const Node& node, const std::string& path);
  void Compensation(const Node& node, const std::string& path, StepSource* step);
  CommandSource Command(const Node& node, const std::string& path, v1::StepKind kind, v1::Operation operation);
  void Retry(const Node& node, const std::string& path, bool refusals_count, saga::RetryPolicy* retry);
  void Outcomes(const Node& node, const std::string& path, v1::Operation operation,
                std::map<saga::StatusCode, v1::Outcome>* outcomes);
  void Outcome(const Entry& entry, const std::string& path, v1::Operation operation,
               std::map<saga::StatusCode, v1::Outcome>* outcomes);

  Violations* const violations_;
};

bool Reader::CheckMap(const Node& node, const std::string& path, const std::vector<std::string>& keys) {
  if (!node.IsMap()) {
    violations_->Add(path, node.line, absl::StrCat("expected a map, found ", node.Describe()));
    return false;
  }
  for (const Entry& entry : node.entries) {
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) continue;
    violations_->Add(ChildPath(path, entry.key), entry.line,
                     absl::StrCat("unknown key", violations_->suggester()->For(entry.key, keys), "; remove it"));
  }
  return true;
}

Word Reader::ReadWord(const Node& parent, const std::string& path, const char* key, bool required) {
  Word word{.path = ChildPath(path, key), .line = parent.line};
  const Node* node = parent.Find(key);
  if (node == nullptr) {
    if (required) violations_->Add(word.path, parent.line, "is missing; add it");
    return word;
  }
  word.line = node->line;
  if (!node->IsScalar() || node->text.empty()) {
    violations_->Add(word.path, node->line, absl::StrCat("expected a word, found ", node->Describe()));
    return word;
  }
  word.text = node->text;
  return word;
}

Word Reader::ReadName(const Node& parent, const std::string& path, const char* key) {
  Word word = ReadWord(parent, path, key, true);
  if (!word.text.empty() && !IsName(word.text)) {
    violations_->Add(word.path, word.line,
                     absl::StrCat("`", word.text.substr(0, 80), "` is not a name of at most ", limits::kNameBytesMax,
                                  " characters; ", kNameRule));
    word.text.clear();
  }
  return word;
}

void Reader::ReadDuration(const Node& parent, const std::string& path, const char* key, int64_t* value_ms) {
  if (parent.Find(key) == nullptr) return;
  const Word word = ReadWord(parent, path, key, false);
  if (word.text.empty()) return;
  const absl::StatusOr<int64_t> parsed = ParseDurationMs(word.text);
  if (!parsed.ok()) {
    violations_->Add(word.path, word.line, std::string(parsed.status().message()));
  } else if (*parsed == 0) {
    violations_->Add(word.path, word.line, "must be longer than nothing; leave it out for the default");
  } else {
    *value_ms = *parsed;
  }
}

void Reader::ReadCount(const Node& parent, const std::string& path, const char* key, bool or_unlimited, int* value) {
  if (parent.Find(key) == nullptr) return;
  const Word word = ReadWord(parent, path, key, false);
  if (word.text.empty()) return;
  if (or_unlimited && word.text == "unlimited") {
    *value = 0;
    return;
  }
  int count = 0;
  if (!absl::SimpleAtoi(word.text, &count) || !IsNumber(word.text) || count < 1 || count > limits::kAttemptsMax) {
    violations_->Add(word.path, word.line,
                     absl::StrCat("`", word.text.substr(0, 40), "` must be a whole number from 1 to ",
                                  limits::kAttemptsMax, or_unlimited ? ", or unlimited" : ""));
    return;
  }
  *value = count;
}

Part Reader::ReadPart(const Node& parent, const std::string& path, const char* key) {
  return Part{.node = parent.Find(key), .path = ChildPath(path, key)};
}

DefinitionSource Reader::Definition(const Node& tree) {
  DefinitionSource source;
  if (!CheckMap(tree, "", {"name", "input", "labels", "timeout", "steps", "output"})) return source;
  source.name = ReadName(tree, "", "name");
  source.input = ReadPart(tree, "", "input");
  source.labels = ReadPart(tree, "", "labels");
  source.output = ReadPart(tree, "", "output");
  ReadDuration(tree, "", "timeout", &source.timeout_ms);
  const Node* steps = tree.Find("steps");
  if (steps == nullptr || !steps->IsList() || steps->items.empty()) {
    violations_->Add("steps", steps == nullptr ? tree.line : steps->line,
                     steps == nullptr ? "is missing; add a list of steps" : "must be a list of at least one step");
    return source;
  }
  if (steps->items.size() > static_cast<size_t>(limits::kStepsMax)) {
    violations_->Add("steps", steps->line,
                     absl::StrCat("there are ", steps->items.size(), " steps, at most ", limits::kStepsMax,
                                  " are allowed; split the saga"));
    return source;
  }
  std::map<std::string, int> lines;
  for (size_t i = 0; i < steps->items.size(); ++i) {
    StepSource step = Step(steps->items[i], ItemPath("steps", i));
    if (!step.name.text.empty()) {
      const auto [it, inserted] = lines.emplace(step.name.text, step.name.line);
      if (!inserted) {
        violations_->Add(step.name.path, step.name.line,
                         absl::StrCat("`", step.name.text, "` is already the step on line ", it->second,
                                      "; give each step its own name"));
      }
    }
    source.steps.push_back(std::move(step));
  }
  return source;
}

StepSource Reader::Step(const Node& node, const std::string& path) {
  StepSource step;
  step.name.line = node.line;
  if (!CheckMap(node, path, {"name", "participant", "kind", "after", "deadline", "action", "compensation"}))
    return step;
  step.name = ReadName(node, path, "name");
  step.participant = ReadName(node, path, "participant");
  step.kind = Kind(node, path);
  if (const Node* after = node.Find("after")) {
    step.after.emplace();
    const std::string after_path = ChildPath(path, "after");
    if (!after->IsList()) {
      violations_->Add(after_path, after->line, "must be a list of step names; [] starts the step at once");
    }
    for (size_t i = 0; i < after->items.size(); ++i) {
      const Node& item = after->items[i];
      if (item.IsScalar()) {
        step.after->push_back({item.text, ItemPath(after_path, i), item.line});
      } else {
        violations_->Add(ItemPath(after_path, i), item.line, "must be the name of a step");
      }
    }
  }
  ReadDuration(node, path, "deadline", &step.deadline_ms);
  if (step.kind == v1::STEP_KIND_RETRIABLE && node.Find("deadline") != nullptr) {
    violations_->Add(ChildPath(path, "deadline"), node.Find("deadline")->line,
                     "a retriable step goes on until it succeeds and has no deadline; remove it");
  }
  const std::string action_path = ChildPath(path, "action");
  if (const Node* action = node.Find("action")) {
    step.action = Command(*action, action_path, step.kind, v1::OPERATION_ACTION);
  } else {
    violations_->Add(action_path, node.line, "is missing; say which method the step calls");
  }
  Compensation(node, path, &step);
  return step;
}

v1::StepKind Reader::Kind(const Node& node, const std::string& path) {
  const Word word = ReadWord(node, path, "kind", false);
  if (word.text.empty() || word.text == "compensatable") return v1::STEP_KIND_COMPENSATABLE;
  if (word.text == "pivot") return v1::STEP_KIND_PIVOT;
  if (word.text == "retriable") return v1::STEP_KIND_RETRIABLE;
  violations_->Add(word.path, word.line,
                   absl::StrCat("`", word.text.substr(0, 40), "` is not a kind",
                                violations_->suggester()->For(word.text, {"compensatable", "pivot", "retriable"}),
                                "; write compensatable, pivot or retriable"));
  return v1::STEP_KIND_COMPENSATABLE;
}

void Reader::Compensation(const Node& node, const std::string& path, StepSource* step) {
  const std::string compensation_path = ChildPath(path, "compensation");
  const Node* compensation = node.Find("compensation");
  const bool compensatable = step->kind == v1::STEP_KIND_COMPENSATABLE;
  if (compensation == nullptr) {
    if (compensatable) {
      violations_->Add(compensation_path, node.line,
                       "is missing; say how the step is undone, or `compensation: none` when it has no effect");
    }
    return;
  }
  if (compensation->IsScalar() && compensation->text == "none") return;
  if (!compensatable) {
    violations_->Add(compensation_path, compensation->line,
                     absl::StrCat("a ", step->kind == v1::STEP_KIND_PIVOT ? "pivot" : "retriable step",
                                  " is never undone; remove it, or make the step compensatable"));
    return;
  }
  step->compensation = Command(*compensation, compensation_path, step->kind, v1::OPERATION_COMPENSATION);
}

CommandSource Reader::Command(const Node& node, const std::string& path, v1::StepKind kind, v1::Operation operation) {
  CommandSource command;
  // Compensations and retriable actions must get through, so only their definition limits them.
  const bool must_succeed = operation == v1::OPERATION_COMPENSATION || kind == v1::STEP_KIND_RETRIABLE;
  constexpr int kActionAttempts = 5;
  command.retry.max_attempts = must_succeed ? 0 : kActionAttempts;
  command.attempt_timeout_ms = saga::CommandRecipe().attempt_timeout_ms;
  if (!CheckMap(node, path, {"method", "request", "metadata", "timeout", "retry", "outcomes", "rejected_when"})) {
    return command;
  }
  command.method = ReadWord(node, path, "method", true);
  command.request = ReadPart(node, path, "request");
  command.metadata = ReadPart(node, path, "metadata");
  command.rejected_when = ReadPart(node, path, "rejected_when");
  ReadDuration(node, path, "timeout", &command.attempt_timeout_ms);
  if (const Node* retry = node.Find("retry")) Retry(*retry, ChildPath(path, "retry"), must_succeed, &command.retry);
  if (const Node* outcomes = node.Find("outcomes")) {
    Outcomes(*outcomes, ChildPath(path, "outcomes"), operation, &command.outcomes);
  }
  return command;
}

void Reader::Retry(const Node& node, const std::string& path, bool refusals_count, saga::RetryPolicy* retry) {
  if (!CheckMap(node, path, {"max_attempts", "initial_backoff", "max_backoff", "multiplier", "max_refusals"})) return;
  ReadCount(node, path, "max_attempts", true, &retry->max_attempts);
  ReadCount(node, path, "max_refusals", false, &retry->max_refusals);
  const Node* refusals = node.Find("max_refusals");
  if (refusals != nullptr && !refusals_count) {
    violations_->Add(ChildPath(path, "max_refusals"), refusals->line,
                     "only compensations and retriable actions go on after a refusal; remove it");
  }
  ReadDuration(node, path, "initial_backoff", &retry->initial_backoff_ms);
  ReadDuration(node, path, "max_backoff", &retry->max_backoff_ms);
  if (retry->initial_backoff_ms > retry->max_backoff_ms) {
    violations_->Add(path, node.line,
                     absl::StrCat("initial_backoff (", retry->initial_backoff_ms, "ms) is longer than max_backoff (",
                                  retry->max_backoff_ms, "ms)"));
  }
  const Word multiplier = ReadWord(node, path, "multiplier", false);
  if (multiplier.text.empty()) return;
  double value = 0;
  constexpr double kMultiplierMax = 100;
  if (!IsNumber(multiplier.text) || !absl::SimpleAtod(multiplier.text, &value) || value < 1 || value > kMultiplierMax) {
    violations_->Add(multiplier.path, multiplier.line,
                     absl::StrCat("`", multiplier.text.substr(0, 40), "` must be a number from 1 to ", kMultiplierMax));
    return;
  }
  retry->multiplier = value;
}

void Reader::Outcomes(const Node& node, const std::string& path, v1::Operation operation,
                      std::map<saga::StatusCode, v1::Outcome>* outcomes) {
  if (!node.IsMap()) {
    violations_->Add(path, node.line, absl::StrCat("expected a map of code to outcome, found ", node.Describe()));
    return;
  }
  for (const Entry& entry : node.entries) Outcome(entry, ChildPath(path, entry.key), operation, outcomes);
}

void Reader::Outcome(const Entry& entry, const std::string& path, v1::Operation operation,
                     std::map<saga::StatusCode, v1::Outcome>* outcomes) {
  const auto& codes = CodeNames();
  const auto code = std::find(codes.begin(), codes.end(), entry.key);
  if (code == codes.end()) {
    violations_->Add(path, entry.line,
                     absl::StrCat("is not a gRPC status code", violations_->suggester()->For(entry.key, codes),
                                  "; write its name, for example NOT_FOUND"));
    return;
  }
  if (entry.key == "OK") {
    violations_->Add(path, entry.line, "OK cannot be moved; use rejected_when to read a refusal in a reply");
    return;
  }
  const std::string& text = entry.value.text;
  const auto outcome = text == "SUCCEEDED"  ? v1::OUTCOME_SUCCEEDED
                       : text == "REJECTED" ? v1::OUTCOME_REJECTED
                       : text == "UNKNOWN"  ? v1::OUTCOME_UNKNOWN
                                            : v1::OUTCOME_UNSPECIFIED;
  if (outcome == v1::OUTCOME_UNSPECIFIED) {
    violations_->Add(path, entry.value.line,
                     absl::StrCat(entry.value.Describe(), " is not an outcome",
                                  violations_->suggester()->For(text, {"SUCCEEDED", "REJECTED", "UNKNOWN"}),
                                  "; write SUCCEEDED, REJECTED or UNKNOWN"));
  } else if (outcome != v1::OUTCOME_UNKNOWN && IsMadeByTheClient(entry.key)) {
    violations_->Add(path, entry.line,
                     absl::StrCat(entry.key, " can come from the network instead of the participant, so it ",
                                  "proves nothing and stays UNKNOWN; remove it"));
  } else if (outcome == v1::OUTCOME_SUCCEEDED && operation == v1::OPERATION_ACTION) {
    violations_->Add(path, entry.line,
                     "a refused action has had no effect and cannot count as SUCCEEDED; let the participant answer OK");
  } else {
    (*outcomes)[static_cast<int>(code - codes.begin())] = outcome;
  }
}

}  // namespace

bool IsName(absl::string_view text) {
  if (text.empty() || text.size() > limits::kNameBytesMax) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_islower(byte) && !absl::ascii_isdigit(byte) && c != '-') return false;
  }
  return absl::ascii_islower(static_cast<unsigned char>(text.front())) && text.back() != '-';
}

DefinitionSource ReadDefinition(const Node& tree, Violations* violations) {
  return Reader(violations).Definition(tree);
}

}  // namespace tutti::definition
