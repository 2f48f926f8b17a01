#include "tests/fuzz/random_types.h"

#include <iterator>
#include <map>
#include <utility>

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
    const size_t kind = reader_.Below(4);
    if (kind == 0) return AddDeepFields(message);
    if (kind == 1) return AddManyFields(message);
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

  static FieldDescriptorProto* NewField(DescriptorProto* message) {
    FieldDescriptorProto* field = message->add_field();
    const int number = message->field_size();
    field->set_name(absl::StrCat("f", number - 1));
    field->set_number(number);
    field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    return field;
  }

  // Every way of nesting there is: in itself, in a list, in a map, in a neighbour, in protobuf's own types.
  void AddDeepFields(DescriptorProto* message) {
    static constexpr const char* kDeep[] = {"Value", "Struct", "ListValue", "Any"};
    const std::string self = absl::StrCat(".play.", message->name());
    for (size_t i = 0; i < 8; ++i) {
      FieldDescriptorProto* field = NewField(message);
      if (i == 2) {
        AddMap(field, message);
        auto* value = message->mutable_nested_type(0)->mutable_field(1);
        if (reader_.Bool()) continue;
        value->set_type(FieldDescriptorProto::TYPE_MESSAGE);
        value->set_type_name(self);
        continue;
      }
      field->set_type(i < 7 ? FieldDescriptorProto::TYPE_MESSAGE : FieldDescriptorProto::TYPE_STRING);
      if (i == 1 || reader_.OneIn(4)) field->set_label(FieldDescriptorProto::LABEL_REPEATED);
      if (i < 2) field->set_type_name(self);
      if (i == 3) field->set_type_name(absl::StrCat(".play.", known_[reader_.Below(known_.size())]));
      if (i > 3 && i < 7) field->set_type_name(absl::StrCat(".google.protobuf.", kDeep[reader_.Below(4)]));
    }
  }

  // As JSON writes all of them, whether they are there or not.
  void AddManyFields(DescriptorProto* message) {
    for (size_t left = 4 + reader_.Below(20); left > 0; --left) {
      FieldDescriptorProto* field = NewField(message);
      field->set_type(kScalars[reader_.Below(std::size(kScalars))]);
      if (reader_.OneIn(8)) field->set_label(FieldDescriptorProto::LABEL_REPEATED);
      if (field->label() == FieldDescriptorProto::LABEL_OPTIONAL) SetDefault(field);
    }
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
    FieldDescriptorProto* field = NewField(message);
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

uint32_t RandomSmallNumber(ByteReader* reader) {
  static constexpr uint32_t kNotFinite[] = {0x7fc00000u, 0x7f800000u, 0xff800000u};
  return reader->OneIn(4) ? kNotFinite[reader->Below(std::size(kNotFinite))]
                          : static_cast<uint32_t>(RandomNumber(reader));
}

std::string RandomText(ByteReader* reader) {
  const size_t kind = reader->Below(8);
  if (kind == 0) return std::string(reader->PowerBelow(18), 'x');
  if (kind == 1) return absl::StrCat("caf\xe9 ", reader->Byte());  // not UTF-8
  if (kind < 4) return reader->Bytes(32);                          // UTF-8 or not
  return absl::StrCat("text ", reader->Byte());
}

constexpr int kDepthMax = 8;

class MessageMaker {
 public:
  MessageMaker(ByteReader* reader, const RandomTypes& types) : reader_(*reader), types_(types) {}

  std::string Make(const Descriptor& type, int depth, size_t bytes_max) {
    if (type.full_name() == "google.protobuf.Any" && !reader_.OneIn(4)) return MakeAny(depth, bytes_max);
    std::string bytes;
    if (type.field_count() == 0) return bytes;
    for (size_t left = 1 + reader_.Below(6); left > 0 && !reader_.spent(); --left) {
      const FieldDescriptor& field =
          *type.field(static_cast<int>(reader_.Below(static_cast<size_t>(type.field_count()))));
      const std::string one = Field(field, depth, bytes_max);
      size_t times = field.is_repeated() && reader_.OneIn(3) ? reader_.PowerBelow(18) : 1;
      for (; times > 0 && bytes.size() + one.size() <= bytes_max; --times) bytes += one;
    }
    if (reader_.OneIn(16)) AddUnknown(&bytes, bytes_max);
    return Wrap(type, std::move(bytes), bytes_max);
  }

 private:
  using Way = std::vector<const FieldDescriptor*>;

  // From a type back to itself, through these fields.
  static void FindWays(const Descriptor& home, const Descriptor& at, Way* way, std::vector<Way>* ways) {
    constexpr size_t kWaysMax = 12;
    constexpr size_t kFieldsMax = 4;
    for (int i = 0; i < at.field_count(); ++i) {
      const Descriptor* type = at.field(i)->message_type();
      if (type == nullptr || ways->size() == kWaysMax) continue;
      way->push_back(at.field(i));
      if (type == &home) {
        ways->push_back(*way);
      } else if (way->size() < kFieldsMax) {
        FindWays(home, *type, way, ways);
      }
      way->pop_back();
    }
  }

  const std::vector<Way>& WaysOf(const Descriptor& type) {
    const auto [found, added] = ways_.try_emplace(&type);
    Way way;
    if (added) FindWays(type, type, &way, &found->second);
    return found->second;
  }

  // In itself, where it can contain itself: by one way, or by all in turn.
  std::string Wrap(const Descriptor& type, std::string bytes, size_t bytes_max) {
    if (!reader_.OneIn(4)) return bytes;
    const std::vector<Way>& ways = WaysOf(type);
    if (ways.empty()) return bytes;
    const size_t first = reader_.Below(ways.size());
    const bool in_turn = reader_.OneIn(3);
    const size_t levels = reader_.Below(120);
    for (size_t i = 0; i < levels && bytes.size() + 32 < bytes_max; ++i) {
      const Way& way = ways[in_turn ? (first + i) % ways.size() : first];
      for (auto field = way.rbegin(); field != way.rend(); ++field) {
        std::string outer;
        AddDelimited((*field)->number(), bytes, &outer);
        bytes = std::move(outer);
      }
    }
    return bytes;
  }

  // Fields that no type has; groups of them nest as messages do.
  void AddUnknown(std::string* bytes, size_t bytes_max) {
    constexpr int kNumber = 900;
    const size_t levels = reader_.Below(120);
    if (bytes->size() + 4 * levels + 8 > bytes_max) return;
    for (size_t i = 0; i < levels; ++i) AddVarint(kNumber << 3 | 3, bytes);
    AddDelimited(kNumber + 1, "?", bytes);
    for (size_t i = 0; i < levels; ++i) AddVarint(kNumber << 3 | 4, bytes);
  }

  std::string MakeAny(int depth, size_t bytes_max) {
    static constexpr const char* kHeld[] = {"google.protobuf.Value", "google.protobuf.Struct",
                                            "google.protobuf.StringValue", "google.protobuf.Duration", "play.Nobody"};
    const auto& messages = types_.messages();
    const size_t held = reader_.Below(messages.size() + std::size(kHeld));
    const Descriptor* type =
        held < messages.size() ? messages[held] : types_.FindMessage(kHeld[held - messages.size()]);
    std::string name = type == nullptr ? "play.Nobody" : type->full_name();
    std::string bytes = type == nullptr || depth >= kDepthMax || reader_.OneIn(4) ? reader_.Bytes(64)
                                                                                  : Make(*type, depth + 1, bytes_max);
    // No parser counts these levels: each Any is parsed by itself.
    for (size_t levels = 1 + (reader_.OneIn(4) ? reader_.Below(120) : 0); levels > 0; --levels) {
      if (bytes.size() + 64 > bytes_max) break;
      google::protobuf::Any any;
      any.set_type_url(absl::StrCat("type.googleapis.com/", std::exchange(name, "google.protobuf.Any")));
      any.set_value(std::move(bytes));
      bytes = any.SerializeAsString();
    }
    return bytes;
  }

  std::string Field(const FieldDescriptor& field, int depth, size_t bytes_max) {
    std::string out;
    const auto number = static_cast<uint64_t>(field.number()) << 3;
    switch (field.type()) {
      case FieldDescriptor::TYPE_MESSAGE: {
        const bool empty = depth >= kDepthMax || reader_.OneIn(4);
        AddDelimited(field.number(), empty ? "" : Make(*field.message_type(), depth + 1, bytes_max), &out);
        break;
      }
      case FieldDescriptor::TYPE_STRING:
      case FieldDescriptor::TYPE_BYTES:
        AddDelimited(field.number(), RandomText(&reader_), &out);
        break;
      case FieldDescriptor::TYPE_FIXED32:
      case FieldDescriptor::TYPE_SFIXED32:
      case FieldDescriptor::TYPE_FLOAT: {
        const uint32_t bits = RandomSmallNumber(&reader_);
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

  ByteReader& reader_;
  const RandomTypes& types_;
  std::map<const Descriptor*, std::vector<Way>> ways_;
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
  ByteReader old_section = reader->Section();
  FileMaker old_maker(&old_section, &old_file, names);
  for (size_t i = 0; i < kOldMessages; ++i) old_maker.AddMessage(absl::StrCat("Old", i));
  for (size_t i = 0; i < kNewMessages; ++i) names.push_back(absl::StrCat("New", i));
  ByteReader new_section = reader->Section();
  FileMaker new_maker(&new_section, &new_file, names);
  for (size_t i = 0; i < kNewMessages; ++i) new_maker.AddMessage(absl::StrCat("New", i));
  auto* service = new_file.add_service();
  service->set_name("Service");
  ByteReader service_section = reader->Section();
  const auto any_message = [&] { return absl::StrCat(".play.", names[service_section.Below(names.size())]); };
  for (size_t i = 0; i < kMethods; ++i) {
    auto* method = service->add_method();
    method->set_name(absl::StrCat("Do", i));
    method->set_input_type(any_message());
    method->set_output_type(any_message());
    if (!service_section.OneIn(8)) continue;
    method->set_output_type(absl::StrCat(".google.protobuf.", kStandard[service_section.Below(std::size(kStandard))]));
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

const Descriptor* RandomTypes::FindMessage(const std::string& name) const {
  return pool_->FindMessageTypeByName(name);
}

std::string RandomMessage(ByteReader* reader, const RandomTypes& types, const Descriptor& type, size_t bytes_max) {
  return MessageMaker(reader, types).Make(type, 0, bytes_max);
}

}  // namespace tutti::fuzz
