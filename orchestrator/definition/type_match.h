// Whether values of one participant's type are values of another's: each has its types in a pool of its own, and both
// may hold copies of one .proto file.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_TYPE_MATCH_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_TYPE_MATCH_H_

#include <string>

#include "google/protobuf/descriptor.h"

namespace tutti::definition {

// What keeps the bytes of a `from` from being a `to` without loss: "field `scale` is not in the other". Empty when
// nothing does: both have one full name, and every field of `from` is in `to` with the same number, name and type.
std::string Misfit(const google::protobuf::Descriptor& from, const google::protobuf::Descriptor& to);
std::string Misfit(const google::protobuf::EnumDescriptor& from, const google::protobuf::EnumDescriptor& to);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_TYPE_MATCH_H_
