#include "orchestrator/definition/input_codec.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/errors.h"
#include "common/limits.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/json_util.h"
#include "orchestrator/definition/decode.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/type_pool.h"
#include "orchestrator/definition/violations.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Struct;
using google::protobuf::Value;

std::string Describe(const Value& value) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      return "a number";
    case Value::kStringValue:
      return "a string";
    case Value::kBoolValue:
      return "a boolean";
    case Value::kStructValue:
      return "an object";
    case Value::kListValue:
      return "a list";
    default:
      return "null";
  }
}

constexpr size_t kViolationsMax = 100;

// Levels of messages, counted as limits::kJsonLevelsMax is.
int LevelsOf(const Struct& value);

int LevelsOf(const Value& value) {
  int deepest = 0;
  if (value.has_struct_value()) deepest = LevelsOf(value.struct_value());
  if (value.has_list_value()) {
    for (const Value& element : value.list_value().values()) deepest = std::max(deepest, LevelsOf(element));
    deepest += 2;
  }
  return deepest + 1;
}

int LevelsOf(const Struct& value) {
  int deepest = 0;
  for (const auto& entry : value.fields()) deepest = std::max(deepest, LevelsOf(entry.second));
  return deepest + (value.fields().empty() ? 1 : 2);
}

// A binary client can leave a Value of no kind, which JSON has no word for.
void SetNulls(Value* value) {
  if (value->kind_case() == Value::KIND_NOT_SET) value->set_null_value(google::protobuf::NULL_VALUE);
  if (value->has_struct_value()) {
    for (auto& entry : *value->mutable_struct_value()->mutable_fields()) SetNulls(&entry.second);
  }
  if (value->has_list_value()) {
    for (Value& element : *value->mutable_list_value()->mutable_values()) SetNulls(&element);
  }
}

class StructReader {
 public:
  // The whole: an object is also what a Struct or Value as such takes. Other types whose JSON form is no object take
  // {"value": …}, as they are shown.
  void Read(const Struct& input, const std::string& path, bool all_required, Message* message);
  const std::vector<FieldViolation>& violations() const { return violations_; }
  // Something was not read, because the messages take too much memory already.
  bool full() const { return full_; }
  void Refuse(const std::string& path, std::string description) {
    if (!told_enough()) violations_.push_back({path, std::move(description)});
  }

 private:
  // The rest need not be looked at: the whole is refused.
  bool told_enough() const { return violations_.size() >= kViolationsMax; }

  void ReadMessage(const Struct& input, const std::string& path, bool all_required, Message* message);
  void ReadField(const Value& value, const FieldDescriptor& field, const std::string& path, Message* message);
  void ReadMap(const Value& value, const FieldDescriptor& field, const std::string& path, Message* message);
  void ReadElement(const Value& value, const FieldDescriptor& field, const std::string& path, Message* message);
  void ReadStandard(const Value& value, const std::string& path, Message* message);
  // The text that ParseScalar reads; nothing, with a violation, when the value has the wrong shape.
  bool ScalarText(const Value& value, const FieldDescriptor& field, const std::string& path, std::string* text);
  bool NumberText(double number, const FieldDescriptor& field, const std::string& path, std::string* text);

  void RefuseUnknown(const std::string& path, const std::string& key, const Descriptor& type);

  std::vector<FieldViolation> violations_;
  bool full_ = false;
  Suggester suggester_;
};

void StructReader::Read(const Struct& input, const std::string& path, bool all_required, Message* message) {
  const std::string& type = message->GetDescriptor()->full_name();
  const auto value = input.fields().find("value");
  if (type == "google.protobuf.Struct" || type == "google.protobuf.Value") {
    Value whole;
    *whole.mutable_struct_value() = input;
    return ReadStandard(whole, path, message);
  }
  if (FindStandardType(type).has_value() && value != input.fields().end() && input.fields_size() == 1) {
    return ReadStandard(value->second, ChildPath(path, "value"), message);
  }
  ReadMessage(input, path, all_required, message);
}

void StructReader::RefuseUnknown(const std::string& path, const std::string& key, const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count() && !suggester_.spent(); ++i) names.push_back(type.field(i)->name());
  Refuse(path, absl::StrCat("there is no such field", suggester_.For(key, names), "; remove it"));
}

