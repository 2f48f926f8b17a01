#include "participants/payment/wallet_ledger.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/memory_view.h"

namespace tutti::payment {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

class WalletLedgerTest : public testing::Test {
 protected:
  absl::StatusOr<v1::Wallet> Fund(int64_t amount, const std::string& request_id = "r1") {
    v1::TopUpRequest request;
    request.set_user_id("u");
    request.set_amount(amount);
    request.set_request_id(request_id);
    return TopUp(view_, request, 1);
  }

  absl::StatusOr<v1::Payment> Take(int64_t amount, const std::string& user = "u") {
    v1::ChargeRequest request;
    request.set_user_id(user);
    request.set_amount(amount);
    request.set_memo("memo");
    return Charge(view_, request, {"saga", "key"}, 2);
  }

  int64_t Balance() { return GetWallet(view_, "u")->balance(); }

  std::vector<v1::LedgerEntry> Ledger() {
    v1::ListLedgerRequest request;
    request.set_user_id("u");
    const auto response = ListLedger(view_, request);
    return {response->entries().begin(), response->entries().end()};
  }

  participant::MemoryView view_;
};

TEST_F(WalletLedgerTest, ChargeTakesPointsAndRefundGivesThemBack) {
  ASSERT_TRUE(Fund(100).ok());
  const auto payment = Take(30);
  ASSERT_TRUE(payment.ok()) << payment.status();
  EXPECT_EQ(payment->status(), v1::PAYMENT_STATUS_CHARGED);
  EXPECT_EQ(payment->charge_key(), "key");
  EXPECT_EQ(Balance(), 70);
  ASSERT_TRUE(Refund(view_, payment->payment_id(), 3).ok());
  EXPECT_EQ(Balance(), 100);
  EXPECT_EQ(GetPayment(view_, payment->payment_id())->status(), v1::PAYMENT_STATUS_REFUNDED);
}

TEST_F(WalletLedgerTest, LedgerAddsUpToTheBalanceAtEveryEntry) {
  ASSERT_TRUE(Fund(100).ok());
  const auto payment = Take(30);
  ASSERT_FALSE(Take(1000).ok());
  ASSERT_TRUE(Refund(view_, payment->payment_id(), 3).ok());
  ASSERT_TRUE(Fund(5, "r2").ok());
  int64_t sum = 0;
  int64_t sequence = 0;
  for (const v1::LedgerEntry& entry : Ledger()) {
    sum += entry.delta();
    EXPECT_EQ(entry.sequence(), ++sequence);
    EXPECT_EQ(entry.balance_after(), sum);
  }
  EXPECT_EQ(sequence, 4) << "the refused charge leaves no entry";
  EXPECT_EQ(sum, Balance());
}

TEST_F(WalletLedgerTest, TooFewPointsIsAFinalRefusal) {
  ASSERT_TRUE(Fund(10).ok());
  const auto payment = Take(11);
  EXPECT_EQ(payment.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(participant::IsFinalRefusal(payment.status()));
  EXPECT_EQ(Balance(), 10);
  EXPECT_TRUE(Take(10).ok()) << "the last point can be spent";
  EXPECT_EQ(Take(1, "stranger").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(WalletLedgerTest, AmountsArePositive) {
  for (const int64_t amount : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(Fund(amount).status().code(), absl::StatusCode::kInvalidArgument);
    const auto payment = Take(amount);
    EXPECT_EQ(payment.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(participant::IsFinalRefusal(payment.status()));
  }
  EXPECT_EQ(Balance(), 0);
}

TEST_F(WalletLedgerTest, BalanceNeverOverflows) {
  ASSERT_TRUE(Fund(kMax).ok());
  EXPECT_EQ(Fund(1, "r2").status().code(), absl::StatusCode::kOutOfRange);
  const auto payment = Take(5);
  ASSERT_TRUE(payment.ok());
  ASSERT_TRUE(Fund(5, "r3").ok());
  const auto refund = Refund(view_, payment->payment_id(), 3);
  EXPECT_EQ(refund.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(participant::IsFinalRefusal(refund.status()));
  EXPECT_EQ(Balance(), kMax);
}

TEST_F(WalletLedgerTest, TopUpIsIdempotentPerRequestId) {
  ASSERT_TRUE(Fund(10).ok());
  EXPECT_EQ(Fund(10)->balance(), 10);
  EXPECT_EQ(Fund(11).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Fund(10, "r2")->balance(), 20);
}

TEST_F(WalletLedgerTest, NothingIsRefundedTwice) {
  ASSERT_TRUE(Fund(10).ok());
  const auto payment = Take(4);
  ASSERT_TRUE(Refund(view_, payment->payment_id(), 3).ok());
  EXPECT_EQ(Refund(view_, payment->payment_id(), 3).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Refund(view_, "pay-99", 3).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Balance(), 10);
}

TEST_F(WalletLedgerTest, LedgerIsPaged) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Fund(1, "r" + std::to_string(i)).ok());
  v1::ListLedgerRequest request;
  request.set_user_id("u");
  request.set_page_size(2);
  std::vector<int64_t> sequences;
  int pages = 0;
  do {
    const auto response = ListLedger(view_, request);
    ASSERT_TRUE(response.ok()) << response.status();
    for (const auto& entry : response->entries()) sequences.push_back(entry.sequence());
    request.set_page_token(response->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(sequences, (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(pages, 3);
  request.set_page_token("nonsense");
  EXPECT_EQ(ListLedger(view_, request).status().code(), absl::StatusCode::kInvalidArgument);
  request.set_page_token("");
  request.set_page_size(-1);
  EXPECT_EQ(ListLedger(view_, request).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti::payment
