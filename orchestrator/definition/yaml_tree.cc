#include "orchestrator/definition/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
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

  void Place(Node node) {
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
  std::vector<Frame> stack_;
  std::vector<std::map<std::string, int>> seen_;  // the keys of each open map, with their lines
};

// The length of the UTF-8 sequence at `text`, or 0 when it is none that a person could have meant.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 || lead == '\t' || lead == '\n' || lead == '\r' ? 1 : 0;
  const size_t length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) >= 0xA0)) return 0;  // overlong, surrogates
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) >= 0x90)) return 0;  // overlong, beyond Unicode
  return length;
}

bool CheckEncoding(absl::string_view text, Violations* violations) {
  int line = 1;
  for (size_t i = 0; i < text.size();) {
    const size_t length = SequenceLength(text.substr(i));
    if (length == 0) {
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
  TreeBuilder builder(violations);
  try {
    std::istringstream stream{std::string(text)};
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
  return builder.TakeRoot();
}

std::string CanonicalText(const Node& node) {
  std::string out;
  AppendCanonical(node, &out);
  return out;
}

}  // namespace tutti::definition
