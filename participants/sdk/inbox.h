// A command behind the barrier, inside one transaction: finds the row, asks the barrier, runs the service's own code
// and keeps the outcome beside the domain change.
//
// A command that finds no row and may be older than rows that expired (inbox_expiry.h) is answered UNAVAILABLE,
// unmarked: whether it came before can no longer be told.
#ifndef TUTTI_PARTICIPANTS_SDK_INBOX_H_
#define TUTTI_PARTICIPANTS_SDK_INBOX_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "participants/sdk/barrier.h"
#include "participants/sdk/command_context.h"
#include "participants/sdk/local_db.h"

namespace tutti::participant {

// Marks a status as a refusal that the same request would meet for ever. Everything else that a handler returns is
// rolled back and may be tried again.
absl::Status FinalRefusal(absl::Status status);
bool IsFinalRefusal(const absl::Status& status);
absl::Status WithoutFinalRefusal(absl::Status status);  // as a client may see it

// The action fills its reply and names, in the service's own terms, what an inverse would have to undo.
using Action = std::function<absl::Status(WriteView& view, const CommandContext& context, std::string* undo_reference)>;
// Gets the reference its action left; the request is no guide, as it may have been mapped without the action's reply.
using Inverse = std::function<absl::Status(WriteView& view, absl::string_view undo_reference)>;

// One call. Exactly one of action and inverse is set.
struct Command {
  std::string method;   // "package.Service/Method"
  std::string request;  // serialized
  google::protobuf::Message* reply = nullptr;
  Action action;
  Inverse inverse;
};

struct Answer {
  absl::Status status;
  Mark mark = Mark::kNone;
  bool keep = false;  // the transaction holds something that must be committed before this answer leaves
};

// Runs within the transaction, under a savepoint of the caller: unless `keep`, the caller rolls back. Fills
// command.reply when the answer is OK.
Answer RunBehindBarrier(Transaction& transaction, const CommandContext& context, const Command& command,
                        int64_t now_ms);

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_INBOX_H_
