#include "orchestrator/saga/describe.h"

#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "orchestrator/saga/outcome.h"

namespace tutti::saga {
namespace {

std::string Strip(const std::string& name, absl::string_view prefix) {
  return std::string(absl::StripPrefix(name, prefix));
}

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string DescribeTimer(const TimerId& timer) {
  switch (timer.kind) {
    case TimerKind::kGraceOver:
      return absl::StrCat("grace ", Describe(timer.attempt));
    case TimerKind::kBackoffOver:
      return absl::StrCat("backoff ", timer.attempt.step, "/", ShortName(timer.attempt.operation), " ",
                          timer.attempt.number);
    case TimerKind::kStepDeadline:
      return absl::StrCat("deadline ", timer.attempt.step,
                          timer.attempt.number == 0 ? "" : absl::StrCat(" ", timer.attempt.number));
    case TimerKind::kSagaTimeout:
      return "saga timeout";
  }
  return "?";
}

std::string DescribeReply(const ReplyReceived& reply) {
  std::string line = absl::StrCat("reply ", Describe(reply.attempt), " ", StatusCodeName(reply.code));
  if (reply.mark != v1::BARRIER_MARK_UNSPECIFIED) absl::StrAppend(&line, " mark=", ShortName(reply.mark));
  if (reply.pushback_ms.has_value()) absl::StrAppend(&line, " pushback=", *reply.pushback_ms, "ms");
  return line;
}

std::string DescribeStep(const storage::v1::StepRecord& step) {
  std::string line = absl::StrCat(step.name(), "=", ShortName(step.state()));
  if (step.action().open_size() > 0) absl::StrAppend(&line, " open-actions=", step.action().open_size());
  if (step.compensation().open_size() > 0) {
    absl::StrAppend(&line, " open-compensations=", step.compensation().open_size());
  }
  if (step.has_parking()) absl::StrAppend(&line, " PARKED:", ShortName(step.parking().cause()));
  return line;
}

}  // namespace

std::string Describe(const AttemptId& attempt) {
  return absl::StrCat(attempt.step, "/", ShortName(attempt.operation), "#", attempt.number);
}

std::string Describe(const Event& event) {
  return std::visit(
      Overloaded{
          [](const StartRequested&) { return std::string("start"); },
          [](const ReplyReceived& reply) { return DescribeReply(reply); },
          [](const NotSent& not_sent) {
            return absl::StrCat("not sent ", Describe(not_sent.attempt), ": ", not_sent.message);
          },
          [](const AttemptTimedOut& timed_out) { return absl::StrCat("timed out ", Describe(timed_out.attempt)); },
          [](const TimerFired& fired) { return absl::StrCat("timer ", DescribeTimer(fired.timer)); },
          [](const CancelRequested& cancel) { return absl::StrCat("cancel by ", cancel.by, ": ", cancel.reason); },
          [](const RetryRequested& retry) { return absl::StrCat("retry by ", retry.by, ": ", retry.reason); },
          [](const ResolveRequested& resolve) {
            return absl::StrCat("resolve ", resolve.parking.step, " as ", ShortName(resolve.resolution), " by ",
                                resolve.by, ": ", resolve.reason);
          },
          [](const Recovered& recovered) {
            return absl::StrCat("recovered",
                                recovered.hold.id.empty() ? "" : absl::StrCat(" under ", recovered.hold.id));
          }},
      event.body);
}

std::string Describe(const Effect& effect) {
  return std::visit(Overloaded{[](const SendCommand& send) {
                                 return absl::StrCat("send ", Describe(send.attempt), " timeout=", send.timeout_ms,
                                                     "ms");
                               },
                               [](const DropCommand& drop) { return absl::StrCat("drop ", Describe(drop.attempt)); },
                               [](const SetTimer& timer) {
                                 return absl::StrCat("set ", DescribeTimer(timer.timer), " ", timer.delay_ms, "ms");
                               }},
                    effect);
}

std::string Describe(const v1::HistoryEvent& entry) {
  std::string line = absl::StrCat(entry.sequence(), " ", ShortName(entry.type()));
  if (!entry.step().empty()) absl::StrAppend(&line, " ", entry.step());
  if (entry.operation() != v1::OPERATION_UNSPECIFIED) absl::StrAppend(&line, "/", ShortName(entry.operation()));
  if (entry.attempt() != 0) absl::StrAppend(&line, "#", entry.attempt());
  if (!entry.code().empty()) absl::StrAppend(&line, " ", entry.code());
  if (entry.mark() != v1::BARRIER_MARK_UNSPECIFIED) absl::StrAppend(&line, " mark=", ShortName(entry.mark()));
  if (entry.outcome() != v1::OUTCOME_UNSPECIFIED) absl::StrAppend(&line, " -> ", ShortName(entry.outcome()));
  if (entry.late_action() != v1::LATE_ACTION_UNSPECIFIED) {
    absl::StrAppend(&line, " late=", ShortName(entry.late_action()));
  }
  if (entry.parking_cause() != v1::PARKING_CAUSE_UNSPECIFIED) {
    absl::StrAppend(&line, " cause=", ShortName(entry.parking_cause()));
  }
  if (entry.has_abort_reason()) absl::StrAppend(&line, " cause=", ShortName(entry.abort_reason().cause()));
  if (entry.type() == v1::EVENT_TYPE_RETRY_SCHEDULED) absl::StrAppend(&line, " in ", entry.duration_ms(), "ms");
  if (entry.resolution() != v1::RESOLUTION_UNSPECIFIED) absl::StrAppend(&line, " ", ShortName(entry.resolution()));
  if (!entry.by().empty()) absl::StrAppend(&line, " by ", entry.by());
  if (!entry.message().empty()) absl::StrAppend(&line, ": ", entry.message());
  return line;
}

std::string Describe(const storage::v1::SagaRecord& record) {
  std::string line = ShortName(record.state());
  if (record.committed_ms() != 0) absl::StrAppend(&line, " committed");
  for (const storage::v1::StepRecord& step : record.steps()) absl::StrAppend(&line, " | ", DescribeStep(step));
  return line;
}

std::string ShortName(v1::SagaState state) {
  return Strip(v1::SagaState_Name(state), "SAGA_STATE_");
}
std::string ShortName(v1::StepState state) {
  return Strip(v1::StepState_Name(state), "STEP_STATE_");
}
std::string ShortName(v1::StepKind kind) {
  return Strip(v1::StepKind_Name(kind), "STEP_KIND_");
}
std::string ShortName(v1::Operation operation) {
  return absl::AsciiStrToLower(Strip(v1::Operation_Name(operation), "OPERATION_"));
}
std::string ShortName(v1::Outcome outcome) {
  return Strip(v1::Outcome_Name(outcome), "OUTCOME_");
}
std::string ShortName(v1::BarrierMark mark) {
  return Strip(v1::BarrierMark_Name(mark), "BARRIER_MARK_");
}
std::string ShortName(v1::EventType type) {
  return Strip(v1::EventType_Name(type), "EVENT_TYPE_");
}
std::string ShortName(v1::LateAction action) {
  return Strip(v1::LateAction_Name(action), "LATE_ACTION_");
}
std::string ShortName(v1::AbortCause cause) {
  return Strip(v1::AbortCause_Name(cause), "ABORT_CAUSE_");
}
std::string ShortName(v1::Resolution resolution) {
  return Strip(v1::Resolution_Name(resolution), "RESOLUTION_");
}
std::string ShortName(v1::ParkingCause cause) {
  return Strip(v1::ParkingCause_Name(cause), "PARKING_CAUSE_");
}

}  // namespace tutti::saga
