// The reservation service over gRPC, in this process.
#include "participants/reservation/reservation_service.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "participants/sdk/test_command.h"
#include "participants/sdk/test_directory.h"
#include "tutti/reservation/v1/reservation_service.grpc.pb.h"

namespace tutti::reservation {
namespace {

using participant::CallMethod;
using participant::TestAnswer;
using participant::TestCommand;
using Stub = v1::ReservationService::Stub;

class ReservationServiceTest : public testing::Test {
 protected:
  ReservationServiceTest() {
    participant::ParticipantOptions options;
    options.data_dir = directory_.path();
    auto server = participant::ParticipantServer::Start(ReservationSpec(), options);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::ReservationService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
    v1::CreateConcertRequest request;
    request.set_concert_id("c");
    request.set_seat_count(2);
    v1::CreateConcertResponse reply;
    EXPECT_TRUE(CallMethod(stub_.get(), &Stub::CreateConcert, request, &reply).status.ok());
    EXPECT_EQ(reply.concert().seat_count(), 2);
  }

  grpc::Status Hold(const std::string& id, int seat, const std::string& user) {
    v1::HoldRequest request;
    request.set_concert_id("c");
    request.set_seat(seat);
    request.set_user_id(user);
    request.set_reservation_id(id);
    v1::HoldResponse reply;
    return CallMethod(stub_.get(), &Stub::Hold, request, &reply).status;
  }

  TestAnswer Confirm(const std::string& id, const std::string& uid) {
    v1::ConfirmRequest request;
    request.set_reservation_id(id);
    request.set_payment_id("pay-1");
    v1::ConfirmResponse reply;
    const TestCommand command{.uid = uid};
    return CallMethod(stub_.get(), &Stub::Confirm, request, &reply, &command);
  }

  TestAnswer Cancel(const std::string& id, const std::string& uid) {
    v1::CancelConfirmationRequest request;
    request.set_reservation_id(id);
    v1::CancelConfirmationResponse reply;
    const TestCommand command{.uid = uid, .operation = "compensation"};
    return CallMethod(stub_.get(), &Stub::CancelConfirmation, request, &reply, &command);
  }

  v1::ReservationStatus StatusOf(const std::string& id) {
    v1::GetReservationRequest request;
    request.set_reservation_id(id);
    v1::GetReservationResponse reply;
    EXPECT_TRUE(CallMethod(stub_.get(), &Stub::GetReservation, request, &reply).status.ok());
    return reply.reservation().status();
  }

  participant::TestDirectory directory_;
  std::unique_ptr<participant::ParticipantServer> server_;
  std::unique_ptr<Stub> stub_;
};

TEST_F(ReservationServiceTest, ConfirmAndCancelAreMarkedAndFreeTheSeat) {
  ASSERT_TRUE(Hold("r1", 1, "u1").ok());
  EXPECT_EQ(Confirm("r1", "s1").mark, "applied");
  EXPECT_EQ(Confirm("r1", "s1").mark, "applied");
  EXPECT_EQ(StatusOf("r1"), v1::RESERVATION_STATUS_CONFIRMED);
  EXPECT_EQ(Cancel("r1", "s1").mark, "undone");
  EXPECT_EQ(StatusOf("r1"), v1::RESERVATION_STATUS_CANCELLED);
  EXPECT_TRUE(Hold("r2", 1, "u2").ok());
}

TEST_F(ReservationServiceTest, AnotherSagaCannotCancelWhatItDidNotConfirm) {
  ASSERT_TRUE(Hold("r1", 1, "u1").ok());
  EXPECT_EQ(Confirm("r1", "s1").mark, "applied");
  const TestAnswer other = Confirm("r1", "s2");
  EXPECT_EQ(other.status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(other.mark, "refused");
  EXPECT_EQ(Cancel("r1", "s2").mark, "empty");
  EXPECT_EQ(StatusOf("r1"), v1::RESERVATION_STATUS_CONFIRMED);
}

TEST_F(ReservationServiceTest, AMissingReservationIsRefusedForGood) {
  const TestAnswer first = Confirm("r1", "s1");
  EXPECT_EQ(first.status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(first.mark, "refused");
  ASSERT_TRUE(Hold("r1", 1, "u1").ok());
  EXPECT_EQ(Confirm("r1", "s1").mark, "refused");
  EXPECT_EQ(StatusOf("r1"), v1::RESERVATION_STATUS_HELD);
}

TEST_F(ReservationServiceTest, ATakenSeatIsRefused) {
  ASSERT_TRUE(Hold("r1", 2, "u1").ok());
  EXPECT_EQ(Hold("r2", 2, "u2").error_code(), grpc::FAILED_PRECONDITION);
  v1::ListSeatsRequest request;
  request.set_concert_id("c");
  v1::ListSeatsResponse reply;
  EXPECT_TRUE(CallMethod(stub_.get(), &Stub::ListSeats, request, &reply).status.ok());
  ASSERT_EQ(reply.seats_size(), 2);
  EXPECT_EQ(reply.seats(0).status(), v1::SEAT_STATUS_AVAILABLE);
  EXPECT_EQ(reply.seats(1).user_id(), "u1");
}

}  // namespace
}  // namespace tutti::reservation
