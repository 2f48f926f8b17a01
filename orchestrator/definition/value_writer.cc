#include "orchestrator/definition/value_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/utf8.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/util/field_mask_util.h"
#include "google/protobuf/util/time_util.h"
#include "orchestrator/definition/decode.h"
#include "orchestrator/definition/scalar.h"
#include "orchestrator/definition/well_known.h"

namespace tutti::definition {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::util::TimeUtil;

constexpr char Tag(int number, int wire_type) {
  return static_cast<char>(number << 3 | wire_type);
}
constexpr int kVarint = 0;
constexpr int kFixed64 = 1;
constexpr int kDelimited = 2;

// Field numbers of google/protobuf/struct.proto.
constexpr char kFieldsTag = Tag(1, kDelimited);  // Struct.fields, a map
constexpr char kKeyTag = Tag(1, kDelimited);
constexpr char kMappedTag = Tag(2, kDelimited);
constexpr char kNullTag = Tag(1, kVarint);
constexpr char kNumberTag = Tag(2, kFixed64);
constexpr char kStringTag = Tag(3, kDelimited);
constexpr char kBoolTag = Tag(4, kVarint);
constexpr char kStructTag = Tag(5, kDelimited);
constexpr char kListTag = Tag(6, kDelimited);
constexpr char kValuesTag = Tag(1, kDelimited);  // ListValue.values

void AppendHeader(char tag, size_t size, std::string* out) {
  out->push_back(tag);
  uint8_t buffer[10];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(size, buffer);
  out->append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

size_t HeaderBytes(size_t size) {
  return 1 + CodedOutputStream::VarintSize64(size);
}

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

bool IsUnset(const Message& message, const FieldDescriptor& field) {
  const auto& r = *message.GetReflection();
  if (field.is_repeated()) return r.FieldSize(message, &field) == 0;
  return field.has_presence() && !r.HasField(message, &field);
}

const FieldDescriptor& FieldOf(const Message& message, const char* name) {
  return *message.GetDescriptor()->FindFieldByName(name);
}

// Seconds and nanos of a Timestamp or Duration.
template <typename T>
T TimeOf(const Message& message) {
  T time;
  const auto& r = *message.GetReflection();
  time.set_seconds(r.GetInt64(message, &FieldOf(message, "seconds")));
  time.set_nanos(r.GetInt32(message, &FieldOf(message, "nanos")));
  return time;
}

absl::StatusOr<std::string> TextOfTime(const Message& message, WellKnown kind) {
  constexpr int32_t kNanosMax = 999'999'999;
  if (kind == WellKnown::kTimestamp) {
    const auto time = TimeOf<google::protobuf::Timestamp>(message);
    if (time.seconds() >= TimeUtil::kTimestampMinSeconds && time.seconds() <= TimeUtil::kTimestampMaxSeconds &&
        time.nanos() >= 0 && time.nanos() <= kNanosMax) {
      return TimeUtil::ToString(time);
    }
  } else {
    const auto time = TimeOf<google::protobuf::Duration>(message);
    const bool signs_agree = time.seconds() == 0 || time.nanos() == 0 || (time.seconds() < 0) == (time.nanos() < 0);
    if (time.seconds() >= TimeUtil::kDurationMinSeconds && time.seconds() <= TimeUtil::kDurationMaxSeconds &&
        time.nanos() >= -kNanosMax && time.nanos() <= kNanosMax && signs_agree) {
      return TimeUtil::ToString(time);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("a ", message.GetDescriptor()->full_name(), " is out of range"));
}

absl::StatusOr<std::string> TextOfFieldMask(const Message& message) {
  const FieldDescriptor& paths = FieldOf(message, "paths");
  const auto& r = *message.GetReflection();
  google::protobuf::FieldMask mask;
  for (int i = 0; i < r.FieldSize(message, &paths); ++i) mask.add_paths(r.GetRepeatedString(message, &paths, i));
  std::string text;
  if (google::protobuf::util::FieldMaskUtil::ToJsonString(mask, &text)) return text;
  return absl::InvalidArgumentError("a google.protobuf.FieldMask names a path that JSON cannot write");
}

}  // namespace

absl::Status ValueWriter::CheckLevel(int level) const {
  if (level <= levels_max_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("is nested too deep: more than ", levels_max_, " levels of messages cannot be read again"));
}

absl::Status ValueWriter::Append(absl::string_view bytes, std::string* out) {
  if (absl::Status status = allowance_->Take(bytes.size()); !status.ok()) return status;
  out->append(bytes.data(), bytes.size());
  return absl::OkStatus();
}

// What is nested has been taken from the allowance already.
absl::Status ValueWriter::AppendNested(char tag, absl::string_view content, std::string* out) {
  if (absl::Status status = allowance_->Take(HeaderBytes(content.size())); !status.ok()) return status;
  AppendHeader(tag, content.size(), out);
  out->append(content.data(), content.size());
  return absl::OkStatus();
}

absl::Status ValueWriter::WriteNull(int level, std::string* out) {
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  const char bytes[] = {kNullTag, 0};
  return Append(absl::string_view(bytes, sizeof(bytes)), out);
}

absl::Status ValueWriter::WriteBool(bool value, int level, std::string* out) {
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  const char bytes[] = {kBoolTag, static_cast<char>(value ? 1 : 0)};
  return Append(absl::string_view(bytes, sizeof(bytes)), out);
}

absl::Status ValueWriter::WriteNumber(double number, int level, std::string* out) {
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  uint8_t buffer[sizeof(bits)];
  CodedOutputStream::WriteLittleEndian64ToArray(bits, buffer);
  std::string bytes(1, kNumberTag);
  bytes.append(reinterpret_cast<const char*>(buffer), sizeof(buffer));
  return Append(bytes, out);
}

absl::Status ValueWriter::WriteText(absl::string_view text, int level, std::string* out) {
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  if (!IsUtf8(text)) return absl::InvalidArgumentError("is not UTF-8");
  if (absl::Status status = allowance_->Take(HeaderBytes(text.size()) + text.size()); !status.ok()) return status;
  AppendHeader(kStringTag, text.size(), out);
  out->append(text.data(), text.size());
  return absl::OkStatus();
}

absl::Status ValueWriter::WriteObject(absl::string_view members, int level, std::string* out) {
  if (absl::Status status = CheckLevel(level + 1); !status.ok()) return status;
  return AppendNested(kStructTag, members, out);
}

absl::Status ValueWriter::WriteList(absl::string_view elements, int level, std::string* out) {
  if (absl::Status status = CheckLevel(level + 1); !status.ok()) return status;
  return AppendNested(kListTag, elements, out);
}

absl::Status ValueWriter::AddMember(absl::string_view key, absl::string_view value, std::string* members) {
  if (!IsUtf8(key)) return absl::InvalidArgumentError("has a key that is not UTF-8");
  const size_t around = HeaderBytes(key.size()) + key.size() + HeaderBytes(value.size());
  const size_t entry = around + value.size();
  if (absl::Status status = allowance_->Take(HeaderBytes(entry) + around); !status.ok()) return status;
  AppendHeader(kFieldsTag, entry, members);
  AppendHeader(kKeyTag, key.size(), members);
  members->append(key.data(), key.size());
  AppendHeader(kMappedTag, value.size(), members);
  members->append(value.data(), value.size());
  return absl::OkStatus();
}

absl::Status ValueWriter::AddElement(absl::string_view value, std::string* elements) {
  return AppendNested(kValuesTag, value, elements);
}

absl::Status ValueWriter::WriteScalar(const Message& holder, const FieldDescriptor& field, int index, int level,
                                      std::string* out) {
  const auto& r = *holder.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    const std::string& text = field.is_repeated() ? r.GetRepeatedStringReference(holder, &field, index, &scratch)
                                                  : r.GetStringReference(holder, &field, &scratch);
    // Base64 makes four bytes of three.
    const bool bytes = field.type() == FieldDescriptor::TYPE_BYTES;
    const size_t size = bytes ? text.size() / 3 * 4 : text.size();
    if (absl::Status status = allowance_->Check(size); !status.ok()) return status;
    absl::Status status =
        bytes ? WriteText(RenderScalar(field, Scalar(text)), level, out) : WriteText(text, level, out);
    if (!absl::IsInvalidArgument(status)) return status;
    return absl::InvalidArgumentError(absl::StrCat("the text of ", field.full_name(), " ", status.message()));
  }
  const Scalar scalar = ReadScalar(holder, field, index);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return WriteBool(std::get<bool>(scalar), level, out);
    case FieldDescriptor::CPPTYPE_INT32:
      return WriteNumber(static_cast<double>(std::get<int64_t>(scalar)), level, out);
    case FieldDescriptor::CPPTYPE_UINT32:
      return WriteNumber(static_cast<double>(std::get<uint64_t>(scalar)), level, out);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (std::isfinite(std::get<double>(scalar))) return WriteNumber(std::get<double>(scalar), level, out);
      break;  // JSON has no word for it
    default:
      break;
  }
  return WriteText(RenderScalar(field, scalar), level, out);
}

