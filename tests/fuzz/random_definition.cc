#include "tests/fuzz/random_definition.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "orchestrator/definition/value_copy.h"
#include "orchestrator/definition/well_known.h"

namespace tutti::fuzz {
namespace {

using definition::WellKnown;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

// What a mapping can name.
struct Source {
  std::string path;                       // "input.f1.f2"
  const FieldDescriptor* last = nullptr;  // null: the whole message
  const Descriptor* type = nullptr;       // of a message
  bool needs_default = false;

  bool IsScalar() const {
    return last != nullptr && !last->is_repeated() && last->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
  }
};

// Of one message, the nearest first; a byte chooses among those of all there are.
constexpr size_t kSourcesMax = 60;

void AddSources(const std::string& path, const Descriptor* type, int depth, size_t sources_max,
                std::vector<Source>* sources) {
  const size_t first = sources->size();
  for (int i = 0; i < type->field_count() && sources->size() < sources_max; ++i) {
    const FieldDescriptor* field = type->field(i);
    const Descriptor* message = field->is_repeated() ? nullptr : field->message_type();
    sources->push_back({absl::StrCat(path, ".", field->name()), field, message});
  }
  const size_t end = sources->size();
  for (size_t i = first; i < end && depth > 0; ++i) {
    const Source source = (*sources)[i];
    if (source.type != nullptr) AddSources(source.path, source.type, depth - 1, sources_max, sources);
  }
}

class DefinitionWriter {
 public:
  DefinitionWriter(ByteReader* reader, const RandomTypes& types) : reader_(reader->Section()), types_(types) {}

  Definition Write(ByteReader* reader) {
    const Descriptor* const input = Input();
    AddSource("input", input);
    std::string text = absl::StrCat("name: play\ninput: ", input->full_name(), "\n");
    absl::StrAppend(&text, "labels: {user: \"", Label(), "\"}\nsteps:\n");
    const size_t steps = 1 + reader_.Below(3);
    for (size_t i = 0; i < steps; ++i) absl::StrAppend(&text, Step(i, i + 1 == steps && steps > 1));
    reader_ = reader->Section();
    std::vector<std::string> entries;
    for (size_t i = 1 + reader_.Below(6); i > 0; --i) entries.push_back(absl::StrCat("o", i, ": ", AnyValue(2)));
    absl::StrAppend(&text, "output: {", absl::StrJoin(entries, ", "), "}\n");
    return {std::move(text), input};
  }

 private:
  // A message of the participant's, or one of those that take any object.
  const Descriptor* Input() {
    const size_t kind = reader_.Below(16);
    if (kind == 14) return types_.FindMessage("google.protobuf.Struct");
    if (kind == 15) return types_.FindMessage("google.protobuf.Value");
    return types_.messages()[kind % types_.messages().size()];
  }

  void AddSource(const std::string& path, const Descriptor* type) {
    roots_.push_back(sources_.size());
    sources_.push_back({path, nullptr, type});
    AddSources(path, type, 2, sources_.size() + kSourcesMax, &sources_);
  }

  const MethodDescriptor& Method() {
    return *types_.service()->method(
        static_cast<int>(reader_.Below(static_cast<size_t>(types_.service()->method_count()))));
  }

  std::string Step(size_t index, bool last) {
    const std::string name = absl::StrCat("s", index);
    const MethodDescriptor& action = Method();
    const bool retriable = last && reader_.Bool();
    std::string text =
        absl::StrCat("  - name: ", name, "\n    participant: play\n", retriable ? "    kind: retriable\n" : "",
                     "    action: ", Command(action, "timeout: 1s, retry: {max_attempts: 2}"), "\n");
    AddSource(absl::StrCat("steps.", name, ".reply"), action.output_type());
    if (!retriable) {
      // An undo reads its own step's reply only with a default.
      for (Source& source : sources_) source.needs_default |= source.path[0] == 's';
      absl::StrAppend(&text, "    compensation: ", reader_.Bool() ? "none" : Command(Method(), "timeout: 1s"), "\n");
      for (Source& source : sources_) source.needs_default = false;
    }
    return text;
  }

  std::string Command(const MethodDescriptor& method, const std::string& more) {
    std::string rejected;
    const Descriptor& reply = *method.output_type();
    if (reader_.OneIn(4) && reply.field(0)->cpp_type() == FieldDescriptor::CPPTYPE_BOOL &&
        !reply.field(0)->is_repeated()) {
      rejected = ", rejected_when: {f0: true}";
    }
    const std::string metadata = reader_.OneIn(4) ? absl::StrCat(", metadata: {x-of: ", Text(16), "}") : "";
    return absl::StrCat("{method: ", method.service()->full_name(), "/", method.name(),
                        ", request: ", Message(*method.input_type(), 2), ", ", more, rejected, metadata, "}");
  }

  std::string Message(const Descriptor& type, int depth) {
    std::vector<std::string> entries;
    bool chosen = false;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (!field.is_required() && !reader_.Bool()) continue;
      if (field.real_containing_oneof() != nullptr && std::exchange(chosen, true)) continue;
      std::string value = Value(field, depth);
      if (value.empty() && field.is_required()) value = Literal(field, depth);
      if (!value.empty()) entries.push_back(absl::StrCat(field.name(), ": ", value));
    }
    return absl::StrCat("{", absl::StrJoin(entries, ", "), "}");
  }