void StructReader::ReadMessage(const Struct& input, const std::string& path, bool all_required, Message* message) {
  const Descriptor* type = message->GetDescriptor();
  std::vector<std::pair<absl::string_view, const Value*>> sorted;
  sorted.reserve(static_cast<size_t>(input.fields_size()));
  for (const auto& [key, value] : input.fields()) sorted.emplace_back(key, &value);
  std::sort(sorted.begin(), sorted.end());
  std::set<absl::string_view> given;
  std::map<const google::protobuf::OneofDescriptor*, absl::string_view> chosen;
  for (const auto& [name, value] : sorted) {
    if (told_enough()) return;
    const std::string key(name);
    const std::string field_path = ChildPath(path, key);
    const FieldDescriptor* field = type->FindFieldByName(key);
    if (field == nullptr) {
      RefuseUnknown(field_path, key, *type);
      continue;
    }
    const bool takes_null = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                            field->message_type()->full_name() == "google.protobuf.Value";
    if (value->kind_case() == Value::KIND_NOT_SET || (value->has_null_value() && !takes_null)) continue;
    given.insert(name);
    if (const auto* oneof = field->real_containing_oneof()) {
      const auto [it, inserted] = chosen.emplace(oneof, name);
      if (!inserted) {
        Refuse(field_path, absl::StrCat("only one of `", it->second, "` and `", key, "` can be set; keep one"));
      }
    }
    ReadField(*value, *field, field_path, message);
  }
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor& field = *type->field(i);
    const bool required =
        field.is_required() || (all_required && !field.is_repeated() && !field.has_optional_keyword());
    if (required && given.count(field.name()) == 0) {
      Refuse(ChildPath(path, field.name()), absl::StrCat("is missing; give a ", TypeName(field)));
    }
  }
}

void StructReader::ReadField(const Value& value, const FieldDescriptor& field, const std::string& path,
                             Message* message) {
  if (field.is_map()) return ReadMap(value, field, path, message);
  if (!field.is_repeated()) return ReadElement(value, field, path, message);
  if (!value.has_list_value()) {
    return Refuse(path, absl::StrCat("expected a list for ", TypeName(field), ", found ", Describe(value)));
  }
  for (int i = 0; i < value.list_value().values_size() && !told_enough(); ++i) {
    ReadElement(value.list_value().values(i), field, ItemPath(path, static_cast<size_t>(i)), message);
  }
}

void StructReader::ReadMap(const Value& value, const FieldDescriptor& field, const std::string& path,
                           Message* message) {
  if (!value.has_struct_value()) {
    return Refuse(path, absl::StrCat("expected an object for ", TypeName(field), ", found ", Describe(value)));
  }
  for (const auto& [key, element] : value.struct_value().fields()) {
    if (told_enough()) return;
    const std::string entry_path = ChildPath(path, key);
    const absl::StatusOr<Scalar> scalar = ParseScalar(*field.message_type()->map_key(), key, &suggester_);
    if (!scalar.ok()) {
      Refuse(entry_path, absl::StrCat("the key ", scalar.status().message()));
      continue;
    }
    Message* entry = message->GetReflection()->AddMessage(message, &field);
    WriteScalar(*scalar, *field.message_type()->map_key(), entry);
    ReadElement(element, *field.message_type()->map_value(), entry_path, entry);
  }
}

void StructReader::ReadElement(const Value& value, const FieldDescriptor& field, const std::string& path,
                               Message* message) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    std::string text;
    if (!ScalarText(value, field, path, &text)) return;
    const absl::StatusOr<Scalar> scalar = ParseScalar(field, text, &suggester_);
    if (!scalar.ok()) return Refuse(path, std::string(scalar.status().message()));
    WriteScalar(*scalar, field, message);
    return;
  }
  const absl::Status space = CheckSpace(*message->GetArena());
  if (!space.ok()) {
    if (!std::exchange(full_, true)) Refuse(path, absl::StrCat(space.message(), "; send less"));
    return;
  }
  Message* child = field.is_repeated() ? message->GetReflection()->AddMessage(message, &field)
                                       : message->GetReflection()->MutableMessage(message, &field);
  if (FindStandardType(child->GetDescriptor()->full_name()).has_value()) return ReadStandard(value, path, child);
  if (!value.has_struct_value()) {
    return Refuse(path, absl::StrCat("expected an object for ", ElementTypeName(field), ", found ", Describe(value)));
  }
  ReadMessage(value.struct_value(), path, false, child);
}

