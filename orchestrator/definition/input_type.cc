#include "orchestrator/definition/input_type.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tutti::definition {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;

const std::map<std::string, FieldDescriptorProto::Type, std::less<>>& ScalarTypes() {
  static const auto& types = *new std::map<std::string, FieldDescriptorProto::Type, std::less<>>{
      {"double", FieldDescriptorProto::TYPE_DOUBLE},     {"float", FieldDescriptorProto::TYPE_FLOAT},
      {"int32", FieldDescriptorProto::TYPE_INT32},       {"int64", FieldDescriptorProto::TYPE_INT64},
      {"uint32", FieldDescriptorProto::TYPE_UINT32},     {"uint64", FieldDescriptorProto::TYPE_UINT64},
      {"sint32", FieldDescriptorProto::TYPE_SINT32},     {"sint64", FieldDescriptorProto::TYPE_SINT64},
      {"fixed32", FieldDescriptorProto::TYPE_FIXED32},   {"fixed64", FieldDescriptorProto::TYPE_FIXED64},
      {"sfixed32", FieldDescriptorProto::TYPE_SFIXED32}, {"sfixed64", FieldDescriptorProto::TYPE_SFIXED64},
      {"bool", FieldDescriptorProto::TYPE_BOOL},         {"string", FieldDescriptorProto::TYPE_STRING},
      {"bytes", FieldDescriptorProto::TYPE_BYTES}};
  return types;
}

std::string KnownTypes(absl::string_view word, Violations* violations) {
  std::vector<std::string> names;
  for (const auto& entry : ScalarTypes()) names.push_back(entry.first);
  return absl::StrCat(violations->suggester()->For(word, names),
                      "; write a proto scalar such as string or int64, or the full name of a message, with `optional`, "
                      "`repeated` or map<string, …> around it");
}

bool IsFieldName(absl::string_view name) {
  constexpr size_t kFieldNameBytesMax = 63;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  }
  return !name.empty() && name.size() <= kFieldNameBytesMax && absl::ascii_isalpha(static_cast<unsigned char>(name[0]));
}

bool IsTypeName(absl::string_view name) {
  if (IsScalarTypeName(name)) return true;
  bool start = true;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '.' ? start : start ? !absl::ascii_isalpha(byte) && c != '_' : !absl::ascii_isalnum(byte) && c != '_') {
      return false;
    }
    start = c == '.';
  }
  return !start && absl::StrContains(name, ".");
}

// False when the text is no type.
bool ReadType(absl::string_view text, InputField* field) {
  text = absl::StripAsciiWhitespace(text);
  if (absl::ConsumePrefix(&text, "optional ")) {
    field->optional = true;
  } else if (absl::ConsumePrefix(&text, "repeated ")) {
    field->repeated = true;
  } else if (absl::ConsumePrefix(&text, "map<")) {
    const size_t comma = text.find(',');
    if (comma == absl::string_view::npos || !absl::ConsumeSuffix(&text, ">")) return false;
    field->map_key = std::string(absl::StripAsciiWhitespace(text.substr(0, comma)));
    text.remove_prefix(comma + 1);
    if (!IsScalarTypeName(field->map_key) || field->map_key == "double" || field->map_key == "float" ||
        field->map_key == "bytes") {
      return false;
    }
  }
  field->type = std::string(absl::StripAsciiWhitespace(text));
  return IsTypeName(field->type);
}

// The name protobuf demands for the message behind a map field.
std::string EntryTypeName(const std::string& field) {
  std::string name;
  bool upper = true;
  for (const char c : field) {
    if (c == '_') {
      upper = true;
      continue;
    }
    name.push_back(upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c);
    upper = false;
  }
  return absl::StrCat(name, "Entry");
}

// What protobuf takes two names of a proto3 message for, when it compares them.
std::string JsonFolded(absl::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c != '_') folded.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

bool NeedsProto2(const InputDeclaration& declaration, const std::map<std::string, NamedType>& types) {
  std::set<std::string> folded;
  for (const InputField& field : declaration.fields) {
    const auto type = types.find(field.type);
    if (type != types.end() && type->second.closed) return true;
    if (!folded.insert(JsonFolded(field.name)).second) return true;
  }
  return false;
}

// Proto2 says in other words what a field of proto3 is: without `optional` it is there, and numbers are packed.
void SetLabel(const InputField& input, bool proto2, DescriptorProto* message, FieldDescriptorProto* field) {
  if (input.repeated) {
    field->set_label(FieldDescriptorProto::LABEL_REPEATED);
    const bool numeric = field->type() != FieldDescriptorProto::TYPE_MESSAGE &&
                         field->type() != FieldDescriptorProto::TYPE_STRING &&
                         field->type() != FieldDescriptorProto::TYPE_BYTES;
    if (proto2 && numeric) field->mutable_options()->set_packed(true);
    return;
  }
  const bool required = proto2 && !input.optional;
  field->set_label(required ? FieldDescriptorProto::LABEL_REQUIRED : FieldDescriptorProto::LABEL_OPTIONAL);
  if (proto2 || !input.optional) return;
  field->set_proto3_optional(true);
  field->set_oneof_index(message->oneof_decl_size());
  message->add_oneof_decl()->set_name(absl::StrCat("_", input.name));
}

