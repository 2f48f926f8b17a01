// Messages from bytes that others made.
#ifndef TUTTI_ORCHESTRATOR_DEFINITION_DECODE_H_
#define TUTTI_ORCHESTRATOR_DEFINITION_DECODE_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace tutti::definition {

// Into an empty message that lives on an arena. Required fields may be missing. INVALID_ARGUMENT when the bytes are no
// such message; RESOURCE_EXHAUSTED when the arena would get larger than limits::kDecodedBytesMax, less what other
// arenas hold at the time: a wide message that is empty has two bytes here and thousands in memory, and a list of them
// is a few bytes more.
absl::Status Decode(absl::string_view bytes, google::protobuf::Message* message, size_t held_elsewhere = 0);

// RESOURCE_EXHAUSTED when the arena is larger than that.
absl::Status CheckSpace(const google::protobuf::Arena& arena, size_t held_elsewhere = 0);

}  // namespace tutti::definition

#endif  // TUTTI_ORCHESTRATOR_DEFINITION_DECODE_H_
