// Values from one message to another, and from messages to JSON-shaped values.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_VALUE_COPY_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_VALUE_COPY_H_

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"

namespace tutti::definition {

// Whether every value of `from` fits into `to` without loss: the same type, or a wider integer, or double for float.
// `append`: one singular value becomes an element of the repeated `to`.
bool CanCopy(const google::protobuf::FieldDescriptor& from, const google::protobuf::FieldDescriptor& to, bool append);

// Needs CanCopy.
void CopyField(const google::protobuf::Message& source, const google::protobuf::FieldDescriptor& from,
               const google::protobuf::FieldDescriptor& to, google::protobuf::Message* target);

// As protobuf's JSON mapping: 64-bit integers and enums become strings. Fields keep their proto names; scalars without
// presence are always there. INVALID_ARGUMENT for a well-known type that cannot be written, such as an absurd
// Timestamp.
absl::StatusOr<google::protobuf::Value> ToValue(const google::protobuf::Message& message);
absl::StatusOr<google::protobuf::Value> ToValue(const google::protobuf::Message& message,
                                                const google::protobuf::FieldDescriptor& field);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_VALUE_COPY_H_
