// The payment service over gRPC, in this process.
#include "participants/payment/payment_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "participants/sdk/test_command.h"
#include "participants/sdk/test_directory.h"
#include "tutti/participant/v1/fault_service.grpc.pb.h"
#include "tutti/payment/v1/payment_service.grpc.pb.h"

namespace tutti::payment {
namespace {

using participant::CallMethod;
using participant::TestAnswer;
using participant::TestCommand;
using Stub = v1::PaymentService::Stub;

constexpr char kCharge[] = "tutti.payment.v1.PaymentService/Charge";
const TestCommand kAction{};
const TestCommand kUndo{.operation = "compensation"};

class PaymentServiceTest : public testing::Test {
 protected:
  PaymentServiceTest() {
    Start(true);
    v1::TopUpRequest request;
    request.set_user_id("u");
    request.set_amount(100);
    request.set_request_id("r1");
    v1::TopUpResponse reply;
    EXPECT_TRUE(CallMethod(stub_.get(), &Stub::TopUp, request, &reply).status.ok());
  }

  void Start(bool faults) {
    server_.reset();
    participant::ParticipantOptions options;
    options.data_dir = directory_.path();
    options.enable_fault_injection = faults;
    auto server = participant::ParticipantServer::Start(PaymentSpec(), options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    stub_ = v1::PaymentService::NewStub(channel_);
    fault_stub_ = participant::v1::FaultService::NewStub(channel_);
  }

  TestAnswer Charge(int64_t amount, const TestCommand& command = kAction, int64_t timeout_ms = 20'000) {
    v1::ChargeRequest request;
    request.set_user_id("u");
    request.set_amount(amount);
    return CallMethod(stub_.get(), &Stub::Charge, request, &charged_, &command, timeout_ms);
  }

  TestAnswer Refund(const TestCommand& command = kUndo) {
    v1::RefundRequest request;
    request.set_user_id("somebody else");  // the row knows better
    return CallMethod(stub_.get(), &Stub::Refund, request, &refunded_, &command);
  }

  int64_t Balance() {
    v1::GetWalletRequest request;
    request.set_user_id("u");
    v1::GetWalletResponse reply;
    EXPECT_TRUE(CallMethod(stub_.get(), &Stub::GetWallet, request, &reply).status.ok());
    return reply.wallet().balance();
  }

  void SetFault(participant::v1::FaultKind kind, int64_t delay_ms = 0, int code = 0) {
    participant::v1::SetFaultRequest request;
    request.mutable_fault()->set_method(kCharge);
    request.mutable_fault()->set_kind(kind);
    request.mutable_fault()->set_delay_ms(delay_ms);
    request.mutable_fault()->set_code(code);
    request.mutable_fault()->set_count(1);
    participant::v1::SetFaultResponse reply;
    const TestAnswer answer =
        CallMethod(fault_stub_.get(), &participant::v1::FaultService::Stub::SetFault, request, &reply);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  }

  participant::TestDirectory directory_;
  std::unique_ptr<participant::ParticipantServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
  std::unique_ptr<participant::v1::FaultService::Stub> fault_stub_;
  v1::ChargeResponse charged_;
  v1::RefundResponse refunded_;
};

TEST_F(PaymentServiceTest, ChargeAndRefundAreMarkedAndHappenOnce) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Charge(30).mark, "applied");
    EXPECT_EQ(charged_.payment_id(), "pay-1");
    EXPECT_EQ(charged_.balance(), 70);
  }
  EXPECT_EQ(Balance(), 70);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Refund().mark, "undone");
    EXPECT_EQ(refunded_.payment_id(), "pay-1");
  }
  EXPECT_EQ(Balance(), 100);
  const TestAnswer late = Charge(30);
  EXPECT_EQ(late.status.error_code(), grpc::ABORTED);
  EXPECT_EQ(late.mark, "undone");
}

TEST_F(PaymentServiceTest, RefundBeforeChargeLeavesATombstone) {
  EXPECT_EQ(Refund().mark, "empty");
  const TestAnswer late = Charge(30);
  EXPECT_EQ(late.status.error_code(), grpc::ABORTED);
  EXPECT_EQ(late.mark, "empty");
  EXPECT_EQ(Balance(), 100);
}

