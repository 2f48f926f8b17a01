#include "tests/model/service.h"

#include "participants/sdk/barrier.h"

namespace tutti::model {
namespace {

using participant::HandlerEnd;
using participant::Mark;
using participant::RowState;
using participant::Verdict;

constexpr uint8_t kRowMask = 7;
constexpr uint8_t kSecondKeyUndid = 8;

constexpr uint8_t kActionKey = 1;
constexpr uint8_t kFirstUndoKey = 2;
constexpr uint8_t kSecondUndoKey = 4;

participant::StepKind KindOf(v1::StepKind kind) {
  if (kind == v1::STEP_KIND_PIVOT) return participant::StepKind::kPivot;
  return kind == v1::STEP_KIND_RETRIABLE ? participant::StepKind::kRetriable : participant::StepKind::kCompensatable;
}

// Of a refusal or error with this mark.
Answer NotOk(Mark mark, Answer unmarked) {
  switch (mark) {
    case Mark::kRefused:
      return Answer::kBarrierRefused;
    case Mark::kUndone:
      return Answer::kTooLateUndone;
    case Mark::kEmpty:
      return Answer::kTooLateEmpty;
    default:
      return unmarked;
  }
}

Answer Ok(Mark mark) {
  switch (mark) {
    case Mark::kApplied:
      return Answer::kApplied;
    case Mark::kUndone:
      return Answer::kUndone;
    case Mark::kEmpty:
      return Answer::kEmpty;
    default:
      return Answer::kOk;
  }
}

Service Stored(const Service& before, RowState row, int effect, bool first_key) {
  Service after = before;
  after.row = static_cast<uint8_t>(static_cast<uint8_t>(row) | (first_key ? 0 : kSecondKeyUndid));
  after.effect = static_cast<int8_t>(after.effect + effect);
  return after;
}

// The service's own code runs: it may get through, refuse for good, or fail.
void Run(const StepSpec& step, bool undo, bool first_key, const Service& service, std::vector<Landing>* landings) {
  for (const HandlerEnd end : {HandlerEnd::kDone, HandlerEnd::kFinalRefusal, HandlerEnd::kError}) {
    const participant::Settlement settlement =
        undo ? participant::SettleInverse(end) : participant::SettleAction(KindOf(step.kind), end);
    const int effect = end != HandlerEnd::kDone ? 0 : undo ? -1 : 1;
    Landing landing{.after = service};
    if (settlement.store) landing.after = Stored(service, settlement.next_state, effect, !undo || first_key);
    // A refusal that ends the saga is an ordinary answer; one that can only repeat itself is trouble.
    landing.fault = end == HandlerEnd::kError || (end == HandlerEnd::kFinalRefusal && !settlement.store);
    landing.answer = end == HandlerEnd::kDone           ? Ok(settlement.mark)
                     : end == HandlerEnd::kFinalRefusal ? NotOk(settlement.mark, Answer::kRefused)
                                                        : Answer::kUnavailable;
    landings->push_back(landing);
  }
}

std::vector<Landing> BarrierLandings(const StepSpec& step, bool undo, bool first_key, const Service& service) {
  participant::RowView row{.state = static_cast<RowState>(service.row & kRowMask)};
  if (row.state == RowState::kUndone || row.state == RowState::kEmpty) {
    row.compensation_digest = (service.row & kSecondKeyUndid) != 0 ? "second" : "first";
  }
  if (row.state == RowState::kApplied || row.state == RowState::kRefused || row.state == RowState::kUndone) {
    row.action_digest = "first";
  }
  const participant::Decision decision =
      participant::Decide(row, undo ? participant::Operation::kCompensation : participant::Operation::kAction,
                          first_key ? "first" : "second");
  std::vector<Landing> landings;
  switch (decision.verdict) {
    case Verdict::kApply:
    case Verdict::kUndo:
      Run(step, undo, first_key, service, &landings);
      break;
    case Verdict::kStoreTombstone:
      landings.push_back({.after = Stored(service, RowState::kEmpty, 0, first_key), .answer = Answer::kEmpty});
      break;
    case Verdict::kAnswerAsStored:
      landings.push_back(
          {.after = service, .answer = decision.mark == Mark::kRefused ? Answer::kBarrierRefused : Ok(decision.mark)});
      break;
    case Verdict::kAbort:
      landings.push_back({.after = service, .answer = NotOk(decision.mark, Answer::kRefused)});
      break;
    case Verdict::kMismatch:
      landings.push_back({.after = service, .answer = Answer::kRefused});
      break;
  }
  return landings;
}

Service PlainDone(const StepSpec& step, bool undo, bool first_key, Service service) {
  if (step.service == ServiceKind::kPut) {
    service.effect = undo ? 0 : 1;
    return service;
  }
  if (!undo) {
    if ((service.row & kActionKey) == 0) service.effect = static_cast<int8_t>(service.effect + 1);
    service.row |= kActionKey;
    return service;
  }
  const uint8_t key = first_key ? kFirstUndoKey : kSecondUndoKey;
  if ((service.row & kActionKey) == 0 || (service.row & key) != 0) return service;
  service.row |= key;
  service.effect = static_cast<int8_t>(service.effect - 1);
  return service;
}

std::vector<Landing> PlainLandings(const StepSpec& step, bool undo, bool first_key, const Service& service) {
  const bool refusal_ends_it = !undo && step.kind != v1::STEP_KIND_RETRIABLE;
  return {{.after = PlainDone(step, undo, first_key, service), .answer = Answer::kOk},
          {.after = service, .answer = Answer::kRefused, .fault = !refusal_ends_it},
          {.after = service, .answer = Answer::kUnavailable, .fault = true}};
}

}  // namespace

std::vector<Landing> Landings(const StepSpec& step, bool undo, bool first_key, const Service& service) {
  if (step.service == ServiceKind::kBarrier) return BarrierLandings(step, undo, first_key, service);
  if (step.service != ServiceKind::kOldReplica) return PlainLandings(step, undo, first_key, service);
  std::vector<Landing> landings = BarrierLandings(step, undo, first_key, service);
  // The old replica knows nothing of the inbox and says so by its silence about it.
  Landing old{.after = service, .answer = Answer::kOk, .fault = true};
  if (!undo) old.after.effect = 1;
  landings.push_back(old);
  return landings;
}

bool LandsAtAnyTime(ServiceKind kind) {
  return kind != ServiceKind::kKeyed && kind != ServiceKind::kPut;
}

bool KeepsContract(ServiceKind kind) {
  return kind != ServiceKind::kBelated && kind != ServiceKind::kOldReplica;
}

bool HasMeddlers(const StepSpec& step) {
  return step.open || step.service == ServiceKind::kBarrier || step.service == ServiceKind::kOldReplica;
}

}  // namespace tutti::model
