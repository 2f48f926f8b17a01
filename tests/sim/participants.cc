#include "tests/sim/participants.h"

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/command_key.h"
#include "orchestrator/saga/outcome.h"
#include "tutti_test/shop.pb.h"

namespace tutti::sim {
namespace {

using participant::HandlerEnd;
using participant::Mark;
using participant::RowState;
using participant::Verdict;

constexpr saga::StatusCode kInvalidArgument = 3;
constexpr saga::StatusCode kFailedPrecondition = 9;
constexpr saga::StatusCode kAborted = 10;

v1::BarrierMark OnTheWire(Mark mark) {
  switch (mark) {
    case Mark::kNone:
      return v1::BARRIER_MARK_UNSPECIFIED;
    case Mark::kApplied:
      return v1::BARRIER_MARK_APPLIED;
    case Mark::kRefused:
      return v1::BARRIER_MARK_REFUSED;
    case Mark::kUndone:
      return v1::BARRIER_MARK_UNDONE;
    case Mark::kEmpty:
      return v1::BARRIER_MARK_EMPTY;
  }
  return v1::BARRIER_MARK_UNSPECIFIED;
}

participant::StepKind KindOf(const saga::SendCommand& command) {
  if (command.kind == v1::STEP_KIND_PIVOT) return participant::StepKind::kPivot;
  return command.kind == v1::STEP_KIND_RETRIABLE ? participant::StepKind::kRetriable
                                                 : participant::StepKind::kCompensatable;
}

bool IsAction(const saga::SendCommand& command) {
  return command.attempt.operation == v1::OPERATION_ACTION;
}

std::string PaymentId(const std::string& saga_id, const std::string& step) {
  return absl::StrCat(saga_id, "/", step);
}

std::string OkReply(const saga::SendCommand& command, bool refused) {
  if (!IsAction(command)) return "";
  shop::v1::PayReply reply;
  reply.set_payment_id(PaymentId(command.saga_id, command.attempt.step));
  reply.set_refused(refused);
  return reply.SerializeAsString();
}

}  // namespace

Answer Participants::Handle(const saga::SendCommand& command, uint64_t occasion) {
  const int index = ParticipantIndex(command.participant);
  CheckRequest(command);
  Row* row = &rows_[index][{command.saga_uid, command.attempt.step}];
  const Guard guard = kParticipants[index].guard;
  Answer answer = guard == Guard::kBarrier ? HandleBehindBarrier(command, occasion, row)
                                           : HandlePlain(command, occasion, guard, row);
  if (answer.code != 0 && luck_->Strikes(Fault::kPushback, occasion)) {
    answer.pushback_ms = luck_->Between("pushback", occasion, -200, 800);
  }
  return answer;
}

void Participants::SetUp(int participant, bool up) {
  up_[participant] = up;
  if (!up && sabotage_ == Sabotage::kForgetInbox) rows_[participant].clear();
}

// The engine and its mapping owe participants well-formed requests that name the right things.
void Participants::CheckRequest(const saga::SendCommand& command) {
  const std::string key = saga::CommandKey(command.saga_uid, command.attempt.step, command.attempt.operation);
  if (command.key != key) auditor_->Violated(absl::StrCat("the key ", command.key, " is not ", key));
  if (IsAction(command)) {
    shop::v1::PayRequest request;
    const bool right = request.ParseFromString(command.request) && request.memo() == command.saga_id &&
                       request.card() == key &&
                       (request.note().empty() || request.note().rfind(command.saga_id + "/", 0) == 0);
    if (!right) auditor_->Violated(absl::StrCat("the request of ", key, " was mapped wrongly"));
    return;
  }
  shop::v1::RefundRequest request;
  const std::string action = saga::CommandKey(command.saga_uid, command.attempt.step, v1::OPERATION_ACTION);
  const bool right =
      request.ParseFromString(command.request) && request.payment_key() == action &&
      (request.payment_id() == "unknown" || request.payment_id() == PaymentId(command.saga_id, command.attempt.step));
  if (!right) auditor_->Violated(absl::StrCat("the request of ", key, " was mapped wrongly"));
}

std::optional<Answer> Participants::Trouble(const saga::SendCommand&, uint64_t occasion) {
  if (luck_->Strikes(Fault::kDieBeforeCommit, occasion)) return Answer{.silent = true};
  if (luck_->Strikes(Fault::kTransientError, occasion)) {
    const saga::StatusCode codes[] = {saga::kUnavailable, 8, 13, 4, 2, 15};
    return Answer{.code = codes[luck_->Draw("code", occasion) % 6], .message = "trouble"};
  }
  return std::nullopt;
}

Answer Participants::HandleBehindBarrier(const saga::SendCommand& command, uint64_t occasion, Row* row) {
  if (std::optional<Answer> trouble = Trouble(command, occasion)) return *trouble;
  const std::string digest = absl::StrCat(Hash(Hash(1, command.request), command.key + command.method));
  const participant::Decision decision = participant::Decide(
      {row->state, row->action_digest, row->compensation_digest},
      IsAction(command) ? participant::Operation::kAction : participant::Operation::kCompensation, digest);
  switch (decision.verdict) {
    case Verdict::kApply:
      return ApplyBehindBarrier(command, occasion, row);
    case Verdict::kUndo:
      return UndoBehindBarrier(command, occasion, row);
    case Verdict::kStoreTombstone:
      if (sabotage_ != Sabotage::kSkipTombstone) {
        row->state = RowState::kEmpty;
        row->compensation_digest = digest;
      }
      if (luck_->Strikes(Fault::kDieAfterCommit, occasion)) return {.silent = true};
      return {.mark = OnTheWire(decision.mark)};
    case Verdict::kAnswerAsStored:
      return {.code = IsAction(command) ? row->code : 0,
              .reply = IsAction(command) ? row->reply : "",
              .mark = OnTheWire(decision.mark)};
    case Verdict::kAbort:
      return {.code = kAborted, .message = "the compensation came first", .mark = OnTheWire(decision.mark)};
    case Verdict::kMismatch:
      auditor_->Violated(absl::StrCat(command.key, " came with another request"));
      return {.code = kInvalidArgument, .message = "other request"};
  }
  return {};
}

Answer Participants::ApplyBehindBarrier(const saga::SendCommand& command, uint64_t occasion, Row* row) {
  const bool refuses = luck_->Strikes(Fault::kRefuse, occasion);
  const participant::Settlement settled =
      participant::SettleAction(KindOf(command), refuses ? HandlerEnd::kFinalRefusal : HandlerEnd::kDone);
  const saga::StatusCode code = refuses ? kFailedPrecondition : 0;
  const std::string reply = refuses ? "" : OkReply(command, false);
  if (settled.store) {
    row->state = settled.next_state;
    row->action_digest = absl::StrCat(Hash(Hash(1, command.request), command.key + command.method));
    row->code = code;
    row->reply = reply;
    if (settled.next_state == RowState::kApplied) auditor_->OnApplied(command.saga_uid, command.attempt.step);
  }
  if (luck_->Strikes(Fault::kDieAfterCommit, occasion)) return {.silent = true};
  return {.code = code, .reply = reply, .mark = OnTheWire(settled.mark)};
}

Answer Participants::UndoBehindBarrier(const saga::SendCommand& command, uint64_t occasion, Row* row) {
  const bool refuses = luck_->Strikes(Fault::kRefuseUndo, occasion);
  const participant::Settlement settled =
      participant::SettleInverse(refuses ? HandlerEnd::kFinalRefusal : HandlerEnd::kDone);
  if (settled.store) {
    row->state = settled.next_state;
    row->compensation_digest = absl::StrCat(Hash(Hash(1, command.request), command.key + command.method));
    auditor_->OnUndone(command.saga_uid, command.attempt.step);
  }
  if (luck_->Strikes(Fault::kDieAfterCommit, occasion)) return {.silent = true};
  return {.code = refuses ? kFailedPrecondition : 0, .mark = OnTheWire(settled.mark)};
}

// No inbox: the key (or, for a PUT, the thing itself) is all that makes two equal calls one.
Answer Participants::HandlePlain(const saga::SendCommand& command, uint64_t occasion, Guard guard, Row* row) {
  if (std::optional<Answer> trouble = Trouble(command, occasion)) return *trouble;
  if (luck_->Strikes(IsAction(command) ? Fault::kRefuse : Fault::kRefuseUndo, occasion)) {
    const bool in_reply = IsAction(command) && luck_->Draw("refusal", occasion) % 2 == 0;
    if (in_reply) return {.reply = OkReply(command, true)};
    return {.code = kFailedPrecondition, .message = "refused"};
  }
  if (IsAction(command)) {
    const bool applies = guard == Guard::kPut ? !row->present : !row->known;
    if (applies) {
      row->known = true;
      row->present = true;
      auditor_->OnApplied(command.saga_uid, command.attempt.step);
    }
  } else if (row->present) {
    row->present = false;
    auditor_->OnUndone(command.saga_uid, command.attempt.step);
  }
  if (luck_->Strikes(Fault::kDieAfterCommit, occasion)) return {.silent = true};
  return {.reply = OkReply(command, false)};
}

}  // namespace tutti::sim
