// The types of protobuf's own that JSON writes in a form of their own.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_WELL_KNOWN_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_WELL_KNOWN_H_

#include "google/protobuf/descriptor.h"

namespace tutti::definition {

enum class WellKnown { kNone, kValue, kStruct, kListValue, kAny, kTimestamp, kDuration, kFieldMask, kWrapper };

// By the file as well as by the name: the file is our own (TypePool), so the fields are those one expects, whatever
// else a participant puts into google.protobuf.
WellKnown WellKnownOf(const google::protobuf::Descriptor& type);

// google.protobuf.Value, Struct and ListValue.
bool IsJsonType(const google::protobuf::Descriptor& type);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_WELL_KNOWN_H_
