#include "participants/payment/wallet_ledger.h"

#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/paging.h"
#include "participants/sdk/requests.h"

namespace tutti::payment {
namespace {

using participant::FinalRefusal;
using participant::GetMessage;
using participant::PutMessage;
using participant::ReadView;
using participant::WriteView;

constexpr char kCounterKey[] = "payment-counter";

std::string WalletKey(absl::string_view user) {
  return absl::StrCat("wallet/", user);
}
std::string PaymentKey(absl::string_view payment) {
  return absl::StrCat("payment/", payment);
}
std::string TopUpKey(absl::string_view user, absl::string_view request) {
  return absl::StrCat("top-up/", user, "/", request);
}
std::string LedgerPrefix(absl::string_view user) {
  return absl::StrCat("ledger/", user, "/");
}

absl::StatusOr<v1::Wallet> LoadWallet(const ReadView& view, const std::string& user_id) {
  absl::StatusOr<std::optional<v1::Wallet>> wallet = GetMessage<v1::Wallet>(view, WalletKey(user_id));
  if (!wallet.ok()) return wallet.status();
  if (wallet->has_value()) return **std::move(wallet);
  v1::Wallet empty;
  empty.set_user_id(user_id);
  return empty;
}

// Moves the balance by the entry's delta, which must fit, and writes both.
void Append(WriteView& view, v1::LedgerEntry entry, int64_t now_ms, v1::Wallet* wallet) {
  wallet->set_balance(wallet->balance() + entry.delta());
  wallet->set_ledger_sequence(wallet->ledger_sequence() + 1);
  entry.set_user_id(wallet->user_id());
  entry.set_sequence(wallet->ledger_sequence());
  entry.set_balance_after(wallet->balance());
  *entry.mutable_time() = participant::ToTimestamp(now_ms);
  PutMessage(view, LedgerPrefix(wallet->user_id()) + participant::SortableNumber(entry.sequence()), entry);
  PutMessage(view, WalletKey(wallet->user_id()), *wallet);
}

bool Overflows(int64_t balance, int64_t amount) {
  return balance > std::numeric_limits<int64_t>::max() - amount;
}

absl::StatusOr<std::string> NextPaymentId(WriteView& view) {
  absl::StatusOr<std::optional<v1::PaymentCounter>> found = GetMessage<v1::PaymentCounter>(view, kCounterKey);
  if (!found.ok()) return found.status();
  v1::PaymentCounter counter = found->value_or(v1::PaymentCounter());
  counter.set_last(counter.last() + 1);
  PutMessage(view, kCounterKey, counter);
  return absl::StrCat("pay-", counter.last());
}

absl::Status CheckCharge(const v1::ChargeRequest& request) {
  if (absl::Status status = participant::CheckId("user_id", request.user_id()); !status.ok()) return status;
  if (absl::Status status = participant::CheckPositive("amount", request.amount()); !status.ok()) return status;
  if (request.memo().size() > limits::kStatusMessageBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("memo: must not exceed ", limits::kStatusMessageBytesMax, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Wallet> TopUp(WriteView& view, const v1::TopUpRequest& request, int64_t now_ms) {
  if (absl::Status status = participant::CheckId("user_id", request.user_id()); !status.ok()) return status;
  if (absl::Status status = participant::CheckId("request_id", request.request_id()); !status.ok()) return status;
  if (absl::Status status = participant::CheckPositive("amount", request.amount()); !status.ok()) return status;
  absl::StatusOr<v1::Wallet> wallet = LoadWallet(view, request.user_id());
  if (!wallet.ok()) return wallet;
  const std::string key = TopUpKey(request.user_id(), request.request_id());
  absl::StatusOr<std::optional<v1::TopUpRecord>> earlier = GetMessage<v1::TopUpRecord>(view, key);
  if (!earlier.ok()) return earlier.status();
  if (earlier->has_value()) {
    if ((*earlier)->amount() == request.amount()) return wallet;
    return absl::AlreadyExistsError(
        absl::StrCat("request_id ", request.request_id(), " was a top-up of ", (*earlier)->amount(), " points"));
  }
  if (Overflows(wallet->balance(), request.amount())) {
    return absl::OutOfRangeError("amount: the balance would exceed what a wallet can hold");
  }
  v1::LedgerEntry entry;
  entry.set_type(v1::LEDGER_ENTRY_TYPE_TOP_UP);
  entry.set_delta(request.amount());
  entry.set_request_id(request.request_id());
  Append(view, std::move(entry), now_ms, &*wallet);
  v1::TopUpRecord record;
  record.set_amount(request.amount());
  record.set_ledger_sequence(wallet->ledger_sequence());
  PutMessage(view, key, record);
  return wallet;
}

absl::StatusOr<v1::Payment> Charge(WriteView& view, const v1::ChargeRequest& request, const Charger& charger,
                                   int64_t now_ms) {
  if (absl::Status status = CheckCharge(request); !status.ok()) return FinalRefusal(status);
  absl::StatusOr<v1::Wallet> wallet = LoadWallet(view, request.user_id());
  if (!wallet.ok()) return wallet.status();
  if (wallet->balance() < request.amount()) {
    return FinalRefusal(absl::FailedPreconditionError(absl::StrCat(
        "user ", request.user_id(), " has ", wallet->balance(), " points, ", request.amount(), " are needed")));
  }
  absl::StatusOr<std::string> payment_id = NextPaymentId(view);
  if (!payment_id.ok()) return payment_id.status();

  v1::LedgerEntry entry;
  entry.set_type(v1::LEDGER_ENTRY_TYPE_CHARGE);
  entry.set_delta(-request.amount());
  entry.set_payment_id(*payment_id);
  Append(view, std::move(entry), now_ms, &*wallet);

  v1::Payment payment;
  payment.set_payment_id(*payment_id);
  payment.set_user_id(request.user_id());
  payment.set_amount(request.amount());
  payment.set_status(v1::PAYMENT_STATUS_CHARGED);
  payment.set_memo(request.memo());
  payment.set_saga_id(charger.saga_id);
  payment.set_charge_key(charger.charge_key);
  *payment.mutable_charge_time() = participant::ToTimestamp(now_ms);
  PutMessage(view, PaymentKey(*payment_id), payment);
  return payment;
}

absl::StatusOr<v1::Payment> Refund(WriteView& view, absl::string_view payment_id, int64_t now_ms) {
  absl::StatusOr<std::optional<v1::Payment>> found = GetMessage<v1::Payment>(view, PaymentKey(payment_id));
  if (!found.ok()) return found.status();
  if (!found->has_value() || (*found)->status() != v1::PAYMENT_STATUS_CHARGED) {
    return absl::InternalError(absl::StrCat("payment ", payment_id, " is not charged, so it cannot be refunded"));
  }
  v1::Payment payment = **std::move(found);
  absl::StatusOr<v1::Wallet> wallet = LoadWallet(view, payment.user_id());
  if (!wallet.ok()) return wallet.status();
  if (Overflows(wallet->balance(), payment.amount())) {
    return absl::OutOfRangeError("the refund would exceed what a wallet can hold; spend some points first");
  }
  v1::LedgerEntry entry;
  entry.set_type(v1::LEDGER_ENTRY_TYPE_REFUND);
  entry.set_delta(payment.amount());
  entry.set_payment_id(payment.payment_id());
  Append(view, std::move(entry), now_ms, &*wallet);
  payment.set_status(v1::PAYMENT_STATUS_REFUNDED);
  *payment.mutable_refund_time() = participant::ToTimestamp(now_ms);
  PutMessage(view, PaymentKey(payment_id), payment);
  return payment;
}

absl::StatusOr<v1::Payment> GetPayment(const ReadView& view, absl::string_view payment_id) {
  if (absl::Status status = participant::CheckId("payment_id", payment_id); !status.ok()) return status;
  absl::StatusOr<std::optional<v1::Payment>> found = GetMessage<v1::Payment>(view, PaymentKey(payment_id));
  if (!found.ok()) return found.status();
  if (!found->has_value()) return absl::NotFoundError(absl::StrCat("there is no payment ", payment_id));
  return **std::move(found);
}

absl::StatusOr<v1::Wallet> GetWallet(const ReadView& view, absl::string_view user_id) {
  if (absl::Status status = participant::CheckId("user_id", user_id); !status.ok()) return status;
  return LoadWallet(view, std::string(user_id));
}

absl::StatusOr<v1::ListLedgerResponse> ListLedger(const ReadView& view, const v1::ListLedgerRequest& request) {
  if (absl::Status status = participant::CheckId("user_id", request.user_id()); !status.ok()) return status;
  absl::StatusOr<int> page_size = participant::PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  absl::StatusOr<int64_t> from = participant::FromPageToken(request.page_token());
  if (!from.ok()) return from.status();
  v1::ListLedgerResponse response;
  bool damaged = false;
  const std::string prefix = LedgerPrefix(request.user_id());
  absl::Status status =
      view.Scan(prefix, prefix + participant::SortableNumber(*from), [&](absl::string_view, absl::string_view value) {
        v1::LedgerEntry entry;
        damaged = !entry.ParseFromArray(value.data(), static_cast<int>(value.size()));
        if (damaged) return false;
        if (response.entries_size() == *page_size) {
          response.set_next_page_token(participant::ToPageToken(entry.sequence()));
          return false;
        }
        *response.add_entries() = std::move(entry);
        return true;
      });
  if (!status.ok()) return status;
  if (damaged) return absl::DataLossError(absl::StrCat("the ledger of ", request.user_id(), " is damaged"));
  return response;
}

}  // namespace tutti::payment
