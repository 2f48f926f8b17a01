#include "orchestrator/definition/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "orchestrator/definition/scalar.h"

namespace tutti::definition {
namespace {

// Thrown by the handler through the parser, caught in ParseTree.
struct Refusal {
  std::string path;
  int line;
  std::string reason;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Violations* violations) : violations_(violations) {}

  bool has_root() const { return has_root_; }
  Node TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_root_) throw Refusal{"", LineOf(mark), "the text holds more than one document; apply them one by one"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckDecoration(mark, "", anchor);
    if (ExpectsKey()) throw Refusal{Path(), LineOf(mark), "a key is empty; give it a name"};
    // The parser marks what comes next; the key says where the value is missing.
    const bool has_key = !stack_.empty() && stack_.back().node.IsMap();
    Place(Node{.kind = Node::Kind::kNull, .line = has_key ? stack_.back().key_line : LineOf(mark)});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal{Path(), LineOf(mark), "aliases are not allowed; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckDecoration(mark, tag, anchor);
    if (ExpectsKey()) return TakeKey(value, LineOf(mark));
    Place(Node{.kind = Node::Kind::kScalar, .line = LineOf(mark), .text = value, .quoted = tag == "!"});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Node::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    Node node;
    std::string path;
    std::string key;
    int key_line = 0;
    bool has_key = false;
    bool key_refused = false;
  };

  static int LineOf(const YAML::Mark& mark) { return mark.line + 1; }

  bool ExpectsKey() const { return !stack_.empty() && stack_.back().node.IsMap() && !stack_.back().has_key; }

  // Of the value that comes next.
  std::string Path() const {
    if (stack_.empty()) return "";
    const Frame& frame = stack_.back();
    if (frame.node.IsList()) return ItemPath(frame.path, frame.node.items.size());
    return frame.has_key ? ChildPath(frame.path, frame.key) : frame.path;
  }

  void CheckDecoration(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      violations_->Add(Path(), LineOf(mark), "anchors are not allowed; write the value out where it is needed");
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      violations_->Add(Path(), LineOf(mark),
                       absl::StrCat("tags are not allowed; leave out `", tag, "`, the target field decides the type"));
    }
  }

  void TakeKey(const std::string& key, int line) {
    Frame& frame = stack_.back();
    frame.key = key;
    frame.key_line = line;
    frame.has_key = true;
    frame.key_refused = false;
    if (key == "<<") {
      violations_->Add(frame.path, line, "merge keys are not allowed; write the entries out");
      frame.key_refused = true;
      return;
    }
    // Sorted look-up: a map with very many keys must not cost its square.
    const auto [it, inserted] = seen_.back().emplace(key, line);
    if (!inserted) {
      violations_->Add(ChildPath(frame.path, key), line,
                       absl::StrCat("the key is given twice, first on line ", it->second, "; keep one"));
      frame.key_refused = true;
    }
  }

  void Open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (ExpectsKey()) throw Refusal{Path(), LineOf(mark), "a key must be a single word, not a list or a map"};
    if (static_cast<int>(stack_.size()) >= limits::kDefinitionDepthMax) {
      throw Refusal{Path(), LineOf(mark),
                    absl::StrCat("the text nests deeper than ", limits::kDefinitionDepthMax, " levels; flatten it")};
    }
    CheckDecoration(mark, tag, anchor);
    stack_.push_back(Frame{.node = {.kind = kind, .line = LineOf(mark)}, .path = Path()});
    seen_.emplace_back();
  }

  void Close() {
    Node node = std::move(stack_.back().node);
    stack_.pop_back();
    seen_.pop_back();
    Place(std::move(node));
  }

  // Each value may become a message of its own in the plan of a mapping, kept as long as the revision.
  void Count(int line) {
    if (++values_ != limits::kDefinitionValuesMax + 1) return;
    if (violations_->of() == Violations::Of::kApplied) {
      throw Refusal{"", line,
                    absl::StrCat("the text has more than ", limits::kDefinitionValuesMax,
                                 " values; pass large lists by reference")};
    }
  }

  void Place(Node node) {
    Count(node.line);
    if (stack_.empty()) {
      root_ = std::move(node);
      has_root_ = true;
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.IsList()) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.key_refused) frame.node.entries.push_back({std::move(frame.key), frame.key_line, std::move(node)});
    frame.has_key = false;
  }

  Violations* const violations_;
  Node root_;
  bool has_root_ = false;
  int values_ = 0;
  std::vector<Frame> stack_;
  std::vector<std::map<std::string, int>> seen_;  // the keys of each open map, with their lines
};

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

// Of `\uXXXX` at the front.
std::optional<uint32_t> HexEscape(absl::string_view text) {
  uint32_t code = 0;
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  for (const char c : text.substr(2, 4)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
  }
  return absl::SimpleHexAtoi(text.substr(2, 4), &code) ? std::optional<uint32_t>(code) : std::nullopt;
}

class IgnoringHandler final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

bool CheckEncoding(absl::string_view text, Violations* violations) {
  int line = 1;
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8CharacterBytes(text.substr(i));
    if (length == 0 || IsControl(text[i])) {
      violations->Add("", line, "the text is not UTF-8, or holds a control character; save it as UTF-8");
      return false;
    }
    if (text[i] == '\n') ++line;
    i += length;
  }
  return true;
}

