// The rules of points: wallets, payments and an append-only ledger over a view of the database. Pure apart from the
// view.
#ifndef TUTTI_PARTICIPANTS_PAYMENT_WALLET_LEDGER_H_
#define TUTTI_PARTICIPANTS_PAYMENT_WALLET_LEDGER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "participants/sdk/view.h"
#include "tutti/payment/v1/payment.pb.h"
#include "tutti/payment/v1/payment_service.pb.h"

namespace tutti::payment {

// Who charges, for the payment's record.
struct Charger {
  std::string saga_id;
  std::string charge_key;
};

// Idempotent per (user, request id): ALREADY_EXISTS when the amount differs, OUT_OF_RANGE when the balance would
// overflow.
absl::StatusOr<v1::Wallet> TopUp(participant::WriteView& view, const v1::TopUpRequest& request, int64_t now_ms);

// Every charge makes a new payment; the barrier calls it once per command. Final refusals: INVALID_ARGUMENT, and
// FAILED_PRECONDITION for too few points.
absl::StatusOr<v1::Payment> Charge(participant::WriteView& view, const v1::ChargeRequest& request,
                                   const Charger& charger, int64_t now_ms);

// Gives the points of a charged payment back; anything else is an INTERNAL error, as the barrier asks only once.
absl::StatusOr<v1::Payment> Refund(participant::WriteView& view, absl::string_view payment_id, int64_t now_ms);

absl::StatusOr<v1::Payment> GetPayment(const participant::ReadView& view, absl::string_view payment_id);
absl::StatusOr<v1::Wallet> GetWallet(const participant::ReadView& view, absl::string_view user_id);
absl::StatusOr<v1::ListLedgerResponse> ListLedger(const participant::ReadView& view,
                                                  const v1::ListLedgerRequest& request);

}  // namespace tutti::payment

#endif  // TUTTI_PARTICIPANTS_PAYMENT_WALLET_LEDGER_H_