TEST_F(PaymentServiceTest, ARefusedChargeStaysRefusedAfterATopUp) {
  const TestAnswer first = Charge(101);
  EXPECT_EQ(first.status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(first.mark, "refused");
  v1::TopUpRequest request;
  request.set_user_id("u");
  request.set_amount(100);
  request.set_request_id("r2");
  v1::TopUpResponse reply;
  const TestAnswer top_up = CallMethod(stub_.get(), &Stub::TopUp, request, &reply);
  EXPECT_TRUE(top_up.status.ok());
  EXPECT_EQ(top_up.mark, "") << "no saga command, no mark";
  const TestAnswer second = Charge(101);
  EXPECT_EQ(second.mark, "refused");
  EXPECT_EQ(second.status.error_message(), first.status.error_message());
}

TEST_F(PaymentServiceTest, RowsSurviveARestart) {
  EXPECT_EQ(Charge(30).mark, "applied");
  Start(true);
  EXPECT_EQ(Charge(30).mark, "applied");
  EXPECT_EQ(charged_.payment_id(), "pay-1");
  EXPECT_EQ(Balance(), 70);
}

TEST_F(PaymentServiceTest, OtherBytesUnderTheSameKeyAreInvalidAndUnmarked) {
  EXPECT_EQ(Charge(30).mark, "applied");
  const TestAnswer other = Charge(31);
  EXPECT_EQ(other.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(other.mark, "");
  EXPECT_EQ(Balance(), 70);
}

TEST_F(PaymentServiceTest, ACommandWithoutMetadataSaysWhatIsMissing) {
  v1::ChargeRequest request;
  v1::ChargeResponse reply;
  const TestAnswer answer = CallMethod(stub_.get(), &Stub::Charge, request, &reply);
  EXPECT_EQ(answer.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(answer.status.error_message(), testing::HasSubstr("-H 'tutti-saga-id: "));
  EXPECT_EQ(answer.mark, "");
}

TEST_F(PaymentServiceTest, AnActionCannotBeSentAsACompensation) {
  const TestAnswer answer = Charge(30, kUndo);
  EXPECT_EQ(answer.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(answer.mark, "");
  EXPECT_EQ(Balance(), 100);
}

TEST_F(PaymentServiceTest, ManyConcurrentSagasAndDuplicatesConservePoints) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      v1::ChargeRequest request;
      request.set_user_id("u");
      request.set_amount(30);
      v1::ChargeResponse reply;
      const TestCommand command{.uid = "uid-" + std::to_string(i / 2)};
      for (int j = 0; j < 5; ++j) CallMethod(stub_.get(), &Stub::Charge, request, &reply, &command);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Balance(), 10) << "four sagas want 30 of 100 points, three get them, once each";
}

TEST_F(PaymentServiceTest, FaultFailTouchesNothing) {
  SetFault(participant::v1::FAULT_KIND_FAIL, 0, grpc::UNAVAILABLE);
  const TestAnswer failed = Charge(30);
  EXPECT_EQ(failed.status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(failed.mark, "");
  EXPECT_EQ(Balance(), 100);
  EXPECT_EQ(Charge(30).mark, "applied");
}

TEST_F(PaymentServiceTest, FaultRefuseIsBoundToTheKey) {
  SetFault(participant::v1::FAULT_KIND_REFUSE);
  EXPECT_EQ(Charge(30).mark, "refused");
  const TestAnswer again = Charge(30);
  EXPECT_EQ(again.status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(again.mark, "refused");
  EXPECT_EQ(Balance(), 100);
}

TEST_F(PaymentServiceTest, FaultDropReplyAppliesAndAnswersUnavailable) {
  SetFault(participant::v1::FAULT_KIND_DROP_REPLY);
  const TestAnswer dropped = Charge(30);
  EXPECT_EQ(dropped.status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(dropped.mark, "");
  EXPECT_EQ(Balance(), 70);
  EXPECT_EQ(Charge(30).mark, "applied");
  EXPECT_EQ(Balance(), 70);
}

TEST_F(PaymentServiceTest, FaultDelayReplyAppliesFirstAndLetsGoWhenTheCallerDoes) {
  SetFault(participant::v1::FAULT_KIND_DELAY_REPLY, 3'600'000);
  EXPECT_EQ(Charge(30, kAction, 300).status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(Balance(), 70);
  const auto begin = std::chrono::steady_clock::now();
  server_->Drain();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(9))
      << "a held reply must not hold the drain";
}

TEST_F(PaymentServiceTest, FaultDelayWaitsThenAppliesWithTheTrueAnswer) {
  SetFault(participant::v1::FAULT_KIND_DELAY, 100);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Charge(30).mark, "applied");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(90));
}

TEST_F(PaymentServiceTest, FaultServiceIsNotServedUnlessAskedFor) {
  Start(false);
  participant::v1::ListFaultsRequest request;
  participant::v1::ListFaultsResponse reply;
  const TestAnswer answer =
      CallMethod(fault_stub_.get(), &participant::v1::FaultService::Stub::ListFaults, request, &reply);
  EXPECT_EQ(answer.status.error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(PaymentServiceTest, ReadersKnowWhatTheyDoNotHave) {
  v1::GetPaymentRequest request;
  request.set_payment_id("pay-9");
  v1::GetPaymentResponse reply;
  EXPECT_EQ(CallMethod(stub_.get(), &Stub::GetPayment, request, &reply).status.error_code(), grpc::NOT_FOUND);
  request.set_payment_id("");
  EXPECT_EQ(CallMethod(stub_.get(), &Stub::GetPayment, request, &reply).status.error_code(), grpc::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace tutti::payment
