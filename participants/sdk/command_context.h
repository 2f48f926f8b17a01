// Who sent a command, and which: the `tutti-*` metadata of a call, checked.
#ifndef TUTTI_PARTICIPANTS_SDK_COMMAND_CONTEXT_H_
#define TUTTI_PARTICIPANTS_SDK_COMMAND_CONTEXT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "participants/sdk/barrier.h"

namespace tutti::participant {

struct CommandContext {
  std::string saga_id;
  std::string saga_uid;  // minted at the saga's start, never reused; rows are found by it
  std::string step;
  StepKind kind = StepKind::kCompensatable;
  Operation operation = Operation::kAction;
  int32_t attempt = 0;
  std::string idempotency_key;  // one per command for its whole life
  int64_t key_born_ms = 0;      // wall clock, since the epoch
  int64_t step_born_ms = 0;     // of the step's action; of this key where the sender does not say
  int64_t deadline_ms = 0;      // as sent; 0: none
  std::string traceparent;      // may be empty
};

// INVALID_ARGUMENT that names the entry that is missing or wrong and shows how grpcurl passes it. `tutti-step-born-ms`,
// `tutti-deadline-ms` and `traceparent` may be left out.
absl::StatusOr<CommandContext> ParseCommandContext(const std::multimap<std::string, std::string>& metadata);

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_COMMAND_CONTEXT_H_
