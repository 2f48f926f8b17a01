#include "orchestrator/definition/well_known.h"

namespace tutti::definition {

WellKnown WellKnownOf(const google::protobuf::Descriptor& type) {
  const std::string& file = type.file()->name();
  const std::string& name = type.full_name();
  if (file == "google/protobuf/struct.proto") {
    if (name == "google.protobuf.Value") return WellKnown::kValue;
    if (name == "google.protobuf.Struct") return WellKnown::kStruct;
    if (name == "google.protobuf.ListValue") return WellKnown::kListValue;
  }
  if (file == "google/protobuf/any.proto") return WellKnown::kAny;
  if (file == "google/protobuf/timestamp.proto") return WellKnown::kTimestamp;
  if (file == "google/protobuf/duration.proto") return WellKnown::kDuration;
  if (file == "google/protobuf/field_mask.proto") return WellKnown::kFieldMask;
  if (file == "google/protobuf/wrappers.proto") return WellKnown::kWrapper;
  return WellKnown::kNone;
}

bool IsJsonType(const google::protobuf::Descriptor& type) {
  const WellKnown kind = WellKnownOf(type);
  return kind == WellKnown::kValue || kind == WellKnown::kStruct || kind == WellKnown::kListValue;
}

}  // namespace tutti::definition
