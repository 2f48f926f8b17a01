#include "tools/tuttictl/yaml.h"

#include <cmath>
#include <cstdint>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "yaml-cpp/yaml.h"

namespace tutti::ctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Struct;
using google::protobuf::Timestamp;
using google::protobuf::Value;

// The emitter quotes what would break the grammar, but not text that readers would take for a number or a truth value.
bool IsPlainText(const std::string& text) {
  if (text.empty() || !absl::ascii_isalpha(static_cast<unsigned char>(text.front()))) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && !absl::StrContains("_-./", c)) return false;
  }
  for (const char* word : {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}) {
    if (absl::EqualsIgnoreCase(text, word)) return false;
  }
  return true;
}

void EmitText(const std::string& text, YAML::Emitter* out) {
  if (!IsPlainText(text)) *out << YAML::DoubleQuoted;
  *out << text;
}

std::string NumberText(double number) {
  if (std::isnan(number)) return ".nan";
  if (std::isinf(number)) return number > 0 ? ".inf" : "-.inf";
  constexpr double kExactIntegerMax = 9007199254740992.0;
  if (number == std::floor(number) && std::fabs(number) <= kExactIntegerMax) {
    return absl::StrCat(static_cast<int64_t>(number));
  }
  // The shorter form where it says the same.
  std::string text = absl::StrFormat("%.15g", number);
  if (std::strtod(text.c_str(), nullptr) != number) text = absl::StrFormat("%.17g", number);
  // 1e+300 is a number to YAML 1.2 only; 1.0e+300 is one to its predecessor, too.
  if (const size_t e = text.find('e'); e != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(e, ".0");
  }
  return text;
}

void EmitStruct(const Struct& value, YAML::Emitter* out);

void EmitValue(const Value& value, YAML::Emitter* out) {
  switch (value.kind_case()) {
    case Value::kStringValue:
      return EmitText(value.string_value(), out);
    case Value::kNumberValue:
      *out << NumberText(value.number_value());
      return;
    case Value::kBoolValue:
      *out << value.bool_value();
      return;
    case Value::kStructValue:
      return EmitStruct(value.struct_value(), out);
    case Value::kListValue:
      *out << YAML::BeginSeq;
      for (const Value& element : value.list_value().values()) EmitValue(element, out);
      *out << YAML::EndSeq;
      return;
    default:
      *out << YAML::Null;
  }
}

// By name: the map itself has no order.
void EmitStruct(const Struct& value, YAML::Emitter* out) {
  const std::map<std::string, const Value*> ordered = [&] {
    std::map<std::string, const Value*> fields;
    for (const auto& [key, field] : value.fields()) fields[key] = &field;
    return fields;
  }();
  *out << YAML::BeginMap;
  for (const auto& [key, field] : ordered) {
    *out << YAML::Key;
    EmitText(key, out);
    *out << YAML::Value;
    EmitValue(*field, out);
  }
  *out << YAML::EndMap;
}

void EmitMessage(const Message& message, YAML::Emitter* out);

// `index` is negative for a field that is not repeated.
void EmitField(const Message& message, const FieldDescriptor* field, int index, YAML::Emitter* out) {
  const auto* reflection = message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return EmitMessage(
          one ? reflection->GetMessage(message, field) : reflection->GetRepeatedMessage(message, field, index), out);
    case FieldDescriptor::CPPTYPE_STRING:
      return EmitText(
          one ? reflection->GetString(message, field) : reflection->GetRepeatedString(message, field, index), out);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number =
          one ? reflection->GetEnumValue(message, field) : reflection->GetRepeatedEnumValue(message, field, index);
      const auto* value = field->enum_type()->FindValueByNumber(number);
      if (value == nullptr) {
        *out << number;
      } else {
        *out << value->name();
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      *out << (one ? reflection->GetBool(message, field) : reflection->GetRepeatedBool(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      *out << (one ? reflection->GetInt32(message, field) : reflection->GetRepeatedInt32(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      *out << (one ? reflection->GetInt64(message, field) : reflection->GetRepeatedInt64(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      *out << NumberText(one ? reflection->GetDouble(message, field)
                             : reflection->GetRepeatedDouble(message, field, index));
      return;
    default:
      *out << YAML::Null;  // no message of the API has any other
  }
}

// The API's maps are from text to text.
void EmitMap(const Message& message, const FieldDescriptor* field, YAML::Emitter* out) {
  const auto* reflection = message.GetReflection();
  std::map<std::string, const Message*> ordered;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, field, i);
    ordered[entry.GetReflection()->GetString(entry, entry.GetDescriptor()->map_key())] = &entry;
  }
  *out << YAML::BeginMap;
  for (const auto& [key, entry] : ordered) {
    *out << YAML::Key;
    EmitText(key, out);
    *out << YAML::Value;
    EmitField(*entry, entry->GetDescriptor()->map_value(), -1, out);
  }
  *out << YAML::EndMap;
}

void EmitFields(const Message& message, YAML::Emitter* out) {
  const auto* reflection = message.GetReflection();
  *out << YAML::BeginMap;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const bool unset_message = !field->is_repeated() && field->has_presence() && !reflection->HasField(message, field);
    if (unset_message) continue;
    *out << YAML::Key << field->name() << YAML::Value;
    if (field->is_map()) {
      EmitMap(message, field, out);
    } else if (field->is_repeated()) {
      *out << YAML::BeginSeq;
      for (int j = 0; j < reflection->FieldSize(message, field); ++j) EmitField(message, field, j, out);
      *out << YAML::EndSeq;
    } else {
      EmitField(message, field, -1, out);
    }
  }
  *out << YAML::EndMap;
}

void EmitMessage(const Message& message, YAML::Emitter* out) {
  if (const auto* time = dynamic_cast<const Timestamp*>(&message); time != nullptr) {
    *out << YAML::DoubleQuoted << google::protobuf::util::TimeUtil::ToString(*time);
  } else if (const auto* json = dynamic_cast<const Struct*>(&message); json != nullptr) {
    EmitStruct(*json, out);
  } else {
    EmitFields(message, out);
  }
}

}  // namespace

std::string RenderYaml(const google::protobuf::Message& message) {
  YAML::Emitter out;
  EmitMessage(message, &out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace tutti::ctl
