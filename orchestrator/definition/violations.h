// What is wrong with a definition, collected so that its author sees everything at once.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_VIOLATIONS_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_VIOLATIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"

namespace tutti::definition {

// Not thread-safe.
class Violations {
 public:
  // `path` is "steps[1].action.method", empty for the document; `line` counts from 1, 0 when there is none.
  void Add(absl::string_view path, int line, std::string description);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

  // INVALID_ARGUMENT with reason INVALID_DEFINITION, in the order of the text's lines. Needs at least one.
  absl::Status ToStatus() const;

 private:
  struct Entry {
    int line;
    FieldViolation violation;
  };
  std::vector<Entry> entries_;
};

// "a.b", or "b" when `parent` is empty.
std::string ChildPath(absl::string_view parent, absl::string_view child);
std::string ItemPath(absl::string_view parent, size_t index);

// " (did you mean `price`?)" for the candidate nearest to `word`, or nothing when none is near.
std::string Suggestion(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_VIOLATIONS_H_
