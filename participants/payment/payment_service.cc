#include "participants/payment/payment_service.h"

#include <memory>
#include <string>

#include "participants/payment/wallet_ledger.h"
#include "tutti/payment/v1/payment_service.grpc.pb.h"

namespace tutti::payment {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using participant::CallHost;
using participant::CommandContext;
using participant::Fill;
using participant::ReadView;
using participant::WriteView;

constexpr char kTopUp[] = "tutti.payment.v1.PaymentService/TopUp";
constexpr char kCharge[] = "tutti.payment.v1.PaymentService/Charge";
constexpr char kRefund[] = "tutti.payment.v1.PaymentService/Refund";

class Service final : public v1::PaymentService::CallbackService {
 public:
  explicit Service(const CallHost& host) : host_(host) {}

  ServerUnaryReactor* TopUp(CallbackServerContext* context, const v1::TopUpRequest* request,
                            v1::TopUpResponse* reply) override {
    return RunWrite(host_, {context, kTopUp, request, reply}, [this, request, reply](WriteView& view) {
      return Fill(payment::TopUp(view, *request, host_.clock->WallMs()), reply->mutable_wallet());
    });
  }

  ServerUnaryReactor* Charge(CallbackServerContext* context, const v1::ChargeRequest* request,
                             v1::ChargeResponse* reply) override {
    return RunAction(
        host_, {context, kCharge, request, reply},
        [this, request, reply](WriteView& view, const CommandContext& command, std::string* undo_reference) {
          absl::StatusOr<v1::Payment> payment =
              payment::Charge(view, *request, {command.saga_id, command.idempotency_key}, host_.clock->WallMs());
          if (!payment.ok()) return payment.status();
          *undo_reference = payment->payment_id();
          return FillReceipt(view, *payment, reply);
        });
  }

  ServerUnaryReactor* Refund(CallbackServerContext* context, const v1::RefundRequest* request,
                             v1::RefundResponse* reply) override {
    return RunInverse(
        host_, {context, kRefund, request, reply}, [this, reply](WriteView& view, absl::string_view undo_reference) {
          absl::StatusOr<v1::Payment> payment = payment::Refund(view, undo_reference, host_.clock->WallMs());
          if (!payment.ok()) return payment.status();
          return FillReceipt(view, *payment, reply);
        });
  }

  ServerUnaryReactor* GetPayment(CallbackServerContext* context, const v1::GetPaymentRequest* request,
                                 v1::GetPaymentResponse* reply) override {
    return RunRead(host_, context, [=](const ReadView& view) {
      return Fill(payment::GetPayment(view, request->payment_id()), reply->mutable_payment());
    });
  }

  ServerUnaryReactor* GetWallet(CallbackServerContext* context, const v1::GetWalletRequest* request,
                                v1::GetWalletResponse* reply) override {
    return RunRead(host_, context, [=](const ReadView& view) {
      return Fill(payment::GetWallet(view, request->user_id()), reply->mutable_wallet());
    });
  }

  ServerUnaryReactor* ListLedger(CallbackServerContext* context, const v1::ListLedgerRequest* request,
                                 v1::ListLedgerResponse* reply) override {
    return RunRead(host_, context,
                   [=](const ReadView& view) { return Fill(payment::ListLedger(view, *request), reply); });
  }

 private:
  template <typename Reply>
  static absl::Status FillReceipt(const ReadView& view, const v1::Payment& payment, Reply* reply) {
    absl::StatusOr<v1::Wallet> wallet = payment::GetWallet(view, payment.user_id());
    if (!wallet.ok()) return wallet.status();
    reply->set_payment_id(payment.payment_id());
    reply->set_balance(wallet->balance());
    return absl::OkStatus();
  }

  const CallHost host_;
};

}  // namespace

participant::ParticipantSpec PaymentSpec() {
  return {"payment", {kTopUp, kCharge, kRefund}, [](const CallHost& host) { return std::make_unique<Service>(host); }};
}

}  // namespace tutti::payment