absl::Status ValueWriter::WriteElement(const Message& holder, const FieldDescriptor& field, int index, int level,
                                       std::string* out) {
  if (!IsMessage(field)) return WriteScalar(holder, field, index, level, out);
  const auto& r = *holder.GetReflection();
  return WriteMessage(field.is_repeated() ? r.GetRepeatedMessage(holder, &field, index) : r.GetMessage(holder, &field),
                      level, out);
}

absl::Status ValueWriter::WriteField(const Message& holder, const FieldDescriptor& field, int level, std::string* out) {
  if (field.is_map()) return WriteMap(holder, field, level, out);
  if (field.is_repeated()) return WriteRepeated(holder, field, level, out);
  return WriteElement(holder, field, 0, level, out);
}

absl::Status ValueWriter::WriteRepeated(const Message& holder, const FieldDescriptor& field, int level,
                                        std::string* out) {
  std::string elements;
  for (int i = 0; i < holder.GetReflection()->FieldSize(holder, &field); ++i) {
    std::string value;
    absl::Status status = WriteElement(holder, field, i, level + list_levels_, &value);
    if (status.ok()) status = AddElement(value, &elements);
    if (!status.ok()) return status;
  }
  return WriteList(elements, level, out);
}

// In the order of the keys, each once: the last of equal ones, as a parser takes them.
absl::Status ValueWriter::WriteMap(const Message& holder, const FieldDescriptor& field, int level, std::string* out) {
  const auto& r = *holder.GetReflection();
  const FieldDescriptor& key = *field.message_type()->map_key();
  const FieldDescriptor& mapped = *field.message_type()->map_value();
  Members entries;
  for (int i = 0; i < r.FieldSize(holder, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(holder, &field, i);
    std::string value;
    if (absl::Status status = WriteElement(entry, mapped, 0, level + 3, &value); !status.ok()) return status;
    entries.emplace_back(RenderScalar(key, ReadScalar(entry, key, 0)), std::move(value));
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string members;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i].first == entries[i + 1].first) continue;
    if (absl::Status status = AddMember(entries[i].first, entries[i].second, &members); !status.ok()) return status;
  }
  return WriteObject(members, level, out);
}

