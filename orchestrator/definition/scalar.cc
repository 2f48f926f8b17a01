#include "orchestrator/definition/scalar.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/check.h"
#include "common/limits.h"

namespace tutti::definition {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status Mistake(const FieldDescriptor& field, absl::string_view text, absl::string_view advice) {
  const std::string shown = text.size() > 60 ? absl::StrCat(text.substr(0, 60), "…") : std::string(text);
  return absl::InvalidArgumentError(absl::StrCat("`", shown, "` is not ", ElementTypeName(field), "; ", advice));
}

bool IsDigits(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return !text.empty();
}

template <typename Integer>
absl::StatusOr<Scalar> ParseInteger(const FieldDescriptor& field, absl::string_view text) {
  absl::string_view digits = text;
  const bool negative = absl::ConsumePrefix(&digits, "-");
  if (!IsDigits(digits)) return Mistake(field, text, "write a whole number in decimal digits, without exponent");
  if (digits.size() > 1 && digits[0] == '0') {
    return Mistake(field, text, "write the number without leading zeros, readers disagree about their meaning");
  }
  Integer value = 0;
  if ((negative && !std::numeric_limits<Integer>::is_signed && digits != "0") || !absl::SimpleAtoi(text, &value)) {
    return Mistake(field, text,
                   absl::StrCat("it must be between ", std::numeric_limits<Integer>::min(), " and ",
                                std::numeric_limits<Integer>::max()));
  }
  if constexpr (std::numeric_limits<Integer>::is_signed) return Scalar(static_cast<int64_t>(value));
  return Scalar(static_cast<uint64_t>(value));
}

absl::StatusOr<Scalar> ParseReal(const FieldDescriptor& field, absl::string_view text, bool single) {
  double value = 0;
  if (text == "NaN") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (text == "Infinity" || text == "-Infinity") {
    value = text[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  } else {
    if (!IsNumber(text) || !absl::SimpleAtod(text, &value)) {
      return Mistake(field, text, "write a number such as 1.5 or 2e3");
    }
    // What rounds to the largest float is one: JSON writes that with fewer digits than it has.
    if (single) value = static_cast<float>(value);
    if (!std::isfinite(value)) return Mistake(field, text, "it is out of range");
  }
  return Scalar(value);
}

absl::StatusOr<Scalar> ParseEnum(const FieldDescriptor& field, absl::string_view text, Suggester* suggester) {
  const EnumValueDescriptor* value = field.enum_type()->FindValueByName(std::string(text));
  if (value != nullptr) return Scalar(static_cast<int64_t>(value->number()));
  std::vector<std::string> names;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) names.push_back(field.enum_type()->value(i)->name());
  return Mistake(field, text, absl::StrCat("write the name of one of its values", suggester->For(text, names)));
}

std::string RenderReal(double value, bool single) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char buffer[64];
  const auto end = single ? std::to_chars(buffer, buffer + sizeof(buffer), static_cast<float>(value)).ptr
                          : std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return std::string(buffer, end);
}

}  // namespace

bool IsNumber(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  const auto take_digits = [&text] {
    size_t n = 0;
    while (n < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[n]))) ++n;
    text.remove_prefix(n);
    return n;
  };
  const bool leading_zero = !text.empty() && text[0] == '0';
  const size_t whole = take_digits();
  if (whole == 0 || (leading_zero && whole > 1)) return false;
  if (absl::ConsumePrefix(&text, ".") && take_digits() == 0) return false;
  if (absl::ConsumePrefix(&text, "e") || absl::ConsumePrefix(&text, "E")) {
    if (!absl::ConsumePrefix(&text, "-")) absl::ConsumePrefix(&text, "+");
    if (take_digits() == 0) return false;
  }
  return text.empty();
}

bool IsTypedWord(absl::string_view text) {
  return text.empty() || text == "~" || text == "true" || text == "false" || absl::EqualsIgnoreCase(text, "null") ||
         IsNumber(text);
}

absl::StatusOr<Scalar> ParseScalar(const FieldDescriptor& field, absl::string_view text, Suggester* suggester) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text == "true" || text == "false") return Scalar(text == "true");
      return Mistake(field, text, "write true or false");
    case FieldDescriptor::CPPTYPE_INT32:
      return ParseInteger<int32_t>(field, text);
    case FieldDescriptor::CPPTYPE_INT64:
      return ParseInteger<int64_t>(field, text);
    case FieldDescriptor::CPPTYPE_UINT32:
      return ParseInteger<uint32_t>(field, text);
    case FieldDescriptor::CPPTYPE_UINT64:
      return ParseInteger<uint64_t>(field, text);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return ParseReal(field, text, true);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ParseReal(field, text, false);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ParseEnum(field, text, suggester);
    case FieldDescriptor::CPPTYPE_STRING: {
      if (field.type() != FieldDescriptor::TYPE_BYTES) return Scalar(std::string(text));
      std::string bytes;
      if (!absl::Base64Unescape(text, &bytes) && !absl::WebSafeBase64Unescape(text, &bytes)) {
        return Mistake(field, text, "write it in base64");
      }
      return Scalar(std::move(bytes));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return Mistake(field, text, "write a map of its fields");
}

