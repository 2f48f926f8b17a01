#include "tests/fuzz/random_types.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"

namespace tutti::fuzz {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::io::CodedOutputStream;

constexpr size_t kOldMessages = 2;
constexpr size_t kNewMessages = 3;
constexpr size_t kMethods = 4;

const FieldDescriptorProto::Type kScalars[] = {
    FieldDescriptorProto::TYPE_STRING, FieldDescriptorProto::TYPE_BYTES,   FieldDescriptorProto::TYPE_BOOL,
    FieldDescriptorProto::TYPE_INT32,  FieldDescriptorProto::TYPE_UINT32,  FieldDescriptorProto::TYPE_INT64,
    FieldDescriptorProto::TYPE_UINT64, FieldDescriptorProto::TYPE_FIXED32, FieldDescriptorProto::TYPE_SFIXED64,
    FieldDescriptorProto::TYPE_SINT64, FieldDescriptorProto::TYPE_FLOAT,   FieldDescriptorProto::TYPE_DOUBLE};

const char* const kStandard[] = {"Any",        "Duration",    "FieldMask", "Int64Value", "StringValue", "BoolValue",
                                 "BytesValue", "DoubleValue", "ListValue", "Struct",     "Timestamp",   "Value"};

const Descriptor* const kStandardFiles[] = {
    google::protobuf::Any::descriptor(),       google::protobuf::Duration::descriptor(),
    google::protobuf::FieldMask::descriptor(), google::protobuf::Struct::descriptor(),
    google::protobuf::Timestamp::descriptor(), google::protobuf::StringValue::descriptor()};

// Makes the fields of one file's messages.
class FileMaker {
 public:
  FileMaker(ByteReader* reader, FileDescriptorProto* file, std::vector<std::string> known)
      : reader_(*reader), file_(*file), known_(std::move(known)), proto3_(file->syntax() == "proto3") {
    auto* kinds = file_.add_enum_type();
    kinds->set_name(proto3_ ? "NewKind" : "OldKind");
    for (int i = 0; i < 3; ++i) {
      auto* value = kinds->add_value();
      value->set_name(absl::StrCat(proto3_ ? "NEW_" : "OLD_", i));
      value->set_number(i);
    }
  }

  void AddMessage(const std::string& name) {
    DescriptorProto* message = file_.add_message_type();
    message->set_name(name);
    const size_t fields = 1 + reader_.Below(8);
    const bool choice = fields > 2 && reader_.OneIn(3);
    if (choice) message->add_oneof_decl()->set_name("choice");
    for (size_t i = 0; i < fields; ++i) AddField(static_cast<int>(i), choice && i < 2, message);
  }

 private:
  void SetType(FieldDescriptorProto* field) {
    const size_t kind = reader_.Below(4);
    if (kind == 0) {
      field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
      field->set_type_name(absl::StrCat(".play.", known_[reader_.Below(known_.size())]));
    } else if (kind == 1) {
      field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
      field->set_type_name(absl::StrCat(".google.protobuf.", kStandard[reader_.Below(std::size(kStandard))]));
    } else if (reader_.OneIn(12)) {
      field->set_type(FieldDescriptorProto::TYPE_ENUM);
      field->set_type_name(proto3_ ? ".play.NewKind" : ".play.OldKind");
    } else {
      field->set_type(kScalars[reader_.Below(std::size(kScalars))]);
    }
  }

  void SetDefault(FieldDescriptorProto* field) {
    if (proto3_ || reader_.Bool()) return;
    if (field->type() == FieldDescriptorProto::TYPE_STRING) field->set_default_value("caf\xc3\xa9");
    if (field->type() == FieldDescriptorProto::TYPE_BOOL) field->set_default_value("true");
    if (field->type() == FieldDescriptorProto::TYPE_INT64) field->set_default_value("-9007199254740993");
    if (field->type() == FieldDescriptorProto::TYPE_DOUBLE) field->set_default_value("nan");
  }