absl::Status ValueWriter::AddFields(const Message& message, int level, std::string* members) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsUnset(message, field)) continue;
    std::string value;
    absl::Status status = WriteField(message, field, level + 3, &value);
    if (status.ok()) status = AddMember(field.name(), value, members);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ValueWriter::WriteMessage(const Message& message, int level, std::string* out) {
  // Before anything is made of it: this ends the recursion into what is too deep.
  if (absl::Status status = CheckLevel(level); !status.ok()) return status;
  const WellKnown kind = WellKnownOf(*message.GetDescriptor());
  switch (kind) {
    case WellKnown::kValue:
      return WriteValue(message, level, out);
    case WellKnown::kStruct:
      return WriteMap(message, FieldOf(message, "fields"), level, out);
    case WellKnown::kListValue:
      return WriteRepeated(message, FieldOf(message, "values"), level, out);
    case WellKnown::kWrapper:
      return WriteScalar(message, FieldOf(message, "value"), 0, level, out);
    case WellKnown::kAny:
      return WriteAny(message, level, out);
    case WellKnown::kTimestamp:
    case WellKnown::kDuration:
    case WellKnown::kFieldMask: {
      const absl::StatusOr<std::string> text =
          kind == WellKnown::kFieldMask ? TextOfFieldMask(message) : TextOfTime(message, kind);
      return text.ok() ? WriteText(*text, level, out) : text.status();
    }
    case WellKnown::kNone:
      break;
  }
  std::string members;
  if (absl::Status status = AddFields(message, level, &members); !status.ok()) return status;
  return WriteObject(members, level, out);
}

