// The text of a definition as a tree that keeps what the compiler needs to be exact and to point at mistakes: lines,
// whether a scalar was quoted, and scalars as they were written (their types are decided by the fields they go to).
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_YAML_TREE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_YAML_TREE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "orchestrator/definition/violations.h"

namespace tutti::definition {

struct Entry;

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 0;         // from 1
  std::string text;     // of a scalar
  bool quoted = false;  // a scalar in quotes or a block scalar
  std::vector<Node> items;
  std::vector<Entry> entries;  // in the order written, no key twice

  bool IsNull() const { return kind == Kind::kNull; }
  bool IsScalar() const { return kind == Kind::kScalar; }
  bool IsList() const { return kind == Kind::kList; }
  bool IsMap() const { return kind == Kind::kMap; }
  // Null when there is no such key.
  const Node* Find(absl::string_view key) const;
  // "a list", for messages.
  std::string Describe() const;
};

struct Entry {
  std::string key;
  int line = 0;
  Node value;
};

// One YAML (or JSON) document. Refuses what would make a text mean something else than it seems to: duplicate keys,
// anchors, aliases, merge keys, tags, more documents than one, text that is not UTF-8. Nothing when the text cannot be
// read at all; a tree with violations added when it can be read but must not be used.
std::optional<Node> ParseTree(absl::string_view text, Violations* violations);

// The tree as one line with sorted keys; equal for texts that differ in layout, comments or key order only. Quotes
// count only where they decide about a type.
std::string CanonicalText(const Node& node);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_YAML_TREE_H_
