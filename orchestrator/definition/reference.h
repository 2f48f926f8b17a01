// The `${…}` of mappings as text: where it begins and ends, its path, its default.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_REFERENCE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_REFERENCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tutti::definition {

struct ReferenceText {
  std::string text;                     // "${steps.charge.reply.payment_id}", as written
  std::vector<std::string> path;        // {"steps", "charge", "reply", "payment_id"}
  std::optional<std::string> fallback;  // of `| default(…)`, without its quotes
  bool fallback_quoted = false;
};

struct TemplatePiece {
  std::string literal;
  std::optional<ReferenceText> reference;  // comes after the literal
};

struct Template {
  std::vector<TemplatePiece> pieces;

  bool IsLiteral() const { return pieces.empty() || (pieces.size() == 1 && !pieces[0].reference.has_value()); }
  // A value that is nothing but one reference keeps its type.
  bool IsSoleReference() const {
    return pieces.size() == 1 && pieces[0].reference.has_value() && pieces[0].literal.empty();
  }
  std::string Literal() const { return pieces.empty() ? "" : pieces[0].literal; }
};

// `$${` stands for the characters `${`. The error says what is wrong and how a reference looks.
absl::StatusOr<Template> ParseTemplate(absl::string_view text);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_REFERENCE_H_
