#include "orchestrator/effects/participant_invoker.h"

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "common/limits.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "orchestrator/effects/invoker_testing.h"

namespace tutti::effects {
namespace {

using testing::HasSubstr;

class ParticipantInvokerTest : public testing::Test {
 protected:
  ParticipantInvokerTest() : invoker_(&clock_, log_.sink()) {}
  ~ParticipantInvokerTest() override { invoker_.Shutdown(); }

  void Connect(int max_in_flight = 1024) {
    participant_.Start();
    ParticipantEndpoint endpoint = Endpoint(participant_.port());
    endpoint.max_in_flight = max_in_flight;
    ASSERT_TRUE(invoker_.SetParticipants({endpoint}).ok());
  }

  SystemClock clock_;
  EventLog log_;
  FakeParticipant participant_;
  ParticipantInvoker invoker_;
};

TEST_F(ParticipantInvokerTest, AnOkReplyComesBackWithItsBytes) {
  Connect();
  participant_.Handle([](grpc::CallbackServerContext*, HealthCheckResponse* response) {
    response->set_status(HealthCheckResponse::SERVING);
    return grpc::Status::OK;
  });
  HealthCheckRequest request;
  request.set_service("x");
  saga::SendCommand command = Command(7);
  command.request = request.SerializeAsString();
  command.metadata = {{"x-request-id", "abc"}};
  invoker_.Send(command);
  const auto reply = log_.NextOf<saga::ReplyReceived>();
  EXPECT_EQ(reply.code, 0);
  EXPECT_EQ(reply.attempt, command.attempt);
  EXPECT_EQ(reply.mark, v1::BARRIER_MARK_UNSPECIFIED);
  HealthCheckResponse response;
  ASSERT_TRUE(response.ParseFromString(reply.reply));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  const auto metadata = participant_.metadata();
  EXPECT_EQ(metadata.at("tutti-attempt"), "7");
  EXPECT_EQ(metadata.at("x-request-id"), "abc");
}

TEST_F(ParticipantInvokerTest, AnErrorKeepsCodeMessageAndMark) {
  Connect();
  participant_.Handle([](grpc::CallbackServerContext* context, HealthCheckResponse*) {
    context->AddTrailingMetadata("tutti-barrier", "refused");
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "no points");
  });
  invoker_.Send(Command());
  const auto reply = log_.NextOf<saga::ReplyReceived>();
  EXPECT_EQ(reply.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(reply.message, "no points");
  EXPECT_EQ(reply.mark, v1::BARRIER_MARK_REFUSED);
  EXPECT_EQ(reply.reply, "");
  EXPECT_FALSE(reply.pushback_ms.has_value());
}

TEST_F(ParticipantInvokerTest, MarksAreReadOneByOneAndUnknownOnesAreNone) {
  Connect();
  const std::pair<std::string, v1::BarrierMark> marks[] = {{"applied", v1::BARRIER_MARK_APPLIED},
                                                           {"undone", v1::BARRIER_MARK_UNDONE},
                                                           {"empty", v1::BARRIER_MARK_EMPTY},
                                                           {"Applied", v1::BARRIER_MARK_UNSPECIFIED}};
  for (const auto& [text, mark] : marks) {
    participant_.Handle([text = text](grpc::CallbackServerContext* context, HealthCheckResponse*) {
      context->AddTrailingMetadata("tutti-barrier", text);
      return grpc::Status::OK;
    });
    invoker_.Send(Command());
    EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().mark, mark) << text;
  }
}

TEST_F(ParticipantInvokerTest, PushbackIsReadFromTheHeaderAndFromRetryInfo) {
  Connect();
  const std::pair<std::string, int64_t> headers[] = {{"250", 250}, {"-1", -1}};
  for (const auto& [text, pushback_ms] : headers) {
    participant_.Handle([text = text](grpc::CallbackServerContext* context, HealthCheckResponse*) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", text);
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "later");
    });
    invoker_.Send(Command());
    EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().pushback_ms, pushback_ms);
  }
  participant_.Handle([](grpc::CallbackServerContext*, HealthCheckResponse*) {
    google::rpc::RetryInfo info;
    info.mutable_retry_delay()->set_seconds(1);
    info.mutable_retry_delay()->set_nanos(500'000'000);
    google::rpc::Status details;
    details.add_details()->PackFrom(info);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "later", details.SerializeAsString());
  });
  invoker_.Send(Command());
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().pushback_ms, 1500);
}