  std::string Value(const FieldDescriptor& field, int depth) {
    if (field.is_repeated() && !field.is_map() && reader_.Bool()) {
      const std::string element = Single(field, true, depth);
      if (element.empty()) return "";
      return absl::StrCat("[", absl::StrJoin(std::vector<std::string>(reader_.PowerBelow(9), element), ", "), "]");
    }
    return Single(field, false, depth);
  }

  std::string Literal(const FieldDescriptor& field, int depth) {
    if (field.message_type() != nullptr) return depth > 0 ? Message(*field.message_type(), depth - 1) : "{}";
    if (field.enum_type() != nullptr) return field.enum_type()->value(0)->name();
    if (field.type() == FieldDescriptor::TYPE_BYTES) return "aGk=";
    return field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL ? "true" : "1";
  }

  // Into the field, or into one element of it.
  std::string Single(const FieldDescriptor& field, bool element, int depth) {
    const bool whole = field.is_repeated() && !element;
    const WellKnown kind =
        field.message_type() == nullptr || whole ? WellKnown::kNone : definition::WellKnownOf(*field.message_type());
    if (kind == WellKnown::kValue) return AnyValue(2);
    if (field.type() == FieldDescriptor::TYPE_STRING && !whole && reader_.Bool()) return Text(64);
    if (field.message_type() != nullptr && !whole && kind == WellKnown::kNone && depth > 0 && reader_.Bool()) {
      return Message(*field.message_type(), depth - 1);
    }
    const size_t from = reader_.Byte();
    for (size_t i = 0; i < sources_.size(); ++i) {
      const Source& source = sources_[(from + i) % sources_.size()];
      if (Fits(source, field, kind, element)) return Reference(source, field.message_type() != nullptr || whole);
    }
    return "";
  }

  static bool Fits(const Source& source, const FieldDescriptor& field, WellKnown kind, bool element) {
    if (kind == WellKnown::kStruct)
      return source.type != nullptr && definition::WellKnownOf(*source.type) == WellKnown::kNone;
    if (source.last != nullptr && definition::CanCopy(*source.last, field, element)) return true;
    if (kind == WellKnown::kWrapper && source.IsScalar()) {
      return definition::CanCopy(*source.last, *field.message_type()->field(0), false);
    }
    return source.last == nullptr && source.type == field.message_type() && (element || !field.is_repeated());
  }

  std::string Reference(const Source& source, bool message) {
    const bool scalar = source.IsScalar() && !message;
    const bool has_default = source.needs_default || (scalar && reader_.OneIn(4));
    if (!has_default) return absl::StrCat("\"${", source.path, "}\"");
    const bool list = source.last != nullptr && source.last->is_repeated() && !source.last->is_map();
    const std::string text = source.IsScalar() ? Literal(*source.last, 0) : list ? "[]" : "{}";
    return absl::StrCat("\"${", source.path, " | default(", text, ")}\"");
  }

  std::string AnyValue(int depth) {
    const size_t kind = reader_.Below(8);
    if (kind < 2) return Reference(sources_[roots_[reader_.Below(roots_.size())]], false);
    // One after the other: compilers evaluate arguments in orders of their own, and every one has to read the same.
    if (kind == 2 && depth > 0) {
      const size_t size = reader_.PowerBelow(7);
      return absl::StrCat("[", absl::StrJoin(std::vector<std::string>(size, AnyValue(depth - 1)), ", "), "]");
    }
    if (kind == 3 && depth > 0) {
      const std::string a = AnyValue(depth - 1);
      return absl::StrCat("{a: ", a, ", b: ", AnyValue(depth - 1), "}");
    }
    if (kind == 4 && depth > 0) {
      const size_t levels = reader_.Below(28);
      return absl::StrCat(std::string(levels, '['), AnyValue(0), std::string(levels, ']'));
    }
    if (kind == 5) return Text(16);
    if (kind == 6) return reader_.Bool() ? "null" : "7";
    return Reference(sources_[reader_.Byte() % sources_.size()], false);
  }

  std::string Text(size_t pieces_max) {
    std::string text = "\"<";
    const size_t from = reader_.Byte();
    for (size_t i = 0; i < sources_.size(); ++i) {
      const Source& source = sources_[(from + i) % sources_.size()];
      if (!source.IsScalar()) continue;
      const std::string piece = absl::StrCat("${", source.path, source.needs_default ? " | default(none)}" : "}");
      for (size_t n = std::min(pieces_max, reader_.PowerBelow(10)); n > 0; --n) absl::StrAppend(&text, piece, ",");
      break;
    }
    return absl::StrCat(text, ">\"");
  }

  std::string Label() {
    const Source& source = sources_[reader_.Byte() % sources_.size()];
    return source.IsScalar() ? absl::StrCat("${", source.path, "}") : "none";
  }

  ByteReader reader_;
  const RandomTypes& types_;
  std::vector<Source> sources_;
  std::vector<size_t> roots_;  // of the sources: whole messages
};

}  // namespace

Definition RandomDefinition(ByteReader* reader, const RandomTypes& types) {
  return DefinitionWriter(reader, types).Write(reader);
}

const MethodDescriptor* MethodOf(const RandomTypes& types, const std::string& called) {
  return types.service()->FindMethodByName(called.substr(called.rfind('/') + 1));
}

}  // namespace tutti::fuzz
