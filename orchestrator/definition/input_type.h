// The declared input of a saga as a message type.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_INPUT_TYPE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_INPUT_TYPE_H_

#include <map>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"
#include "orchestrator/definition/definition_source.h"
#include "orchestrator/definition/violations.h"

namespace tutti::definition {

// A field of an inline input: "optional shop.v1.Address", "map<string, int64>".
struct InputField {
  std::string name;
  std::string path;
  int line = 0;
  bool optional = false;
  bool repeated = false;
  std::string map_key;  // empty: no map
  std::string type;     // of the value: a proto scalar's name, or the full name of a message or enum
};

struct InputDeclaration {
  std::string message;  // the full name, when the input is declared by one
  std::vector<InputField> fields;

  bool IsInline() const { return message.empty(); }
};

InputDeclaration ReadInput(const Part& part, Violations* violations);

bool IsScalarTypeName(absl::string_view name);

// What a type name that is no scalar's stands for.
struct NamedType {
  bool is_enum = false;
  bool closed = false;  // an enum of proto2, which a proto3 file must not use
  std::string file;
};

inline constexpr const char* kInlineInputType = "tutti.definition.Input";

// The file that defines kInlineInputType. `types` has every named type of the fields; fields whose type it lacks are
// left out. Fields are numbered by name, so the order in which they are written means nothing. It is a proto3 file
// unless only proto2 can say it; the encoding is the same.
google::protobuf::FileDescriptorProto MakeInputFile(const InputDeclaration& declaration,
                                                    const std::map<std::string, NamedType>& types);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_INPUT_TYPE_H_