  void AddMap(FieldDescriptorProto* field, DescriptorProto* message) {
    DescriptorProto* entry = message->add_nested_type();
    entry->set_name(absl::StrCat("F", field->number() - 1, "Entry"));
    entry->mutable_options()->set_map_entry(true);
    FieldDescriptorProto* key = entry->add_field();
    key->set_name("key");
    key->set_number(1);
    key->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    key->set_type(reader_.Bool() ? FieldDescriptorProto::TYPE_INT32 : FieldDescriptorProto::TYPE_STRING);
    FieldDescriptorProto* value = entry->add_field();
    value->set_name("value");
    value->set_number(2);
    value->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    SetType(value);
    field->set_label(FieldDescriptorProto::LABEL_REPEATED);
    field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
    field->set_type_name(absl::StrCat(".play.", message->name(), ".", entry->name()));
  }

  void AddField(int index, bool chosen, DescriptorProto* message) {
    FieldDescriptorProto* field = message->add_field();
    field->set_name(absl::StrCat("f", index));
    field->set_number(index + 1);
    field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    const size_t label = chosen ? 0 : reader_.Below(8);
    if (label == 7) return AddMap(field, message);
    SetType(field);
    if (chosen) {
      field->set_oneof_index(0);
    } else if (label >= 5) {
      field->set_label(FieldDescriptorProto::LABEL_REPEATED);
    } else if (label == 4 && !proto3_) {
      field->set_label(FieldDescriptorProto::LABEL_REQUIRED);
    } else if (label >= 3 && proto3_ && field->type() != FieldDescriptorProto::TYPE_MESSAGE) {
      field->set_proto3_optional(true);
      field->set_oneof_index(message->oneof_decl_size());
      message->add_oneof_decl()->set_name(absl::StrCat("_f", index));
    }
    if (field->label() == FieldDescriptorProto::LABEL_OPTIONAL) SetDefault(field);
  }

