// Single values: as written in a definition, as fields of messages, and as text.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_SCALAR_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_SCALAR_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "google/protobuf/message.h"
#include "orchestrator/definition/violations.h"

namespace tutti::definition {

// Any field that is not a message: signed integers and enum numbers as int64_t, float as the double it equals, strings
// and bytes as they are.
using Scalar = std::variant<bool, int64_t, uint64_t, double, std::string>;

// True for text that JSON would read as null, a boolean or a number; `~` counts as null.
bool IsTypedWord(absl::string_view text);
// True for a JSON number.
bool IsNumber(absl::string_view text);

// Reads `text` as a value of the field's type: no octal, no exponent in integers, no yes/no, enums by name, bytes in
// base64 of either alphabet, strings as written. Errors say what is wrong and what to write instead.
absl::StatusOr<Scalar> ParseScalar(const google::protobuf::FieldDescriptor& field, absl::string_view text,
                                   Suggester* suggester);

// `index` counts in a repeated field and is ignored in others.
Scalar ReadScalar(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, int index);
// Appends to a repeated field, sets any other. The scalar must be of the field's type, or one that it can hold.
void WriteScalar(const Scalar& scalar, const google::protobuf::FieldDescriptor& field,
                 google::protobuf::Message* message);

// As protobuf's JSON mapping would write it, without quotes.
std::string RenderScalar(const google::protobuf::FieldDescriptor& field, const Scalar& scalar);

// "int64", "string", "repeated shop.v1.Item", "map<string, int32>".
std::string TypeName(const google::protobuf::FieldDescriptor& field);
// The same of one element of a repeated field.
std::string ElementTypeName(const google::protobuf::FieldDescriptor& field);

// "50ms", "2s", "1m", "1h", "7d" in milliseconds, up to max_ms.
absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text, int64_t max_ms = limits::kDurationMsMax);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_SCALAR_H_