// The scanner keeps every token of an unfinished flow collection, so hopeless texts are turned away before it sees
// them. Brackets inside quotes, comments or words count too: no readable definition has this many left open.
bool CheckBrackets(absl::string_view text, Violations* violations) {
  constexpr int kOpenBracketsMax = 4096;
  int open = 0;
  int line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    if (c == '[' || c == '{') ++open;
    if ((c == ']' || c == '}') && open > 0) --open;
    if (open > kOpenBracketsMax) {
      violations->Add("", line, "too many brackets are open; close them");
      return false;
    }
  }
  return true;
}

// The scanner takes a directive behind the document for the beginning of another, and forgets it at the end of the
// text.
void CheckTail(absl::string_view text, Violations* violations) {
  int line = 0;
  bool begun = false;
  for (const absl::string_view words : absl::StrSplit(text, '\n')) {
    ++line;
    if (begun && absl::StartsWith(words, "%")) {
      return violations->AddUnlessKept("", line,
                                       "a line that begins with % is no part of the text; remove or indent it");
    }
    const absl::string_view stripped = absl::StripLeadingAsciiWhitespace(words);
    begun |= !stripped.empty() && stripped[0] != '#' && stripped[0] != '%';
  }
}

// The scanner takes a quote that the end of the text leaves open for a closed one. The end of a document inside of
// quotes, however, is a mistake to it.
void CheckQuotesClosed(absl::string_view text, Violations* violations) {
  try {
    std::istringstream stream(absl::StrCat(text, "\n...\n"));
    YAML::Parser parser(stream);
    IgnoringHandler ignore;
    while (parser.HandleNextDocument(ignore)) {
    }
  } catch (const YAML::Exception& error) {
    violations->AddUnlessKept("", error.mark.is_null() ? 0 : error.mark.line + 1,
                              "a quote is opened and never closed; close it");
  }
}

// JSON spells what lies beyond U+FFFF as two escapes, YAML as one. Only in text that is JSON do quotes alone tell what
// is an escape.
std::string JoinSurrogates(absl::string_view text) {
  std::string joined;
  bool quoted = false;
  for (size_t i = 0; i < text.size();) {
    if (!quoted && (text[i] == '#' || text[i] == '\'')) return std::string(text);  // not JSON
    quoted ^= text[i] == '"';
    const bool escape = quoted && text[i] == '\\' && i + 1 < text.size();
    const std::optional<uint32_t> high = escape ? HexEscape(text.substr(i)) : std::nullopt;
    const std::optional<uint32_t> low = high.has_value() ? HexEscape(text.substr(i + 6)) : std::nullopt;
    const bool pair = low.has_value() && *high >= 0xD800 && *high < 0xDC00 && *low >= 0xDC00 && *low < 0xE000;
    const size_t bytes = pair ? 12 : escape ? 2 : 1;
    if (pair) {
      absl::StrAppendFormat(&joined, "\\U%08X", 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00));
    } else {
      absl::StrAppend(&joined, text.substr(i, bytes));
    }
    i += bytes;
  }
  return joined;
}

void AppendQuoted(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
  out->push_back('"');
}

void AppendCanonical(const Node& node, std::string* out) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out->append("null");
      return;
    case Node::Kind::kScalar:
      // A quoted true and a plain one differ where a google.protobuf.Value takes them.
      if (node.quoted && IsTypedWord(node.text)) out->push_back('q');
      AppendQuoted(node.text, out);
      return;
    case Node::Kind::kList:
      out->push_back('[');
      for (const Node& item : node.items) {
        AppendCanonical(item, out);
        out->push_back(',');
      }
      out->push_back(']');
      return;
    case Node::Kind::kMap: {
      std::vector<const Entry*> sorted;
      for (const Entry& entry : node.entries) sorted.push_back(&entry);
      std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) { return a->key < b->key; });
      out->push_back('{');
      for (const Entry* entry : sorted) {
        AppendQuoted(entry->key, out);
        out->push_back(':');
        AppendCanonical(entry->value, out);
        out->push_back(',');
      }
      out->push_back('}');
    }
  }
}

}  // namespace

const Node* Node::Find(absl::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string Node::Describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return absl::StrCat("`", text.size() > 60 ? absl::StrCat(text.substr(0, 60), "…") : text, "`");
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "";
}

std::optional<Node> ParseTree(absl::string_view text, Violations* violations) {
  if (text.size() > limits::kDefinitionBytesMax) {
    violations->Add(
        "", 0,
        absl::StrCat("the text has ", text.size(), " bytes, at most ", limits::kDefinitionBytesMax, " are allowed"));
    return std::nullopt;
  }
  if (!CheckEncoding(text, violations) || !CheckBrackets(text, violations)) return std::nullopt;
  const bool is_json = absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{");
  const std::string yaml = is_json ? JoinSurrogates(text) : std::string(text);
  TreeBuilder builder(violations);
  try {
    std::istringstream stream(yaml);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    violations->Add(refusal.path, refusal.line, refusal.reason);
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    violations->Add("", error.mark.is_null() ? 0 : error.mark.line + 1, absl::StrCat("not YAML: ", error.msg));
    return std::nullopt;
  }
  if (!builder.has_root()) {
    violations->Add("", 1, "the text is empty; see docs/definitions.md");
    return std::nullopt;
  }
  CheckTail(yaml, violations);
  CheckQuotesClosed(yaml, violations);
  return builder.TakeRoot();
}

std::string CanonicalText(const Node& node) {
  std::string out;
  AppendCanonical(node, &out);
  return out;
}

}  // namespace tutti::definition
