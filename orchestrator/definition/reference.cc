#include "orchestrator/definition/reference.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tutti::definition {
namespace {

// Reads one reference from behind its `${` to its `}`.
class ReferenceReader {
 public:
  explicit ReferenceReader(absl::string_view rest) : rest_(rest) {}

  // Where the text goes on is rest().
  absl::StatusOr<ReferenceText> Read() {
    const absl::string_view start = rest_;
    ReferenceText reference;
    do {
      SkipSpace();
      std::string part = TakePart();
      if (part.empty()) return Mistake(start, "a name is missing");
      reference.path.push_back(std::move(part));
    } while (absl::ConsumePrefix(&rest_, "."));
    SkipSpace();
    if (absl::ConsumePrefix(&rest_, "|")) {
      SkipSpace();
      if (!absl::ConsumePrefix(&rest_, "default(")) return Mistake(start, "only default(…) can follow the `|`");
      if (!TakeFallback(&reference)) return Mistake(start, "the default does not end");
    }
    SkipSpace();
    if (!absl::ConsumePrefix(&rest_, "}")) return Mistake(start, "the closing } is missing");
    reference.text = absl::StrCat("${", start.substr(0, start.size() - rest_.size()));
    return reference;
  }

  absl::string_view rest() const { return rest_; }

 private:
  static absl::Status Mistake(absl::string_view start, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("`${", start.substr(0, 60), "`: ", what,
                                                   "; write ${input.field} or ${steps.name.reply.field | default(0)}, "
                                                   "and $${ for the characters themselves"));
  }

  void SkipSpace() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  std::string TakePart() {
    size_t n = 0;
    while (n < rest_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_' || rest_[n] == '-')) {
      ++n;
    }
    std::string part(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return part;
  }

  bool TakeFallback(ReferenceText* reference) {
    SkipSpace();
    std::string value;
    if (!rest_.empty() && (rest_[0] == '"' || rest_[0] == '\'')) {
      const char quote = rest_[0];
      size_t n = 1;
      for (; n < rest_.size() && rest_[n] != quote; ++n) {
        if (rest_[n] == '\\' && n + 1 < rest_.size()) ++n;
        value.push_back(rest_[n]);
      }
      if (n >= rest_.size()) return false;
      rest_.remove_prefix(n + 1);
      reference->fallback_quoted = true;
    } else {
      const size_t n = rest_.find(')');
      if (n == absl::string_view::npos) return false;
      value = std::string(absl::StripTrailingAsciiWhitespace(rest_.substr(0, n)));
      rest_.remove_prefix(n);
    }
    SkipSpace();
    reference->fallback = std::move(value);
    return absl::ConsumePrefix(&rest_, ")");
  }

  absl::string_view rest_;
};

}  // namespace

absl::StatusOr<Template> ParseTemplate(absl::string_view text) {
  Template result;
  std::string literal;
  while (!text.empty()) {
    if (absl::ConsumePrefix(&text, "$${")) {
      literal.append("${");
    } else if (absl::ConsumePrefix(&text, "${")) {
      ReferenceReader reader(text);
      absl::StatusOr<ReferenceText> reference = reader.Read();
      if (!reference.ok()) return reference.status();
      text = reader.rest();
      result.pieces.push_back({std::move(literal), *std::move(reference)});
      literal.clear();
    } else {
      literal.push_back(text[0]);
      text.remove_prefix(1);
    }
  }
  if (!literal.empty()) result.pieces.push_back({std::move(literal), std::nullopt});
  return result;
}

}  // namespace tutti::definition