absl::Status ValueWriter::WriteValue(const Message& value, int level, std::string* out) {
  const auto& r = *value.GetReflection();
  const FieldDescriptor* kind = r.GetOneofFieldDescriptor(value, value.GetDescriptor()->FindOneofByName("kind"));
  if (kind == nullptr || kind->name() == "null_value") return WriteNull(level, out);
  return WriteElement(value, *kind, 0, level, out);
}

absl::Status ValueWriter::WriteAny(const Message& any, int level, std::string* out) {
  const auto& r = *any.GetReflection();
  const std::string url = r.GetString(any, &FieldOf(any, "type_url"));
  if (url.empty()) return WriteObject("", level, out);
  const std::string name = url.substr(url.rfind('/') + 1);
  const Descriptor* type = any.GetDescriptor()->file()->pool()->FindMessageTypeByName(name);
  const Message* prototype = type == nullptr ? nullptr : r.GetMessageFactory()->GetPrototype(type);
  if (prototype == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("a google.protobuf.Any holds a ", name, ", which its participant does not describe"));
  }
  // What holds it stays while it is written: together they keep to the limit. Only what is too large itself is lost
  // when they do not, so it has an arena of its own.
  const size_t held = any.GetArena() == nullptr ? 0 : any.GetArena()->SpaceAllocated();
  google::protobuf::Arena arena;
  Message* content = prototype->New(&arena);
  std::string scratch;
  absl::Status status = Decode(r.GetStringReference(any, &FieldOf(any, "value"), &scratch), content, held_ + held);
  if (!status.ok()) return status;
  held_ += held;
  status = WriteHeld(url, *content, level, out);
  held_ -= held;
  return status;
}

// Of an Any.
absl::Status ValueWriter::WriteHeld(const std::string& url, const Message& content, int level, std::string* out) {
  std::string members;
  std::string value;
  absl::Status status = WriteText(url, level + 3, &value);
  if (status.ok()) status = AddMember("@type", value, &members);
  if (status.ok() && WellKnownOf(*content.GetDescriptor()) == WellKnown::kNone) {
    status = AddFields(content, level, &members);
  } else if (status.ok()) {
    value.clear();
    status = WriteMessage(content, level + 3, &value);
    if (status.ok()) status = AddMember("value", value, &members);
  }
  return status.ok() ? WriteObject(members, level, out) : status;
}

namespace {

bool ContentOf(char tag, absl::string_view value, absl::string_view* content) {
  if (value.empty() || value[0] != tag) return false;
  CodedInputStream stream(reinterpret_cast<const uint8_t*>(value.data()), static_cast<int>(value.size()));
  uint32_t size = 0;
  stream.Skip(1);
  if (!stream.ReadVarint32(&size)) return false;
  *content = value.substr(static_cast<size_t>(stream.CurrentPosition()));
  return content->size() == size;
}

}  // namespace

bool MembersOf(absl::string_view value, absl::string_view* members) {
  return ContentOf(kStructTag, value, members);
}

bool ElementsOf(absl::string_view value, absl::string_view* elements) {
  return ContentOf(kListTag, value, elements);
}

}  // namespace tutti::definition
