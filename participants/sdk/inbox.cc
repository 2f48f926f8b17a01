#include "participants/sdk/inbox.h"

#include <openssl/sha.h>

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "participants/sdk/inbox_expiry.h"
#include "tutti/participant/v1/inbox.pb.h"

namespace tutti::participant {
namespace {

constexpr char kFinalRefusalUrl[] = "tutti.participant/final-refusal";
constexpr uint32_t kRowVersion = 1;

// Lengths keep the parts apart: ("ab", "c") and ("a", "bc") differ.
std::string DigestOf(const CommandContext& context, const Command& command) {
  const std::string text = absl::StrCat(command.method.size(), "/", context.idempotency_key.size(), "/", command.method,
                                        context.idempotency_key, command.request);
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

RowState ToRowState(v1::InboxState state) {
  switch (state) {
    case v1::INBOX_STATE_APPLIED:
      return RowState::kApplied;
    case v1::INBOX_STATE_REFUSED:
      return RowState::kRefused;
    case v1::INBOX_STATE_UNDONE:
      return RowState::kUndone;
    case v1::INBOX_STATE_EMPTY:
      return RowState::kEmpty;
    default:
      return RowState::kNothing;
  }
}

v1::InboxState ToProto(RowState state) {
  switch (state) {
    case RowState::kApplied:
      return v1::INBOX_STATE_APPLIED;
    case RowState::kRefused:
      return v1::INBOX_STATE_REFUSED;
    case RowState::kUndone:
      return v1::INBOX_STATE_UNDONE;
    case RowState::kEmpty:
      return v1::INBOX_STATE_EMPTY;
    case RowState::kNothing:
      break;
  }
  return v1::INBOX_STATE_UNSPECIFIED;
}

HandlerEnd EndOf(const absl::Status& status) {
  if (status.ok()) return HandlerEnd::kDone;
  return IsFinalRefusal(status) ? HandlerEnd::kFinalRefusal : HandlerEnd::kError;
}

// One command on its row.
class Run {
 public:
  Run(Transaction& transaction, const CommandContext& context, const Command& command, int64_t now_ms)
      : transaction_(transaction),
        context_(context),
        command_(command),
        now_ms_(now_ms),
        key_(absl::StrCat(context.saga_uid, "/", context.step)),
        digest_(DigestOf(context, command)) {}

  Answer Execute() {
    if (absl::Status status = Load(); !status.ok()) return {status};
    if (absl::Status status = CheckAge(); !status.ok()) return {status};
    const Decision decision =
        Decide({ToRowState(row_.state()), row_.action().request_digest(), row_.compensation().request_digest()},
               context_.operation, digest_);
    switch (decision.verdict) {
      case Verdict::kApply:
        return Apply();
      case Verdict::kUndo:
        return Undo();
      case Verdict::kStoreTombstone:
        command_.reply->Clear();
        return Store(absl::OkStatus(), {true, RowState::kEmpty, decision.mark});
      case Verdict::kAnswerAsStored:
        return AnswerAsStored(decision.mark);
      case Verdict::kAbort:
        return {absl::AbortedError(absl::StrCat("step ", context_.step, " of saga ", context_.saga_id,
                                                " is compensated; its action can no longer run")),
                decision.mark};
      case Verdict::kMismatch:
        return {absl::InvalidArgumentError(absl::StrCat("the ", ToString(context_.operation), " of step ",
                                                        context_.step, " of saga ", context_.saga_id,
                                                        " came before with another key, method or request"))};
    }
    return {absl::InternalError("no verdict")};
  }

 private:
  absl::Status Load() {
    absl::StatusOr<std::optional<std::string>> bytes = transaction_.GetInbox(key_);
    if (!bytes.ok()) return bytes.status();
    if (!bytes->has_value()) return absl::OkStatus();
    if (!row_.ParseFromString(**bytes)) return absl::DataLossError(absl::StrCat("inbox row ", key_, " is damaged"));
    if (row_.version() != kRowVersion || ToRowState(row_.state()) == RowState::kNothing) {
      return absl::InternalError(absl::StrCat("inbox row ", key_, " was written by a newer version of this service"));
    }
    return absl::OkStatus();
  }

  // What a compensation looks for is as old as its step, however young its own key is.
  absl::Status CheckAge() const {
    if (ToRowState(row_.state()) != RowState::kNothing) return absl::OkStatus();
    const absl::StatusOr<int64_t> youngest_expired_ms = YoungestExpiredRow(transaction_);
    if (!youngest_expired_ms.ok()) return youngest_expired_ms.status();
    if (!MayHaveExpired(context_.step_born_ms, *youngest_expired_ms)) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("step ", context_.step, " of saga ", context_.saga_id,
                                               " is older than the inbox's memory: whether its ",
                                               ToString(context_.operation), " came before cannot be told any more"));
  }

  v1::InboxAnswer* mutable_answer() {
    return context_.operation == Operation::kAction ? row_.mutable_action() : row_.mutable_compensation();
  }

  Answer Apply() {
    std::string undo_reference;
    // A refused action may have written before it refused; its row must stay, its writes must not.
    transaction_.SetSavepoint();
    const absl::Status status = command_.action(transaction_, context_, &undo_reference);
    if (status.ok()) {
      transaction_.Keep();
      row_.set_undo_reference(undo_reference);
    } else {
      transaction_.RollBack();
    }
    return Store(status, SettleAction(context_.kind, EndOf(status)));
  }

  Answer Undo() {
    const absl::Status status = command_.inverse(transaction_, row_.undo_reference());
    return Store(status, SettleInverse(EndOf(status)));
  }

  Answer Store(const absl::Status& status, const Settlement& settlement) {
    if (!settlement.store) return {status};
    row_.set_version(kRowVersion);
    row_.set_state(ToProto(settlement.next_state));
    row_.set_saga_id(context_.saga_id);
    row_.set_updated_ms(now_ms_);
    v1::InboxAnswer* answer = mutable_answer();
    answer->set_request_digest(digest_);
    answer->set_code(static_cast<int32_t>(status.code()));
    answer->set_message(std::string(status.message()));
    if (status.ok()) answer->set_reply(command_.reply->SerializeAsString());
    transaction_.PutInbox(key_, row_.SerializeAsString());
    return {status, settlement.mark, true};
  }

  Answer AnswerAsStored(Mark mark) {
    const v1::InboxAnswer& answer = *mutable_answer();
    const absl::Status status(static_cast<absl::StatusCode>(answer.code()), answer.message());
    if (status.ok() && !command_.reply->ParseFromString(answer.reply())) {
      return {absl::DataLossError(absl::StrCat("the stored reply in inbox row ", key_, " is damaged"))};
    }
    return {status, mark};
  }

  Transaction& transaction_;
  const CommandContext& context_;
  const Command& command_;
  const int64_t now_ms_;
  const std::string key_;
  const std::string digest_;
  v1::InboxRow row_;
};

}  // namespace

absl::Status FinalRefusal(absl::Status status) {
  TUTTI_CHECK(!status.ok(), "OK is no refusal");
  status.SetPayload(kFinalRefusalUrl, absl::Cord());
  return status;
}

bool IsFinalRefusal(const absl::Status& status) {
  return status.GetPayload(kFinalRefusalUrl).has_value();
}

absl::Status WithoutFinalRefusal(absl::Status status) {
  status.ErasePayload(kFinalRefusalUrl);
  return status;
}

Answer RunBehindBarrier(Transaction& transaction, const CommandContext& context, const Command& command,
                        int64_t now_ms) {
  const bool is_action = context.operation == Operation::kAction;
  if (is_action != (command.action != nullptr)) {
    return {absl::InvalidArgumentError(
        absl::StrCat(command.method, " is no ", ToString(context.operation), ", but tutti-operation says so"))};
  }
  return Run(transaction, context, command, now_ms).Execute();
}

}  // namespace tutti::participant