void SetType(const std::string& type, const std::map<std::string, NamedType>& types, FieldDescriptorProto* field) {
  const auto scalar = ScalarTypes().find(type);
  if (scalar != ScalarTypes().end()) {
    field->set_type(scalar->second);
    return;
  }
  field->set_type(types.at(type).is_enum ? FieldDescriptorProto::TYPE_ENUM : FieldDescriptorProto::TYPE_MESSAGE);
  field->set_type_name(absl::StrCat(".", type));
}

void AddMapEntry(const InputField& input, const std::map<std::string, NamedType>& types, DescriptorProto* message,
                 FieldDescriptorProto* field) {
  DescriptorProto* entry = message->add_nested_type();
  entry->set_name(EntryTypeName(input.name));
  entry->mutable_options()->set_map_entry(true);
  for (const bool is_key : {true, false}) {
    FieldDescriptorProto* part = entry->add_field();
    part->set_name(is_key ? "key" : "value");
    part->set_number(is_key ? 1 : 2);
    part->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    SetType(is_key ? input.map_key : input.type, types, part);
  }
  field->set_label(FieldDescriptorProto::LABEL_REPEATED);
  field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
  field->set_type_name(absl::StrCat(".", kInlineInputType, ".", entry->name()));
}

}  // namespace

bool IsScalarTypeName(absl::string_view name) {
  return ScalarTypes().find(name) != ScalarTypes().end();
}

InputDeclaration ReadInput(const Part& part, Violations* violations) {
  InputDeclaration declaration;
  if (part.node == nullptr) return declaration;
  const Node& node = *part.node;
  if (node.IsScalar()) {
    if (IsTypeName(node.text) && !IsScalarTypeName(node.text)) {
      declaration.message = node.text;
    } else {
      violations->Add(part.path, node.line,
                      absl::StrCat(node.Describe(),
                                   " is not the full name of a message; write one, "
                                   "or a map of field names to types"));
    }
    return declaration;
  }
  if (!node.IsMap()) {
    violations->Add(part.path, node.line,
                    absl::StrCat("expected a map of field names to types, or a message name, found ", node.Describe()));
    return declaration;
  }
  std::map<std::string, std::string> map_entries;
  for (const Entry& entry : node.entries) {
    InputField field{.name = entry.key, .path = ChildPath(part.path, entry.key), .line = entry.line};
    if (!IsFieldName(entry.key)) {
      violations->Add(field.path, entry.line,
                      "is not a field name; use letters, digits and '_', starting with a letter");
    } else if (!entry.value.IsScalar() || !ReadType(entry.value.text, &field)) {
      violations->Add(field.path, entry.value.line,
                      absl::StrCat(entry.value.Describe(), " is not a type", KnownTypes(entry.value.text, violations)));
    } else if (!field.map_key.empty() && !map_entries.emplace(EntryTypeName(field.name), field.name).second) {
      violations->Add(field.path, entry.line,
                      absl::StrCat("is one name with the map `", map_entries[EntryTypeName(field.name)],
                                   "` where protobuf names a map's entries; rename one of them"));
    } else {
      declaration.fields.push_back(std::move(field));
    }
  }
  return declaration;
}

FileDescriptorProto MakeInputFile(const InputDeclaration& declaration, const std::map<std::string, NamedType>& types) {
  FileDescriptorProto file;
  file.set_name("tutti/definition/input.proto");
  file.set_package("tutti.definition");
  const bool proto2 = NeedsProto2(declaration, types);
  file.set_syntax(proto2 ? "proto2" : "proto3");
  DescriptorProto* message = file.add_message_type();
  message->set_name("Input");
  std::vector<const InputField*> sorted;
  for (const InputField& field : declaration.fields) sorted.push_back(&field);
  std::sort(sorted.begin(), sorted.end(), [](const InputField* a, const InputField* b) { return a->name < b->name; });
  std::set<std::string> imports;
  int number = 0;
  for (const InputField* input : sorted) {
    if (!IsScalarTypeName(input->type)) {
      const auto type = types.find(input->type);
      if (type == types.end()) continue;
      imports.insert(type->second.file);
    }
    FieldDescriptorProto* field = message->add_field();
    field->set_name(input->name);
    field->set_number(++number >= 19000 ? number + 1000 : number);  // protobuf keeps 19000 to 19999 for itself
    if (!input->map_key.empty()) {
      AddMapEntry(*input, types, message, field);
      continue;
    }
    SetType(input->type, types, field);
    SetLabel(*input, proto2, message, field);
  }
  for (const std::string& import : imports) file.add_dependency(import);
  return file;
}

}  // namespace tutti::definition