TEST_F(ParticipantInvokerTest, AReplyAfterTheTimeoutIsStillHeard) {
  Connect();
  participant_.Hold();
  saga::SendCommand command = Command();
  command.timeout_ms = 100;
  command.grace_ms = 15'000;
  invoker_.Send(command);
  EXPECT_EQ(log_.NextOf<saga::AttemptTimedOut>().attempt, command.attempt);
  participant_.Release(grpc::Status::OK);
  const auto reply = log_.NextOf<saga::ReplyReceived>();
  EXPECT_EQ(reply.code, 0);
  EXPECT_GE(reply.elapsed_ms, 100);
  EXPECT_EQ(participant_.calls(), 1);
}

// Nobody can say whether it has left, so it must not be able to leave any more.
TEST_F(ParticipantInvokerTest, ATargetThatIsAnAddressEndsItsCallsAtTheTimeout) {
  participant_.Start();
  participant_.Hold();
  ParticipantEndpoint endpoint = Endpoint(participant_.port());
  endpoint.target = "ipv4:" + endpoint.target;
  ASSERT_TRUE(invoker_.SetParticipants({endpoint}).ok());
  saga::SendCommand command = Command();
  command.timeout_ms = 100;
  command.grace_ms = 15'000;
  invoker_.Send(command);
  std::optional<saga::Event> event = log_.Next();
  if (event.has_value() && std::holds_alternative<saga::AttemptTimedOut>(event->body)) event = log_.Next();
  ASSERT_TRUE(event.has_value() && std::holds_alternative<saga::ReplyReceived>(event->body));
  EXPECT_EQ(std::get<saga::ReplyReceived>(event->body).code, grpc::StatusCode::CANCELLED);
}

