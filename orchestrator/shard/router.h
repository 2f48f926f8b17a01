// The door into the shards, for the API: finds the shard that owns a saga and posts the request to its mailbox.
#ifndef TUTTI_ORCHESTRATOR_SHARD_ROUTER_H_
#define TUTTI_ORCHESTRATOR_SHARD_ROUTER_H_

#include <functional>
#include <map>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "orchestrator/saga/event.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::shard {

// A start whose look-up has yet to happen. Look-up comes before validation: only a new saga needs `validation` to be OK
// and the rest to be filled in.
struct StartRequest {
  std::string saga_id;
  std::string fingerprint;
  absl::Status validation;
  std::string definition;
  int64_t asked_revision = 0;  // as sent; 0: the newest
  int64_t revision = 0;
  std::string input;  // encoded
  std::map<std::string, std::string> labels;
  std::string traceparent;  // the caller's, as saga::StartRequested has it
  std::string tracestate;
};

struct StartResult {
  storage::v1::SagaRecord record;
  bool already_started = false;
  // The saga was started with another fingerprint. It is the same start all the same when both spell equal values; only
  // who can read the input can tell, so nothing but what differs may be told of the record before.
  bool differs = false;
};

// Called exactly once, on a thread of the shard's, after what it tells is durable; must not block.
using StartDone = std::function<void(absl::StatusOr<StartResult>)>;
using SagaDone = std::function<void(absl::StatusOr<storage::v1::SagaRecord>)>;

// What a client or an operator may say to a saga that runs.
using SagaWord = std::variant<saga::CancelRequested, saga::RetryRequested, saga::ResolveRequested>;

// Thread-safe; never blocks. RESOURCE_EXHAUSTED (with a retry delay) when the mailbox is full, UNAVAILABLE while
// recovering or draining, NOT_FOUND, FAILED_PRECONDITION, or what `validation` says.
class Router {
 public:
  virtual ~Router() = default;
  virtual void Start(StartRequest request, StartDone done) = 0;
  virtual void Tell(std::string saga_id, SagaWord word, SagaDone done) = 0;
};

}  // namespace tutti::shard

#endif  // TUTTI_ORCHESTRATOR_SHARD_ROUTER_H_
