// What is wrong with a definition, collected so that its author sees everything at once.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_VIOLATIONS_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_VIOLATIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "common/limits.h"

namespace tutti::definition {

// Finds what a misspelt word may have meant, limits::kSuggestionsMax times: each look compares it with every candidate,
// and a text that is wrong everywhere must not cost more than one that is right. Not thread-safe.
class Suggester {
 public:
  // " (did you mean `price`?)" for the candidate nearest to `word`, or nothing when none is near.
  std::string For(absl::string_view word, const std::vector<std::string>& candidates);
  // For says nothing any more.
  bool spent() const { return left_ == 0; }

 private:
  int left_ = limits::kSuggestionsMax;
};

// Not thread-safe.
class Violations {
 public:
  // What is compiled: a text that somebody applies now, or one that was accepted before and must go on compiling.
  enum class Of { kApplied, kKept };
  explicit Violations(Of of = Of::kApplied) : of_(of) {}

  // `path` is "steps[1].action.method", empty for the document; `line` counts from 1, 0 when there is none.
  void Add(absl::string_view path, int line, std::string description);
  // For what an earlier version let pass: no mistake of a kept text.
  void AddUnlessKept(absl::string_view path, int line, std::string description);

  Of of() const { return of_; }
  Suggester* suggester() { return &suggester_; }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

  // INVALID_ARGUMENT with reason INVALID_DEFINITION, in the order of the text's lines. Needs at least one.
  absl::Status ToStatus() const;

 private:
  struct Entry {
    int line;
    FieldViolation violation;
  };
  const Of of_;
  Suggester suggester_;
  std::vector<Entry> entries_;
};

// "a.b", or "b" when `parent` is empty.
std::string ChildPath(absl::string_view parent, absl::string_view child);
std::string ItemPath(absl::string_view parent, size_t index);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_VIOLATIONS_H_
