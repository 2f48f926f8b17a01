#include "participants/reservation/seat_map.h"

#include <string>

#include "gtest/gtest.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/memory_view.h"

namespace tutti::reservation {
namespace {

using participant::IsFinalRefusal;

class SeatMapTest : public testing::Test {
 protected:
  SeatMapTest() { EXPECT_TRUE(Create(3).ok()); }

  absl::StatusOr<v1::Concert> Create(int seats) {
    v1::CreateConcertRequest request;
    request.set_concert_id("c");
    request.set_seat_count(seats);
    return CreateConcert(view_, request);
  }

  absl::StatusOr<v1::Reservation> Take(const std::string& id, int seat, const std::string& user,
                                       const std::string& concert = "c") {
    v1::HoldRequest request;
    request.set_concert_id(concert);
    request.set_seat(seat);
    request.set_user_id(user);
    request.set_reservation_id(id);
    return Hold(view_, request, 1);
  }

  absl::StatusOr<v1::Reservation> Pay(const std::string& id, const std::string& payment = "pay-1") {
    v1::ConfirmRequest request;
    request.set_reservation_id(id);
    request.set_payment_id(payment);
    return Confirm(view_, request, "saga", 2);
  }

  v1::SeatStatus SeatState(int seat) {
    v1::ListSeatsRequest request;
    request.set_concert_id("c");
    return ListSeats(view_, request)->seats(seat - 1).status();
  }

  participant::MemoryView view_;
};

TEST_F(SeatMapTest, ASeatGoesFromHeldToConfirmedToFreeAgain) {
  EXPECT_EQ(SeatState(1), v1::SEAT_STATUS_AVAILABLE);
  ASSERT_TRUE(Take("r1", 1, "u1").ok());
  EXPECT_EQ(SeatState(1), v1::SEAT_STATUS_HELD);
  const auto confirmed = Pay("r1");
  ASSERT_TRUE(confirmed.ok()) << confirmed.status();
  EXPECT_EQ(confirmed->status(), v1::RESERVATION_STATUS_CONFIRMED);
  EXPECT_EQ(confirmed->payment_id(), "pay-1");
  EXPECT_EQ(SeatState(1), v1::SEAT_STATUS_CONFIRMED);
  ASSERT_TRUE(CancelConfirmation(view_, "r1", 3).ok());
  EXPECT_EQ(GetReservation(view_, "r1")->status(), v1::RESERVATION_STATUS_CANCELLED);
  EXPECT_EQ(SeatState(1), v1::SEAT_STATUS_AVAILABLE);
  EXPECT_TRUE(Take("r2", 1, "u2").ok()) << "a freed seat can be sold again";
}

TEST_F(SeatMapTest, ASeatNeverGoesToTwoUsers) {
  ASSERT_TRUE(Take("r1", 1, "u1").ok());
  EXPECT_EQ(Take("r2", 1, "u2").status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Pay("r1").ok());
  EXPECT_EQ(Take("r2", 1, "u2").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReservation(view_, "r2").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SeatMapTest, HoldIsIdempotentPerReservation) {
  ASSERT_TRUE(Take("r1", 1, "u1").ok());
  ASSERT_TRUE(Pay("r1").ok());
  EXPECT_EQ(Take("r1", 1, "u1")->status(), v1::RESERVATION_STATUS_CONFIRMED);
  EXPECT_EQ(Take("r1", 2, "u1").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Take("r1", 1, "u2").status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SeatMapTest, HoldNeedsAnExistingSeat) {
  EXPECT_EQ(Take("r1", 0, "u").status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Take("r1", 4, "u").status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Take("r1", 1, "u", "other").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Take("a/b", 1, "u").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Take("r1", 3, "u").ok());
}

TEST_F(SeatMapTest, ConfirmOfAnythingNotHeldIsAFinalRefusal) {
  EXPECT_EQ(Pay("missing").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(IsFinalRefusal(Pay("missing").status()));
  ASSERT_TRUE(Take("r1", 1, "u1").ok());
  EXPECT_TRUE(IsFinalRefusal(Pay("r1", "").status()));
  ASSERT_TRUE(Pay("r1").ok());
  EXPECT_EQ(Pay("r1", "pay-2").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(IsFinalRefusal(Pay("r1", "pay-2").status()));
  ASSERT_TRUE(CancelConfirmation(view_, "r1", 3).ok());
  EXPECT_TRUE(IsFinalRefusal(Pay("r1").status()));
  EXPECT_EQ(GetReservation(view_, "r1")->payment_id(), "pay-1");
}

TEST_F(SeatMapTest, OnlyAConfirmedReservationIsCancelled) {
  ASSERT_TRUE(Take("r1", 1, "u1").ok());
  const auto cancelled = CancelConfirmation(view_, "r1", 3);
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(IsFinalRefusal(cancelled.status()));
  EXPECT_EQ(SeatState(1), v1::SEAT_STATUS_HELD);
}

TEST_F(SeatMapTest, CreateConcertIsIdempotent) {
  EXPECT_TRUE(Create(3).ok());
  EXPECT_EQ(Create(4).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Create(0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SeatMapTest, SeatsArePagedInOrder) {
  ASSERT_TRUE(Take("r1", 3, "u1").ok());
  v1::ListSeatsRequest request;
  request.set_concert_id("c");
  request.set_page_size(2);
  const auto first = ListSeats(view_, request);
  ASSERT_EQ(first->seats_size(), 2);
  request.set_page_token(first->next_page_token());
  const auto second = ListSeats(view_, request);
  ASSERT_EQ(second->seats_size(), 1);
  EXPECT_EQ(second->seats(0).seat(), 3);
  EXPECT_EQ(second->seats(0).user_id(), "u1");
  EXPECT_EQ(second->next_page_token(), "");
}

}  // namespace
}  // namespace tutti::reservation
