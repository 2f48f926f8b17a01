#include "orchestrator/api/filter.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"

namespace tutti::api {
namespace {

constexpr absl::string_view kFields =
    "state, definition, parked, labels.<key> and start_time can be asked for, e.g. "
    "state = RUNNING AND labels.user = \"u1\"";

const absl::Time kFirstTime = absl::FromUnixSeconds(-62'135'596'800);   // 0001-01-01T00:00:00Z
const absl::Time kEndOfTimes = absl::FromUnixSeconds(253'402'300'800);  // 10000-01-01T00:00:00Z

struct Token {
  enum class Kind { kEnd, kWord, kText, kOperator };
  Kind kind = Kind::kEnd;
  std::string text;
  size_t position = 0;  // from 0
};

absl::Status ErrorAt(size_t position, absl::string_view what) {
  return InvalidArgumentError("FILTER_INVALID", {{"filter", absl::StrCat("at position ", position + 1, ": ", what)}});
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<store::ListQuery> Parse() {
    if (absl::Status status = Advance(); !status.ok()) return status;
    if (token_.kind == Token::Kind::kEnd) return query_;
    for (;;) {
      if (absl::Status status = ParseTerm(); !status.ok()) return status;
      if (token_.kind == Token::Kind::kEnd) return query_;
      if (token_.kind != Token::Kind::kWord || token_.text != "AND") {
        return ErrorAt(token_.position, absl::StrCat("expected AND between terms, found \"", token_.text,
                                                     "\"; OR, NOT and brackets are not supported"));
      }
      if (absl::Status status = Advance(); !status.ok()) return status;
    }
  }

 private:
  absl::Status Advance() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    token_ = Token{Token::Kind::kEnd, "", at_};
    if (at_ == text_.size()) return absl::OkStatus();
    const char first = text_[at_];
    if (first == '"' || first == '\'') return ReadText(first);
    if (IsOperator(first)) {
      token_.kind = Token::Kind::kOperator;
      token_.text = std::string(1, text_[at_++]);
      if (at_ < text_.size() && text_[at_] == '=' && first != '=' && first != ':') token_.text += text_[at_++];
      return absl::OkStatus();
    }
    if (!IsWord(first)) return ErrorAt(at_, absl::StrCat("unexpected \"", std::string(1, first), "\""));
    token_.kind = Token::Kind::kWord;
    while (at_ < text_.size() && IsWord(text_[at_])) token_.text += text_[at_++];
    return absl::OkStatus();
  }

  absl::Status ReadText(char quote) {
    token_.kind = Token::Kind::kText;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        return absl::OkStatus();
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token_.text += text_[at_];
    }
    return ErrorAt(token_.position, "this quote is never closed");
  }

  absl::Status ParseTerm() {
    const Token field = token_;
    if (field.kind == Token::Kind::kEnd) return ErrorAt(field.position, absl::StrCat("a term is missing; ", kFields));
    if (field.kind != Token::Kind::kWord) {
      return ErrorAt(field.position, absl::StrCat("expected a field, found \"", field.text, "\"; ", kFields));
    }
    if (absl::Status status = Advance(); !status.ok()) return status;
    std::string key;
    const bool is_label = absl::StartsWith(field.text, "labels.");
    if (is_label) {
      key = field.text.substr(sizeof("labels.") - 1);
      if (key.empty() && token_.kind == Token::Kind::kText) {  // labels."any text"
        key = token_.text;
        if (absl::Status status = Advance(); !status.ok()) return status;
      }
      if (key.empty()) return ErrorAt(field.position, "the label's key is missing, e.g. labels.user = \"u1\"");
    } else if (field.text != "state" && field.text != "definition" && field.text != "parked" &&
               field.text != "start_time") {
      return ErrorAt(field.position, absl::StrCat("unknown field \"", field.text, "\"; ", kFields));
    }
    const Token comparison = token_;
    if (comparison.kind != Token::Kind::kOperator) {
      return ErrorAt(comparison.position, absl::StrCat("expected = after ", field.text));
    }
    const bool is_time = field.text == "start_time";
    if (comparison.text != "=" && !(is_time && (comparison.text[0] == '<' || comparison.text[0] == '>'))) {
      return ErrorAt(comparison.position,
                     is_time ? "start_time can be compared by =, >=, >, <= and <"
                             : absl::StrCat(field.text, " can only be compared by =, not ", comparison.text));
    }
    if (absl::Status status = Advance(); !status.ok()) return status;
    const Token value = token_;
    if (value.kind != Token::Kind::kWord && value.kind != Token::Kind::kText) {
      return ErrorAt(value.position, absl::StrCat("expected a value for ", field.text));
    }
    absl::Status status = is_label  ? AddLabel(key, value)
                          : is_time ? AddStartTime(comparison.text, value)
                                    : AddField(field, value);
    return status.ok() ? Advance() : status;
  }

  absl::Status AddLabel(const std::string& key, const Token& value) {
    if (query_.labels.size() >= static_cast<size_t>(limits::kLabelsMax)) {
      return ErrorAt(value.position, absl::StrCat("at most ", limits::kLabelsMax, " labels can be asked for"));
    }
    query_.labels.emplace_back(key, value.text);
    return absl::OkStatus();
  }

  absl::Status AddField(const Token& field, const Token& value) {
    const bool repeated = field.text == "state"        ? query_.state.has_value()
                          : field.text == "definition" ? !query_.definition.empty()
                                                       : query_.parked.has_value();
    if (repeated) {
      return ErrorAt(field.position, absl::StrCat(field.text, " is there twice; a saga has only one"));
    }
    if (field.text == "state") return AddState(value);
    if (field.text == "definition") {
      if (!ValidateName(value.text, "filter").ok()) {
        return ErrorAt(value.position, absl::StrCat("\"", value.text, "\" cannot be a definition's name"));
      }
      query_.definition = value.text;
      return absl::OkStatus();
    }
    if (value.text != "true" && value.text != "false") {
      return ErrorAt(value.position, absl::StrCat("parked is true or false, not \"", value.text, "\""));
    }
    query_.parked = value.text == "true";
    return absl::OkStatus();
  }

  absl::Status AddState(const Token& value) {
    v1::SagaState state = v1::SAGA_STATE_UNSPECIFIED;
    const std::string name = absl::StrCat("SAGA_STATE_", absl::StripPrefix(value.text, "SAGA_STATE_"));
    if (!v1::SagaState_Parse(name, &state) || state == v1::SAGA_STATE_UNSPECIFIED) {
      return ErrorAt(value.position, absl::StrCat("\"", value.text,
                                                  "\" is no state; the states are RUNNING, SUCCEEDED, COMPENSATING and "
                                                  "COMPENSATED"));
    }
    query_.state = state;
    return absl::OkStatus();
  }

  absl::Status AddStartTime(absl::string_view comparison, const Token& value) {
    absl::Time time;
    std::string detail;
    // RFC 3339 writes years in four digits; the parser takes any, and later ones do not fit into milliseconds.
    if (!absl::ParseTime(absl::RFC3339_full, value.text, &time, &detail) || time < kFirstTime || time >= kEndOfTimes) {
      return ErrorAt(value.position,
                     absl::StrCat("\"", value.text, "\" is no RFC 3339 time, e.g. \"2026-01-31T00:00:00Z\""));
    }
    // Starts are kept in whole milliseconds; a finer bound is moved to the one that means the same.
    const int64_t floor_ms = absl::ToUnixMillis(time);
    const int64_t ceiling_ms = absl::FromUnixMillis(floor_ms) == time ? floor_ms : floor_ms + 1;
    if (comparison == ">=" || comparison == "=") RaiseFrom(ceiling_ms);
    if (comparison == ">") RaiseFrom(floor_ms + 1);
    if (comparison == "<=" || comparison == "=") LowerTo(floor_ms);
    if (comparison == "<") LowerTo(ceiling_ms - 1);
    return absl::OkStatus();
  }

  void RaiseFrom(int64_t ms) { query_.started_from_ms = std::max(query_.started_from_ms.value_or(ms), ms); }
  void LowerTo(int64_t ms) { query_.started_to_ms = std::min(query_.started_to_ms.value_or(ms), ms); }

  static bool IsOperator(char c) { return c == '=' || c == '<' || c == '>' || c == '!' || c == ':'; }
  static bool IsWord(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return absl::ascii_isalnum(byte) || byte >= 0x80 || absl::StrContains("_-./@+*~#%$", c);
  }

  const absl::string_view text_;
  size_t at_ = 0;
  Token token_;
  store::ListQuery query_;
};

}  // namespace

absl::StatusOr<store::ListQuery> ParseFilter(absl::string_view filter) {
  if (filter.size() > limits::kFilterBytesMax) {
    return InvalidArgumentError("FILTER_INVALID",
                                {{"filter", absl::StrCat("longer than ", limits::kFilterBytesMax, " bytes")}});
  }
  return Parser(filter).Parse();
}

}  // namespace tutti::api
