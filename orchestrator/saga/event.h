// Everything that can happen to a saga. Time and chance enter the state machine only here.
#ifndef TUTTI_ORCHESTRATOR_SAGA_EVENT_H_
#define TUTTI_ORCHESTRATOR_SAGA_EVENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "orchestrator/saga/recipe.h"

namespace tutti::saga {

// Names one attempt of one command; a reply that names another is a late one.
struct AttemptId {
  std::string step;
  v1::Operation operation = v1::OPERATION_UNSPECIFIED;
  int number = 0;

  friend bool operator==(const AttemptId&, const AttemptId&) = default;
};

// The first event of a saga. The input has been checked against the definition.
struct StartRequested {
  std::string uid;
  std::string fingerprint;     // of definition, explicit revision and input as sent
  int64_t asked_revision = 0;  // as sent; 0: the newest
  std::string input;           // encoded in the definition's input message
  std::map<std::string, std::string> labels;
  std::string traceparent;  // the caller's, checked and in the form of version 00, or empty
  std::string tracestate;
};

struct ReplyReceived {
  AttemptId attempt;
  StatusCode code = 0;
  std::string message;
  std::string reply;  // empty unless code is 0
  v1::BarrierMark mark = v1::BARRIER_MARK_UNSPECIFIED;
  std::optional<int64_t> pushback_ms;  // negative: do not retry
  int64_t elapsed_ms = 0;              // since hand-over
};

// The attempt never reached the transport and never will: no READY channel in time, or dropped after an abort.
struct NotSent {
  AttemptId attempt;
  std::string message;
};

// The attempt timeout passed since hand-over; the call lingers on for the grace.
struct AttemptTimedOut {
  AttemptId attempt;
};

enum class TimerKind {
  kGraceOver,    // the attempt can no longer land
  kBackoffOver,  // the next attempt is due
  kStepDeadline,
  kSagaTimeout,
};

struct TimerId {
  TimerKind kind = TimerKind::kGraceOver;
  // step: for all but kSagaTimeout. number: for kGraceOver the attempt's, for kBackoffOver that of the backoff, so that
  // a backoff that was replaced by another cannot end the other early.
  AttemptId attempt;
};

struct TimerFired {
  TimerId timer;
};

struct CancelRequested {
  std::string reason;
  std::string by;
};

// An operator's words name the parking they are about; a stale one is refused.
struct ParkingRef {
  std::string step;
  int64_t history_sequence = 0;
};

struct RetryRequested {
  std::vector<ParkingRef> parkings;
  std::string reason;
  std::string by;
};

struct ResolveRequested {
  ParkingRef parking;
  v1::Resolution resolution = v1::RESOLUTION_UNSPECIFIED;
  std::optional<std::string> reply;  // encoded in the action's reply message
  std::string reason;
  std::string by;
};

// A store that was restored from a backup is held, until an operator has compared the books.
struct Hold {
  std::string id;    // of the restore; empty: the store is not held
  std::string what;  // for people: "the store was restored from backup 5 of 2026-01-31T03:00:00Z"
};

// The record was read back after a crash or restart. A hold parks the saga, once: what an operator resumed under it
// goes on after the next restart.
struct Recovered {
  Hold hold;
};

struct Event {
  std::string saga_id;
  // Of the saga it is about, as an id may be used again after retention. Empty: whichever has the id now.
  std::string saga_uid;
  int64_t now_ms = 0;   // wall clock, since the epoch
  uint64_t random = 0;  // fresh for each event; jitter derives from it
  std::variant<StartRequested, ReplyReceived, NotSent, AttemptTimedOut, TimerFired, CancelRequested, RetryRequested,
               ResolveRequested, Recovered>
      body;
};

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_EVENT_H_
