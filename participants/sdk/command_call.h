// From a gRPC call to the committer and back, without ever blocking a gRPC thread. A service's handler says what to do
// and returns the reactor it gets.
#ifndef TUTTI_PARTICIPANTS_SDK_COMMAND_CALL_H_
#define TUTTI_PARTICIPANTS_SDK_COMMAND_CALL_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "participants/sdk/committer.h"
#include "participants/sdk/fault_switch.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/local_db.h"
#include "participants/sdk/participant_metrics.h"

namespace tutti::participant {

// What the calls of one participant share. Nothing is owned; everything outlives the server.
struct CallHost {
  LocalDb* db = nullptr;
  Committer* committer = nullptr;
  FaultSwitch* faults = nullptr;  // null: fault injection is off
  ParticipantMetrics* metrics = nullptr;
  const Clock* clock = nullptr;
};

// The request and reply of a call as gRPC hands them to a handler, and the method they belong to.
struct Call {
  grpc::CallbackServerContext* context;
  const char* method;  // "package.Service/Method"
  const google::protobuf::Message* request;
  google::protobuf::Message* reply;
};

// A saga command: behind the barrier, marked.
grpc::ServerUnaryReactor* RunAction(const CallHost& host, const Call& call, Action action);
grpc::ServerUnaryReactor* RunInverse(const CallHost& host, const Call& call, Inverse inverse);

// A call that writes but is no saga command; it is idempotent in its own terms.
grpc::ServerUnaryReactor* RunWrite(const CallHost& host, const Call& call,
                                   std::function<absl::Status(WriteView& view)> write);

// Reads durable data only, at once. Neither faults nor metrics know it.
grpc::ServerUnaryReactor* RunRead(const CallHost& host, grpc::CallbackServerContext* context,
                                  const std::function<absl::Status(const ReadView& view)>& read);

// What most handlers end with.
template <typename Message>
absl::Status Fill(absl::StatusOr<Message> result, Message* reply) {
  if (!result.ok()) return result.status();
  *reply = *std::move(result);
  return absl::OkStatus();
}

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_COMMAND_CALL_H_