Scalar ReadScalar(const Message& message, const FieldDescriptor& field, int index) {
  const auto& r = *message.GetReflection();
  const FieldDescriptor* f = &field;
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return repeated ? r.GetRepeatedBool(message, f, index) : r.GetBool(message, f);
    case FieldDescriptor::CPPTYPE_INT32:
      return int64_t{repeated ? r.GetRepeatedInt32(message, f, index) : r.GetInt32(message, f)};
    case FieldDescriptor::CPPTYPE_INT64:
      return int64_t{repeated ? r.GetRepeatedInt64(message, f, index) : r.GetInt64(message, f)};
    case FieldDescriptor::CPPTYPE_UINT32:
      return uint64_t{repeated ? r.GetRepeatedUInt32(message, f, index) : r.GetUInt32(message, f)};
    case FieldDescriptor::CPPTYPE_UINT64:
      return uint64_t{repeated ? r.GetRepeatedUInt64(message, f, index) : r.GetUInt64(message, f)};
    case FieldDescriptor::CPPTYPE_FLOAT:
      return double{repeated ? r.GetRepeatedFloat(message, f, index) : r.GetFloat(message, f)};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return repeated ? r.GetRepeatedDouble(message, f, index) : r.GetDouble(message, f);
    case FieldDescriptor::CPPTYPE_ENUM:
      return int64_t{repeated ? r.GetRepeatedEnumValue(message, f, index) : r.GetEnumValue(message, f)};
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? r.GetRepeatedString(message, f, index) : r.GetString(message, f);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  TUTTI_CHECK(false, "a message is no scalar");
  return false;
}

namespace {

int64_t AsSigned(const Scalar& scalar) {
  if (const auto* value = std::get_if<uint64_t>(&scalar)) return static_cast<int64_t>(*value);
  return std::get<int64_t>(scalar);
}

}  // namespace

void WriteScalar(const Scalar& scalar, const FieldDescriptor& field, Message* m) {
  const auto& r = *m->GetReflection();
  const FieldDescriptor* f = &field;
  const bool add = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return add ? r.AddBool(m, f, std::get<bool>(scalar)) : r.SetBool(m, f, std::get<bool>(scalar));
    case FieldDescriptor::CPPTYPE_INT32: {
      const auto value = static_cast<int32_t>(AsSigned(scalar));
      return add ? r.AddInt32(m, f, value) : r.SetInt32(m, f, value);
    }
    case FieldDescriptor::CPPTYPE_INT64:
      return add ? r.AddInt64(m, f, AsSigned(scalar)) : r.SetInt64(m, f, AsSigned(scalar));
    case FieldDescriptor::CPPTYPE_UINT32: {
      const auto value = static_cast<uint32_t>(std::get<uint64_t>(scalar));
      return add ? r.AddUInt32(m, f, value) : r.SetUInt32(m, f, value);
    }
    case FieldDescriptor::CPPTYPE_UINT64:
      return add ? r.AddUInt64(m, f, std::get<uint64_t>(scalar)) : r.SetUInt64(m, f, std::get<uint64_t>(scalar));
    case FieldDescriptor::CPPTYPE_FLOAT: {
      const auto value = static_cast<float>(std::get<double>(scalar));
      return add ? r.AddFloat(m, f, value) : r.SetFloat(m, f, value);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return add ? r.AddDouble(m, f, std::get<double>(scalar)) : r.SetDouble(m, f, std::get<double>(scalar));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int value = static_cast<int>(AsSigned(scalar));
      return add ? r.AddEnumValue(m, f, value) : r.SetEnumValue(m, f, value);
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return add ? r.AddString(m, f, std::get<std::string>(scalar)) : r.SetString(m, f, std::get<std::string>(scalar));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      TUTTI_CHECK(false, "a message is no scalar");
  }
}

std::string RenderScalar(const FieldDescriptor& field, const Scalar& scalar) {
  if (const auto* value = std::get_if<bool>(&scalar)) return *value ? "true" : "false";
  if (const auto* value = std::get_if<uint64_t>(&scalar)) return absl::StrCat(*value);
  if (const auto* value = std::get_if<double>(&scalar)) {
    return RenderReal(*value, field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT);
  }
  if (const auto* value = std::get_if<std::string>(&scalar)) {
    return field.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(*value) : *value;
  }
  const int64_t number = std::get<int64_t>(scalar);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(static_cast<int>(number));
    if (value != nullptr) return value->name();
  }
  return absl::StrCat(number);
}

std::string ElementTypeName(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return field.message_type()->full_name();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) return field.enum_type()->full_name();
  return field.type_name();
}

std::string TypeName(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat("map<", ElementTypeName(*field.message_type()->map_key()), ", ",
                        ElementTypeName(*field.message_type()->map_value()), ">");
  }
  return absl::StrCat(field.is_repeated() ? "repeated " : "", ElementTypeName(field));
}

absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text, int64_t max_ms) {
  static constexpr struct {
    absl::string_view suffix;
    int64_t ms;
  } kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const std::string mistake = absl::StrCat(
      "`", text.substr(0, 40), "` is not a duration; write a whole number with a unit: ", "50ms, 2s, 1m, 1h or 7d");
  for (const auto& unit : kUnits) {
    absl::string_view digits = text;
    if (!absl::ConsumeSuffix(&digits, unit.suffix) || !IsDigits(digits)) continue;
    int64_t count = 0;
    if (!absl::SimpleAtoi(digits, &count) || count > max_ms / unit.ms) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", text.substr(0, 40), "` is too long; at most ", max_ms / 86'400'000, "d are allowed"));
    }
    return count * unit.ms;
  }
  return absl::InvalidArgumentError(mistake);
}

}  // namespace tutti::definition