TEST_F(ParticipantInvokerTest, TheEndOfTheGraceIsNotAReply) {
  Connect();
  participant_.Hold();
  saga::SendCommand command = Command();
  command.timeout_ms = 50;
  command.grace_ms = 50;
  invoker_.Send(command);
  log_.NextOf<saga::AttemptTimedOut>();
  const auto bound = std::chrono::steady_clock::now() + kBound;
  while (invoker_.Status().at(0).under_way > 0 && std::chrono::steady_clock::now() < bound) std::this_thread::yield();
  EXPECT_EQ(invoker_.Status().at(0).under_way, 0u);
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(ParticipantInvokerTest, ACommandWaitsForAParticipantThatIsDownAndIsSentOnceItIsUp) {
  const int port = DeadPort();
  ASSERT_TRUE(invoker_.SetParticipants({Endpoint(port)}).ok());
  invoker_.Send(Command());
  EXPECT_EQ(invoker_.Status().at(0).waiting, 1u);
  participant_.Start(port);
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
  EXPECT_EQ(participant_.calls(), 1);
}

TEST_F(ParticipantInvokerTest, AParticipantThatReturnsIsFoundAgain) {
  Connect();
  invoker_.Send(Command(1));
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
  participant_.Stop();
  saga::SendCommand lost = Command(2);
  lost.timeout_ms = 300;
  invoker_.Send(lost);
  const auto event = log_.Next();
  ASSERT_TRUE(event.has_value());
  // The client may not have noticed yet that the connection broke; either way nothing waits inside gRPC.
  EXPECT_FALSE(std::holds_alternative<saga::AttemptTimedOut>(event->body));
  participant_.Start(participant_.port());
  invoker_.Send(Command(3));
  const auto reply = log_.NextOf<saga::ReplyReceived>();
  EXPECT_EQ(reply.attempt.number, 3);
  EXPECT_EQ(reply.code, 0);
}

TEST_F(ParticipantInvokerTest, NotSentSaysWhichParticipantWhereAndWhy) {
  const int port = DeadPort();
  ASSERT_TRUE(invoker_.SetParticipants({Endpoint(port)}).ok());
  saga::SendCommand command = Command();
  command.timeout_ms = 100;
  invoker_.Send(command);
  const auto not_sent = log_.NextOf<saga::NotSent>();
  EXPECT_EQ(not_sent.attempt, command.attempt);
  EXPECT_THAT(not_sent.message, HasSubstr("\"payment\""));
  EXPECT_THAT(not_sent.message, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(not_sent.message, testing::ContainsRegex("CONNECTING|TRANSIENT_FAILURE|IDLE"));
}

TEST_F(ParticipantInvokerTest, ADroppedCommandIsNeverHandedOver) {
  const int port = DeadPort();
  ASSERT_TRUE(invoker_.SetParticipants({Endpoint(port)}).ok());
  invoker_.Send(Command(1));
  invoker_.Drop(DropOf(Command(1)));
  EXPECT_EQ(log_.NextOf<saga::NotSent>().attempt.number, 1);
  invoker_.Drop(DropOf(Command(1)));  // there is nothing left to drop
  participant_.Start(port);
  invoker_.Send(Command(2));
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().attempt.number, 2);
  EXPECT_EQ(participant_.calls(), 1);
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(ParticipantInvokerTest, DropDoesNotTouchACallUnderWay) {
  Connect();
  participant_.Hold();
  invoker_.Send(Command());
  ASSERT_TRUE(participant_.WaitForCalls(1));
  invoker_.Drop(DropOf(Command()));
  participant_.Release(grpc::Status::OK);
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
}

TEST_F(ParticipantInvokerTest, CommandsBeyondTheInFlightLimitWaitTheirTurn) {
  Connect(/*max_in_flight=*/2);
  participant_.Hold();
  for (int number = 1; number <= 5; ++number) invoker_.Send(Command(number));
  ASSERT_TRUE(participant_.WaitForCalls(2));
  EXPECT_EQ(invoker_.Status().at(0).waiting, 3u);
  EXPECT_EQ(participant_.calls(), 2);
  participant_.Release(grpc::Status::OK);
  for (int number = 1; number <= 5; ++number) EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
  EXPECT_EQ(participant_.calls(), 5);
}

TEST_F(ParticipantInvokerTest, ALingeringCallGivesItsSlotBack) {
  Connect(/*max_in_flight=*/1);
  participant_.Hold();
  saga::SendCommand slow = Command(1);
  slow.timeout_ms = 50;
  invoker_.Send(slow);
  ASSERT_TRUE(participant_.WaitForCalls(1));
  invoker_.Send(Command(2));
  log_.NextOf<saga::AttemptTimedOut>();
  EXPECT_TRUE(participant_.WaitForCalls(2));
}

TEST_F(ParticipantInvokerTest, AFullQueueAnswersAtOnce) {
  ParticipantEndpoint endpoint = Endpoint(DeadPort());
  endpoint.max_queued = 1;
  ASSERT_TRUE(invoker_.SetParticipants({endpoint}).ok());
  invoker_.Send(Command(1));
  invoker_.Send(Command(2));
  const auto not_sent = log_.NextOf<saga::NotSent>();
  EXPECT_EQ(not_sent.attempt.number, 2);
  EXPECT_THAT(not_sent.message, HasSubstr("full"));
}

TEST_F(ParticipantInvokerTest, AReplyBeyondTheLimitIsResourceExhausted) {
  Connect();
  participant_.Handle([](grpc::CallbackServerContext*, HealthCheckResponse* response) {
    response->GetReflection()->MutableUnknownFields(response)->AddLengthDelimited(
        9, std::string(limits::kReplyBytesMax + 1, 'x'));
    return grpc::Status::OK;
  });
  invoker_.Send(Command());
  const auto reply = log_.NextOf<saga::ReplyReceived>();
  EXPECT_EQ(reply.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(reply.reply, "");
}

TEST_F(ParticipantInvokerTest, AnUnknownParticipantIsNotSent) {
  invoker_.Send(Command());
  EXPECT_THAT(log_.NextOf<saga::NotSent>().message, HasSubstr("\"payment\" is not configured"));
}

TEST_F(ParticipantInvokerTest, IllegalMetadataIsNotSentAndFreesItsSlot) {
  Connect(/*max_in_flight=*/1);
  saga::SendCommand command = Command(1);
  command.metadata = {{"x", "a\nb"}};
  invoker_.Send(command);
  EXPECT_THAT(log_.NextOf<saga::NotSent>().message, HasSubstr("metadata \"x\""));
  invoker_.Send(Command(2));
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
}

TEST_F(ParticipantInvokerTest, WaitingCommandsMoveToAChangedEndpoint) {
  ASSERT_TRUE(invoker_.SetParticipants({Endpoint(DeadPort())}).ok());
  invoker_.Send(Command());
  Connect();
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
}

TEST_F(ParticipantInvokerTest, WaitingCommandsOfARemovedParticipantAreNotSent) {
  ASSERT_TRUE(invoker_.SetParticipants({Endpoint(DeadPort())}).ok());
  invoker_.Send(Command());
  ASSERT_TRUE(invoker_.SetParticipants({}).ok());
  EXPECT_THAT(log_.NextOf<saga::NotSent>().message, HasSubstr("removed"));
}

TEST_F(ParticipantInvokerTest, ACallUnderWayOutlivesTheReplacementOfItsEndpoint) {
  Connect();
  participant_.Hold();
  invoker_.Send(Command());
  ASSERT_TRUE(participant_.WaitForCalls(1));
  ASSERT_TRUE(invoker_.SetParticipants({}).ok());
  participant_.Release(grpc::Status::OK);
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().code, 0);
}

TEST_F(ParticipantInvokerTest, ShutdownEndsCallsUnderWayAndPostsNothing) {
  Connect(/*max_in_flight=*/1);
  participant_.Hold();
  invoker_.Send(Command(1));
  ASSERT_TRUE(participant_.WaitForCalls(1));
  invoker_.Send(Command(2));
  invoker_.Shutdown();
  EXPECT_EQ(log_.size(), 0u);
  invoker_.Send(Command(3));
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(ParticipantInvokerTest, EndpointsThatCannotWorkAreRefused) {
  const auto refusal = [&](const std::function<void(ParticipantEndpoint*)>& spoil) {
    ParticipantEndpoint endpoint = Endpoint(1);
    spoil(&endpoint);
    return std::string(invoker_.SetParticipants({endpoint}).message());
  };
  EXPECT_THAT(refusal([](auto* e) { e->target = ""; }), HasSubstr("target"));
  EXPECT_THAT(refusal([](auto* e) { e->name = ""; }), HasSubstr("name"));
  EXPECT_THAT(refusal([](auto* e) { e->target = "payment"; }), HasSubstr("target: has no port"));
  EXPECT_THAT(refusal([](auto* e) { e->ca_file = "/nowhere/ca.pem"; }), HasSubstr("/nowhere/ca.pem"));
  EXPECT_THAT(refusal([](auto* e) { e->ca_file = "/proc/self/status"; }), HasSubstr("no PEM certificate"));
  EXPECT_THAT(refusal([](auto* e) { e->ca_file = "/tmp"; }), HasSubstr("/tmp"));
  EXPECT_THAT(refusal([](auto* e) { e->certificate_file = "/dev/null"; }), HasSubstr("go together"));
  EXPECT_THAT(refusal([](auto* e) { e->bearer_token_file = "/dev/null"; }), HasSubstr("needs tls"));
  const auto token = [&](const char* file) {
    return refusal([file](auto* e) {
      e->tls = true;
      e->bearer_token_file = file;
    });
  };
  EXPECT_THAT(token("/dev/null"), HasSubstr("bearer_token_file: no token"));
  EXPECT_THAT(token("/dev/zero"), HasSubstr("not a file"));
  EXPECT_THAT(token("/proc/self/status"), HasSubstr("does not hold a token"));
  EXPECT_THAT(refusal([](auto* e) { e->max_in_flight = 0; }), HasSubstr("concurrency"));
  EXPECT_THAT(refusal([](auto* e) { e->load_balancing = "magic"; }), HasSubstr("load_balancing"));
  EXPECT_THAT(std::string(invoker_.SetParticipants({Endpoint(1), Endpoint(2)}).message()), HasSubstr("twice"));
}

}  // namespace
}  // namespace tutti::effects
