#include "orchestrator/definition/value_copy.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/type_pool.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;

bool CanCopyElement(const FieldDescriptor& from, const FieldDescriptor& to) {
  switch (from.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && from.message_type() == to.message_type();
    case FieldDescriptor::CPPTYPE_ENUM:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_ENUM && from.enum_type() == to.enum_type();
    case FieldDescriptor::CPPTYPE_STRING:
      return from.type() == to.type();
    case FieldDescriptor::CPPTYPE_INT32:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_INT32 || to.cpp_type() == FieldDescriptor::CPPTYPE_INT64;
    case FieldDescriptor::CPPTYPE_UINT32:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 || to.cpp_type() == FieldDescriptor::CPPTYPE_UINT64 ||
             to.cpp_type() == FieldDescriptor::CPPTYPE_INT64;
    case FieldDescriptor::CPPTYPE_FLOAT:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT || to.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
    default:
      return from.cpp_type() == to.cpp_type();
  }
}

void CopyElement(const Message& source, const FieldDescriptor& from, int index, const FieldDescriptor& to,
                 Message* target) {
  if (from.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    Scalar scalar = ReadScalar(source, from, index);
    if (from.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 && to.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      scalar = static_cast<int64_t>(std::get<uint64_t>(scalar));
    }
    WriteScalar(scalar, to, target);
    return;
  }
  const auto& r = *source.GetReflection();
  const Message& element =
      from.is_repeated() ? r.GetRepeatedMessage(source, &from, index) : r.GetMessage(source, &from);
  Message* copy = to.is_repeated() ? target->GetReflection()->AddMessage(target, &to)
                                   : target->GetReflection()->MutableMessage(target, &to);
  if (!from.is_map() || from.message_type() == to.message_type()) {
    copy->CopyFrom(element);
    return;
  }
  // The entries of two maps are messages of their own, even when keys and values agree.
  CopyElement(element, *from.message_type()->map_key(), 0, *to.message_type()->map_key(), copy);
  CopyElement(element, *from.message_type()->map_value(), 0, *to.message_type()->map_value(), copy);
}

Value StringValue(std::string text) {
  Value value;
  value.set_string_value(std::move(text));
  return value;
}

Value ScalarToValue(const FieldDescriptor& field, const Scalar& scalar) {
  Value value;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      value.set_bool_value(std::get<bool>(scalar));
      return value;
    case FieldDescriptor::CPPTYPE_INT32:
      value.set_number_value(static_cast<double>(std::get<int64_t>(scalar)));
      return value;
    case FieldDescriptor::CPPTYPE_UINT32:
      value.set_number_value(static_cast<double>(std::get<uint64_t>(scalar)));
      return value;
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (std::isfinite(std::get<double>(scalar))) {
        value.set_number_value(std::get<double>(scalar));
        return value;
      }
      break;  // JSON has no word for it
    default:
      break;
  }
  return StringValue(RenderScalar(field, scalar));
}

absl::StatusOr<Value> ElementToValue(const Message& message, const FieldDescriptor& field, int index) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
    return ScalarToValue(field, ReadScalar(message, field, index));
  const auto& r = *message.GetReflection();
  return ToValue(field.is_repeated() ? r.GetRepeatedMessage(message, &field, index) : r.GetMessage(message, &field));
}

absl::StatusOr<Value> StandardToValue(const Message& message) {
  Value value;
  const std::string& name = message.GetDescriptor()->full_name();
  if (name == "google.protobuf.Value" || name == "google.protobuf.Struct" || name == "google.protobuf.ListValue") {
    const std::string bytes = message.SerializePartialAsString();
    const bool parsed = name == "google.protobuf.Value"    ? value.ParseFromString(bytes)
                        : name == "google.protobuf.Struct" ? value.mutable_struct_value()->ParseFromString(bytes)
                                                           : value.mutable_list_value()->ParseFromString(bytes);
    if (!parsed) return absl::InvalidArgumentError(absl::StrCat(name, " cannot be read"));
    if (value.kind_case() == Value::KIND_NOT_SET) value.set_null_value(google::protobuf::NULL_VALUE);
    return value;
  }
  std::string json;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &json); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " cannot be written: ", std::string(status.message())));
  }
  if (const auto status = google::protobuf::util::JsonStringToMessage(json, &value); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " cannot be written: ", std::string(status.message())));
  }
  return value;
}

}  // namespace

bool CanCopy(const FieldDescriptor& from, const FieldDescriptor& to, bool append) {
  if (append) return !from.is_repeated() && CanCopyElement(from, to);
  if (from.is_map() != to.is_map() || from.is_repeated() != to.is_repeated()) return false;
  if (!from.is_map()) return CanCopyElement(from, to);
  return CanCopyElement(*from.message_type()->map_key(), *to.message_type()->map_key()) &&
         CanCopyElement(*from.message_type()->map_value(), *to.message_type()->map_value());
}

void CopyField(const Message& source, const FieldDescriptor& from, const FieldDescriptor& to, Message* target) {
  const int count = from.is_repeated() ? source.GetReflection()->FieldSize(source, &from) : 1;
  for (int i = 0; i < count; ++i) CopyElement(source, from, i, to, target);
}

absl::StatusOr<Value> ToValue(const Message& message) {
  if (IsStandardType(message.GetDescriptor()->full_name())) return StandardToValue(message);
  Value value;
  auto& fields = *value.mutable_struct_value()->mutable_fields();
  const auto* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor& field = *type->field(i);
    const auto& r = *message.GetReflection();
    if (field.is_repeated() ? r.FieldSize(message, &field) == 0
                            : field.has_presence() && !r.HasField(message, &field)) {
      continue;
    }
    absl::StatusOr<Value> part = ToValue(message, field);
    if (!part.ok()) return part.status();
    fields[field.name()] = *std::move(part);
  }
  return value;
}

absl::StatusOr<Value> ToValue(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) return ElementToValue(message, field, 0);
  Value value;
  const auto& r = *message.GetReflection();
  const int count = r.FieldSize(message, &field);
  if (!field.is_map()) value.mutable_list_value();
  if (field.is_map()) value.mutable_struct_value();
  for (int i = 0; i < count; ++i) {
    if (!field.is_map()) {
      absl::StatusOr<Value> element = ElementToValue(message, field, i);
      if (!element.ok()) return element.status();
      *value.mutable_list_value()->add_values() = *std::move(element);
      continue;
    }
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    const FieldDescriptor& key = *field.message_type()->map_key();
    absl::StatusOr<Value> element = ElementToValue(entry, *field.message_type()->map_value(), 0);
    if (!element.ok()) return element.status();
    (*value.mutable_struct_value()->mutable_fields())[RenderScalar(key, ReadScalar(entry, key, 0))] =
        *std::move(element);
  }
  return value;
}

}  // namespace tutti::definition
