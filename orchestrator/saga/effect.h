// Every effect the state machine can ask for. Nothing here happens before the write set of its event is durable,
// except DropCommand, which is carried out first: dropping is always safe, and sending after an abort never is.
#ifndef TUTTI_ORCHESTRATOR_SAGA_EFFECT_H_
#define TUTTI_ORCHESTRATOR_SAGA_EFFECT_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "orchestrator/saga/event.h"

namespace tutti::saga {

// Ends in NotSent, or in a hand-over to the transport followed by ReplyReceived, AttemptTimedOut, or both in any order.
// The call itself lives for timeout_ms + grace_ms from hand-over, so that a late reply is still heard.
struct SendCommand {
  std::string saga_id;
  std::string saga_uid;
  std::string participant;
  std::string method;
  v1::StepKind kind = v1::STEP_KIND_UNSPECIFIED;
  AttemptId attempt;
  std::string key;
  int64_t key_born_ms = 0;
  int64_t step_born_ms = 0;  // of the action's key: what a compensation looks for is no older
  std::string request;
  std::map<std::string, std::string> metadata;  // the definition's own
  std::string traceparent;  // of the call that started the saga, in the form of version 00, or empty
  std::string tracestate;   // empty without a traceparent
  int64_t timeout_ms = 0;
  int64_t grace_ms = 0;
};

// If the attempt still waits for its hand-over, it must never be handed over, and NotSent follows. Otherwise nothing.
struct DropCommand {
  std::string saga_id;
  std::string saga_uid;
  std::string participant;
  AttemptId attempt;
};

// TimerFired{timer} after delay_ms of monotonic time. Timers are never cancelled; a stale one changes nothing.
struct SetTimer {
  std::string saga_id;
  std::string saga_uid;
  TimerId timer;
  int64_t delay_ms = 0;
};

using Effect = std::variant<SendCommand, DropCommand, SetTimer>;

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_EFFECT_H_
