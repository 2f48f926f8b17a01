// Values from one message to another.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_VALUE_COPY_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_VALUE_COPY_H_

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "orchestrator/definition/allowance.h"

namespace tutti::definition {

// Whether every value of `from` fits into `to` without loss: the same type, or a wider integer, or double for float.
// `append`: one singular value becomes an element of the repeated `to`. Types are the same when their names are.
bool CanCopy(const google::protobuf::FieldDescriptor& from, const google::protobuf::FieldDescriptor& to, bool append);

// What copies are made into: a message, `level` messages below the one that is sent, which has the allowance.
struct CopyTarget {
  google::protobuf::Message* message = nullptr;
  int level = 0;
  Allowance* allowance = nullptr;
};

// Both: RESOURCE_EXHAUSTED, before anything is copied, when the allowance is spent or the target would get more than
// limits::kMessageLevelsMax levels; INVALID_ARGUMENT when the text is not UTF-8 and the target's type demands it.
//
// Needs CanCopy. An unset field is copied as its default.
absl::Status CopyField(const google::protobuf::Message& source, const google::protobuf::FieldDescriptor& from,
                       const google::protobuf::FieldDescriptor& to, const CopyTarget& target);
// The whole source; the target's type has its name.
absl::Status CopyMessage(const google::protobuf::Message& source, const CopyTarget& target);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_VALUE_COPY_H_