bool StructReader::NumberText(double number, const FieldDescriptor& field, const std::string& path, std::string* text) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  const bool integral =
      field.cpp_type() != FieldDescriptor::CPPTYPE_FLOAT && field.cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE;
  if (!integral) {
    *text = absl::StrFormat("%.17g", number);
    return true;
  }
  if (!std::isfinite(number) || number != std::trunc(number)) {
    Refuse(path, absl::StrCat("expected a whole number for ", ElementTypeName(field)));
    return false;
  }
  if (std::abs(number) >= kExactMax) {
    Refuse(path, "integers from 2^53 on lose digits in JSON; send it as a string");
    return false;
  }
  *text = absl::StrCat(static_cast<int64_t>(number));
  return true;
}

bool StructReader::ScalarText(const Value& value, const FieldDescriptor& field, const std::string& path,
                              std::string* text) {
  const bool is_bool = field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL;
  const bool is_text =
      field.cpp_type() == FieldDescriptor::CPPTYPE_STRING || field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
  if (is_bool && value.has_bool_value()) {
    *text = value.bool_value() ? "true" : "false";
    return true;
  }
  if (!is_bool && value.has_string_value()) {
    *text = value.string_value();
    return true;
  }
  if (!is_bool && !is_text && value.has_number_value()) return NumberText(value.number_value(), field, path, text);
  Refuse(path, absl::StrCat("expected ", ElementTypeName(field), ", found ", Describe(value)));
  return false;
}

void StructReader::ReadStandard(const Value& value, const std::string& path, Message* message) {
  const std::string& type = message->GetDescriptor()->full_name();
  Value settled = value;
  SetNulls(&settled);
  bool done = false;
  if (type == "google.protobuf.Value") {
    done = message->ParseFromString(settled.SerializeAsString());
  } else if (type == "google.protobuf.Struct") {
    done = value.has_struct_value() && message->ParseFromString(settled.struct_value().SerializeAsString());
  } else if (type == "google.protobuf.ListValue") {
    done = value.has_list_value() && message->ParseFromString(settled.list_value().SerializeAsString());
  } else if (const FieldDescriptor* wrapped = message->GetDescriptor()->FindFieldByName("value");
             wrapped != nullptr && message->GetDescriptor()->field_count() == 1) {
    return ReadElement(value, *wrapped, path, message);
  } else {
    std::string json;
    done = google::protobuf::util::MessageToJsonString(settled, &json).ok() &&
           google::protobuf::util::JsonStringToMessage(json, message).ok();
  }
  if (!done) Refuse(path, absl::StrCat(Describe(value), " is not the JSON form of ", type));
}

}  // namespace

std::string SerializeDeterministically(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&coded);
  }
  return bytes;
}

absl::StatusOr<std::string> EncodeStruct(const Struct& input, const Message& prototype, bool all_required,
                                         const std::string& root) {
  StructReader reader;
  if (LevelsOf(input) > limits::kJsonLevelsMax) {
    reader.Refuse(root,
                  absl::StrCat("nests deeper than ", limits::kJsonLevelsMax,
                               " levels (an object or a list counts three), more than clients can read; flatten it"));
    return InvalidArgumentError("INPUT_INVALID", reader.violations());
  }
  google::protobuf::Arena arena;
  Message* message = prototype.New(&arena);
  reader.Read(input, root, all_required, message);
  if (reader.full()) return InvalidArgumentError("INPUT_INVALID", reader.violations());
  std::string bytes = SerializeDeterministically(*message);
  if (bytes.size() > limits::kInputBytesMax) {
    reader.Refuse(root, absl::StrCat("has ", bytes.size(), " bytes, at most ", limits::kInputBytesMax,
                                     " are allowed; pass large values by reference"));
  }
  if (!reader.violations().empty()) return InvalidArgumentError("INPUT_INVALID", reader.violations());
  return bytes;
}

}  // namespace tutti::definition