  ByteReader& reader_;
  FileDescriptorProto& file_;
  const std::vector<std::string> known_;
  const bool proto3_;
};

void AddVarint(uint64_t value, std::string* out) {
  uint8_t buffer[10];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
  out->append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

void AddDelimited(int number, absl::string_view content, std::string* out) {
  AddVarint(static_cast<uint64_t>(number) << 3 | 2, out);
  AddVarint(content.size(), out);
  absl::StrAppend(out, content);
}

uint64_t RandomNumber(ByteReader* reader) {
  static constexpr uint64_t kEdges[] = {
      0, 1, ~uint64_t{0}, uint64_t{1} << 63, (uint64_t{1} << 53) + 1, 0x7ff8000000000000u, 253402300800u, 1u << 31};
  return reader->Bool() ? reader->Byte() : kEdges[reader->Below(std::size(kEdges))];
}

std::string RandomText(ByteReader* reader) {
  const size_t kind = reader->Below(8);
  if (kind == 0) return std::string(reader->PowerBelow(18), 'x');
  if (kind < 3) return reader->Bytes(32);  // UTF-8 or not
  return absl::StrCat("text ", reader->Byte());
}

constexpr int kDepthMax = 8;

class MessageMaker {
 public:
  explicit MessageMaker(ByteReader* reader) : reader_(*reader) {}

  std::string Make(const Descriptor& type, int depth, size_t bytes_max) {
    std::string bytes;
    if (type.field_count() == 0) return bytes;
    for (size_t left = 1 + reader_.Below(6); left > 0 && !reader_.spent(); --left) {
      const FieldDescriptor& field =
          *type.field(static_cast<int>(reader_.Below(static_cast<size_t>(type.field_count()))));
      const std::string one = Field(field, depth, bytes_max);
      size_t times = field.is_repeated() && reader_.OneIn(3) ? reader_.PowerBelow(18) : 1;
      for (; times > 0 && bytes.size() + one.size() <= bytes_max; --times) bytes += one;
    }
    return Wrap(type, std::move(bytes), bytes_max);
  }

 private:
  // In itself, where it can contain itself.
  std::string Wrap(const Descriptor& type, std::string bytes, size_t bytes_max) {
    for (int i = 0; i < type.field_count(); ++i) {
      if (type.field(i)->message_type() != &type || !reader_.OneIn(4)) continue;
      for (size_t levels = reader_.Below(120); levels > 0 && bytes.size() + 8 < bytes_max; --levels) {
        std::string outer;
        AddDelimited(type.field(i)->number(), bytes, &outer);
        bytes = std::move(outer);
      }
    }
    return bytes;
  }

  std::string Field(const FieldDescriptor& field, int depth, size_t bytes_max) {
    std::string out;
    const auto number = static_cast<uint64_t>(field.number()) << 3;
    switch (field.type()) {
      case FieldDescriptor::TYPE_MESSAGE:
        AddDelimited(field.number(), depth < kDepthMax ? Content(*field.message_type(), depth + 1, bytes_max) : "",
                     &out);
        break;
      case FieldDescriptor::TYPE_STRING:
      case FieldDescriptor::TYPE_BYTES:
        AddDelimited(field.number(), RandomText(&reader_), &out);
        break;
      case FieldDescriptor::TYPE_FIXED32:
      case FieldDescriptor::TYPE_SFIXED32:
      case FieldDescriptor::TYPE_FLOAT: {
        const auto bits = static_cast<uint32_t>(RandomNumber(&reader_));
        AddVarint(number | 5, &out);
        out.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
        break;
      }
      case FieldDescriptor::TYPE_FIXED64:
      case FieldDescriptor::TYPE_SFIXED64:
      case FieldDescriptor::TYPE_DOUBLE: {
        const uint64_t bits = RandomNumber(&reader_);
        AddVarint(number | 1, &out);
        out.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
        break;
      }
      default:
        AddVarint(number, &out);
        AddVarint(RandomNumber(&reader_), &out);
    }
    return out;
  }

  std::string Content(const Descriptor& type, int depth, size_t bytes_max) {
    if (type.full_name() != "google.protobuf.Any" || reader_.OneIn(4)) return Make(type, depth, bytes_max);
    google::protobuf::Any any;
    any.set_type_url(absl::StrCat("type.googleapis.com/play.New", reader_.Below(kNewMessages)));
    any.set_value(reader_.Bytes(64));
    return any.SerializeAsString();
  }

  ByteReader& reader_;
};

}  // namespace

RandomTypes::RandomTypes(ByteReader* reader)
    : pool_(std::make_unique<DescriptorPool>(DescriptorPool::generated_pool())) {
  FileDescriptorProto old_file;
  old_file.set_syntax("proto2");
  old_file.set_name("old.proto");
  FileDescriptorProto new_file;
  new_file.set_syntax("proto3");
  new_file.set_name("new.proto");
  for (FileDescriptorProto* file : {&old_file, &new_file}) {
    file->set_package("play");
    for (const Descriptor* type : kStandardFiles) file->add_dependency(type->file()->name());
  }
  new_file.add_dependency("old.proto");
  std::vector<std::string> names;
  for (size_t i = 0; i < kOldMessages; ++i) names.push_back(absl::StrCat("Old", i));
  FileMaker old_maker(reader, &old_file, names);
  for (size_t i = 0; i < kOldMessages; ++i) old_maker.AddMessage(absl::StrCat("Old", i));
  for (size_t i = 0; i < kNewMessages; ++i) names.push_back(absl::StrCat("New", i));
  FileMaker new_maker(reader, &new_file, names);
  for (size_t i = 0; i < kNewMessages; ++i) new_maker.AddMessage(absl::StrCat("New", i));
  auto* service = new_file.add_service();
  service->set_name("Service");
  for (size_t i = 0; i < kMethods; ++i) {
    auto* method = service->add_method();
    method->set_name(absl::StrCat("Do", i));
    method->set_input_type(absl::StrCat(".play.", names[reader->Below(names.size())]));
    method->set_output_type(absl::StrCat(".play.", names[reader->Below(names.size())]));
  }
  if (pool_->BuildFile(old_file) == nullptr) return;
  const auto* built = pool_->BuildFile(new_file);
  if (built == nullptr) return;
  service_ = built->service(0);
  for (const std::string& name : names) messages_.push_back(pool_->FindMessageTypeByName(absl::StrCat("play.", name)));
  for (const Descriptor* type : kStandardFiles) type->file()->CopyTo(files_.add_file());
  *files_.add_file() = std::move(old_file);
  *files_.add_file() = std::move(new_file);
}

std::string RandomMessage(ByteReader* reader, const Descriptor& type, size_t bytes_max) {
  return MessageMaker(reader).Make(type, 0, bytes_max);
}

}  // namespace tutti::fuzz
