#include "orchestrator/definition/value_copy.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "google/protobuf/unknown_field_set.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/type_match.h"

namespace tutti::definition {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::Message;
using google::protobuf::UnknownFieldSet;

constexpr size_t kHeaderBytes = 2;  // of a field that is delimited; the least

bool CanCopyElement(const FieldDescriptor& from, const FieldDescriptor& to) {
  switch (from.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
             Misfit(*from.message_type(), *to.message_type()).empty();
    case FieldDescriptor::CPPTYPE_ENUM:
      return to.cpp_type() == FieldDescriptor::CPPTYPE_ENUM && Misfit(*from.enum_type(), *to.enum_type()).empty();
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

// Groups nest in a parser's eyes as messages do, known or not.
int LevelsOf(const UnknownFieldSet& unknown) {
  int levels = 0;
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (unknown.field(i).type() != google::protobuf::UnknownField::TYPE_GROUP) continue;
    levels = std::max(levels, 1 + LevelsOf(unknown.field(i).group()));
  }
  return levels;
}

// Of messages below this one.
int LevelsOf(const Message& message) {
  const auto& r = *message.GetReflection();
  int levels = LevelsOf(r.GetUnknownFields(message));
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? r.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const Message& child =
          field->is_repeated() ? r.GetRepeatedMessage(message, field, i) : r.GetMessage(message, field);
      levels = std::max(levels, 1 + LevelsOf(child));
    }
  }
  return levels;
}

absl::Status CheckLevels(int levels) {
  if (levels <= limits::kMessageLevelsMax) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("makes ", levels, " levels of messages, and parsers take ", limits::kMessageLevelsMax));
}

absl::Status CopyScalar(const Message& source, const FieldDescriptor& from, int index, const FieldDescriptor& to,
                        const CopyTarget& target) {
  if (from.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    const auto& r = *source.GetReflection();
    std::string scratch;
    const std::string& text = from.is_repeated() ? r.GetRepeatedStringReference(source, &from, index, &scratch)
                                                 : r.GetStringReference(source, &from, &scratch);
    if (absl::Status status = target.allowance->Take(kHeaderBytes + text.size()); !status.ok()) return status;
    const bool checked = from.file()->syntax() == FileDescriptor::SYNTAX_PROTO3;  // by the parser
    const bool must = to.type() == FieldDescriptor::TYPE_STRING && to.file()->syntax() == FileDescriptor::SYNTAX_PROTO3;
    if (must && !checked && !IsUtf8(text)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the text of ", from.full_name(), " is not UTF-8, as ", to.full_name(), " must be"));
    }
    const auto& w = *target.message->GetReflection();
    to.is_repeated() ? w.AddString(target.message, &to, text) : w.SetString(target.message, &to, text);
    return absl::OkStatus();
  }
  if (absl::Status status = target.allowance->Take(1); !status.ok()) return status;
  Scalar scalar = ReadScalar(source, from, index);
  if (from.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 && to.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
    scalar = static_cast<int64_t>(std::get<uint64_t>(scalar));
  }
  WriteScalar(scalar, to, target.message);
  return absl::OkStatus();
}

absl::Status CopyElement(const Message& source, const FieldDescriptor& from, int index, const FieldDescriptor& to,
                         const CopyTarget& target) {
  if (from.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return CopyScalar(source, from, index, to, target);
  const auto& r = *source.GetReflection();
  const Message& element =
      from.is_repeated() ? r.GetRepeatedMessage(source, &from, index) : r.GetMessage(source, &from);
  const auto& w = *target.message->GetReflection();
  const CopyTarget child{
      .message = to.is_repeated() ? w.AddMessage(target.message, &to) : w.MutableMessage(target.message, &to),
      .level = target.level + 1,
      .allowance = target.allowance};
  if (!from.is_map() || from.message_type() == to.message_type()) return CopyMessage(element, child);
  // The entries of two maps are messages of their own, even when keys and values agree.
  absl::Status status = CopyElement(element, *from.message_type()->map_key(), 0, *to.message_type()->map_key(), child);
  if (!status.ok()) return status;
  return CopyElement(element, *from.message_type()->map_value(), 0, *to.message_type()->map_value(), child);
}

}  // namespace

bool CanCopy(const FieldDescriptor& from, const FieldDescriptor& to, bool append) {
  if (append) return !from.is_repeated() && CanCopyElement(from, to);
  if (from.is_map() != to.is_map() || from.is_repeated() != to.is_repeated()) return false;
  if (!from.is_map()) return CanCopyElement(from, to);
  return CanCopyElement(*from.message_type()->map_key(), *to.message_type()->map_key()) &&
         CanCopyElement(*from.message_type()->map_value(), *to.message_type()->map_value());
}

absl::Status CopyField(const Message& source, const FieldDescriptor& from, const FieldDescriptor& to,
                       const CopyTarget& target) {
  const int count = from.is_repeated() ? source.GetReflection()->FieldSize(source, &from) : 1;
  for (int i = 0; i < count; ++i) {
    if (absl::Status status = CopyElement(source, from, i, to, target); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CopyMessage(const Message& source, const CopyTarget& target) {
  if (absl::Status status = CheckLevels(target.level + LevelsOf(source)); !status.ok()) return status;
  if (absl::Status status = target.allowance->Take(kHeaderBytes + source.ByteSizeLong()); !status.ok()) return status;
  if (source.GetDescriptor() == target.message->GetDescriptor()) {
    target.message->CopyFrom(source);
    return absl::OkStatus();
  }
  if (target.message->ParsePartialFromString(source.SerializePartialAsString())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("cannot be read as the participant's own ", target.message->GetDescriptor()->full_name()));
}

}  // namespace tutti::definition
