// What a participant, or something between, may send back instead of what gRPC would.
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "google/protobuf/io/gzip_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "orchestrator/effects/invoker_testing.h"
#include "orchestrator/effects/participant_invoker.h"
#include "orchestrator/effects/participant_line.h"
#include "orchestrator/effects/raw_participant.h"
#include "orchestrator/saga/outcome.h"

namespace tutti::effects {
namespace {

using testing::HasSubstr;

class ForeignAnswersTest : public testing::Test {
 protected:
  ForeignAnswersTest() : invoker_(&clock_, log_.sink()) {}
  ~ForeignAnswersTest() override { invoker_.Shutdown(); }

  void Connect(const raw::Participant& participant) {
    ASSERT_TRUE(invoker_.SetParticipants({Endpoint(participant.port())}).ok());
  }

  // The only answer of a participant that answers everything so.
  saga::ReplyReceived Ask(const std::function<std::string(uint32_t stream)>& answer) {
    raw::Participant participant([&](uint32_t stream, int) { return answer(stream); });
    Connect(participant);
    invoker_.Send(Command());
    auto reply = log_.NextOf<saga::ReplyReceived>();
    EXPECT_TRUE(invoker_.SetParticipants({}).ok());
    return reply;
  }

  SystemClock clock_;
  EventLog log_;
  ParticipantInvoker invoker_;
};

TEST_F(ForeignAnswersTest, AGrpcAnswerIsTakenAtItsWord) {
  const auto ok = Ask([](uint32_t stream) { return raw::Ok(stream, "hello"); });
  EXPECT_EQ(ok.code, grpc::StatusCode::OK);
  EXPECT_EQ(ok.reply, "hello");
  for (const int code : {3, 5, 6, 7, 9, 10, 11, 12, 16}) {
    const auto refusal = Ask([code](uint32_t stream) {
      return raw::Headers(stream, raw::GrpcHeaders({{"grpc-status", std::to_string(code)}, {"grpc-message", "no"}}),
                          /*end_stream=*/true);
    });
    EXPECT_EQ(refusal.code, code);
    EXPECT_EQ(refusal.message, "no");
  }
  // Where both are there, gRPC's counts.
  const auto both = Ask([](uint32_t stream) {
    return raw::Headers(stream, {{":status", "403"}, {"grpc-status", "5"}}, /*end_stream=*/true);
  });
  EXPECT_EQ(both.code, grpc::StatusCode::NOT_FOUND);
}

TEST_F(ForeignAnswersTest, AnHttpStatusAloneIsNoRefusal) {
  raw::Participant participant([](uint32_t stream, int request) {
    return raw::Headers(stream, {{":status", std::to_string(99 + request)}}, /*end_stream=*/true);
  });
  Connect(participant);
  for (int status = 100; status < 600; ++status) {
    invoker_.Send(Command(status));
    const auto reply = log_.NextOf<saga::ReplyReceived>();
    EXPECT_EQ(saga::DefaultOutcome(reply.code), v1::OUTCOME_UNKNOWN) << "HTTP " << status << " is code " << reply.code;
    const std::string named = status == 200 ? "" : std::to_string(status);
    EXPECT_THAT(reply.message, HasSubstr(named));
  }
  EXPECT_EQ(participant.connections(), 1);
  for (const char* status : {"401", "403", "404"}) {
    const auto reply = Ask([status](uint32_t stream) {
      return raw::Headers(stream, {{":status", status}, {"content-type", "text/html"}}) +
             raw::Data(stream, "<html>no</html>") + raw::Headers(stream, {{"x-a", "b"}}, /*end_stream=*/true);
    });
    EXPECT_EQ(reply.code, grpc::StatusCode::UNKNOWN) << status;
    EXPECT_THAT(reply.message, HasSubstr("without a gRPC status"));
  }
}

TEST_F(ForeignAnswersTest, APageOfHtmlIsNoAnswer) {
  const auto reply = Ask([](uint32_t stream) {
    return raw::Headers(stream, {{":status", "200"}, {"content-type", "text/html"}}) +
           raw::Data(stream, "<html>welcome</html>", /*end_stream=*/true);
  });
  EXPECT_EQ(reply.code, grpc::StatusCode::UNKNOWN);
  EXPECT_EQ(reply.reply, "");
}

TEST_F(ForeignAnswersTest, AResetStreamIsNoRefusal) {
  for (uint32_t error = 0; error <= 14; ++error) {
    const auto reply = Ask([error](uint32_t stream) { return raw::Reset(stream, error); });
    EXPECT_EQ(saga::DefaultOutcome(reply.code), v1::OUTCOME_UNKNOWN) << "error " << error << " is code " << reply.code;
  }
  const auto insecure = Ask([](uint32_t stream) { return raw::Reset(stream, 12); });
  EXPECT_THAT(insecure.message, HasSubstr("reset with HTTP/2 error 12"));
}

TEST_F(ForeignAnswersTest, CodesThatGrpcDoesNotDefineAreUnknown) {
  for (const char* code : {"17", "99", "2147483647", "-1", "4294967296", "abc", ""}) {
    const auto reply = Ask([code](uint32_t stream) { return raw::Status(stream, code, "odd"); });
    EXPECT_EQ(reply.code, grpc::StatusCode::UNKNOWN) << code;
    EXPECT_THAT(reply.message, HasSubstr("odd"));
  }
}

TEST_F(ForeignAnswersTest, OkNeedsAWholeMessage) {
  const std::function<std::string(uint32_t)> answers[] = {
      [](uint32_t s) {
        return raw::Headers(s, raw::GrpcHeaders({{"grpc-status", "0"}}), /*end_stream=*/true);
      },
      [](uint32_t s) { return raw::Headers(s, raw::GrpcHeaders()) + raw::Status(s, "0", ""); },
      [](uint32_t s) {
        return raw::Headers(s, raw::GrpcHeaders()) + raw::Data(s, raw::Message("a long one").substr(0, 8)) +
               raw::Status(s, "0", "");
      }};
  for (const auto& answer : answers) {
    const auto reply = Ask(answer);
    EXPECT_EQ(reply.code, grpc::StatusCode::INTERNAL);
    EXPECT_THAT(reply.message, HasSubstr("without a whole reply"));
  }
  const auto empty = Ask([](uint32_t stream) { return raw::Ok(stream, ""); });
  EXPECT_EQ(empty.code, grpc::StatusCode::OK);
}

TEST_F(ForeignAnswersTest, AnAnswerThatIsNoneEndsItsCallOnly) {
  const std::function<std::string(uint32_t)> answers[] = {
      [](uint32_t s) { return raw::Data(s, "", /*end_stream=*/true); },  // closed without a word
      [](uint32_t s) {
        return raw::Headers(s, raw::GrpcHeaders()) + raw::Data(s, raw::Message("x"), /*end_stream=*/true);
      },
      [](uint32_t s) {
        return raw::Headers(s, raw::GrpcHeaders({{"x-bin", "!!!"}})) + raw::Status(s, "7", "no");
      },
      [](uint32_t s) {
        return raw::Status(s, "14", "no", {{"grpc-status-details-bin", "!!!"}});
      }};
  for (const auto& answer : answers) {
    EXPECT_EQ(saga::DefaultOutcome(Ask(answer).code), v1::OUTCOME_UNKNOWN);
  }
}

std::string Gzip(size_t zeros) {
  std::string out;
  google::protobuf::io::StringOutputStream whole(&out);
  google::protobuf::io::GzipOutputStream gzip(&whole);
  void* data = nullptr;
  int size = 0;
  for (size_t done = 0; done < zeros && gzip.Next(&data, &size); done += static_cast<size_t>(size)) {
    std::memset(data, 0, static_cast<size_t>(size));
  }
  EXPECT_TRUE(gzip.Close());
  return out;
}

int64_t PeakKiB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6));
  }
  return 0;
}

TEST_F(ForeignAnswersTest, ACompressedReplyIsNotInflated) {
  const std::string bomb = Gzip(200 << 20);
  ASSERT_LT(bomb.size(), limits::kReplyBytesMax);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew
  const int64_t before = PeakKiB();
  for (const bool at_once : {true, false}) {
    const auto reply = Ask([&](uint32_t s) {
      std::string head = raw::Headers(s, raw::GrpcHeaders({{"grpc-encoding", "gzip"}}));
      std::string body = raw::Data(s, raw::Message(bomb, 1)) + raw::Status(s, "0", "");
      return at_once ? head + body : head;  // the library looks at the header or at the message first
    });
    EXPECT_EQ(saga::DefaultOutcome(reply.code), v1::OUTCOME_UNKNOWN) << reply.code << " " << reply.message;
    EXPECT_THAT(reply.message, HasSubstr("compressed"));
    EXPECT_EQ(reply.reply, "");
  }
  EXPECT_LT(PeakKiB() - before, 50 << 10);
}

// A neighbour's call is under way while another gets a large answer.
TEST_F(ForeignAnswersTest, LargeHeadersAndTrailersLeaveTheNeighboursAlone) {
  raw::HeaderList many;
  for (int i = 0; i < 10'000; ++i) many.push_back({"x-" + std::to_string(i), "v"});
  google::rpc::Status rich;
  rich.set_message(std::string(60 << 10, 'x'));
  const std::string wide(900 << 10, 'x');
  const std::function<std::string(uint32_t)> answers[] = {
      [](uint32_t s) {
        return raw::Status(s, "9", "no", {{"x", std::string(64 << 10, 'x')}});
      },
      [&](uint32_t s) {
        return raw::Status(s, "9", "no", {{"x", wide}});
      },
      [&](uint32_t s) { return raw::Status(s, "9", "no", many); },
      [&](uint32_t s) {
        return raw::Headers(s, raw::GrpcHeaders({{"x", wide}})) + raw::Status(s, "9", "no");
      },
      [&](uint32_t s) { return raw::Status(s, "9", "no" + wide); },
      [&](uint32_t s) {
        return raw::Status(s, "9", "no", {{"grpc-status-details-bin", absl::Base64Escape(rich.SerializeAsString())}});
      }};
  for (const auto& answer : answers) {
    uint32_t held = 0;
    raw::Participant participant([&](uint32_t stream, int request) {
      if (request > 1) return answer(stream);
      held = stream;
      return std::string();
    });
    Connect(participant);
    invoker_.Send(Command(1));
    ASSERT_TRUE(participant.WaitForRequests(1));
    invoker_.Send(Command(2));
    const auto large = log_.NextOf<saga::ReplyReceived>();
    EXPECT_EQ(large.attempt.number, 2);
    EXPECT_THAT(large.message, testing::StartsWith("no"));
    EXPECT_LE(large.message.size(), limits::kStatusMessageBytesMax);
    EXPECT_EQ(large.code, grpc::StatusCode::FAILED_PRECONDITION);
    participant.Send(raw::Ok(held, "mine"));
    const auto neighbour = log_.NextOf<saga::ReplyReceived>();
    EXPECT_EQ(neighbour.attempt.number, 1);
    EXPECT_EQ(neighbour.reply, "mine");
    EXPECT_EQ(participant.connections(), 1);
    ASSERT_TRUE(invoker_.SetParticipants({}).ok());
  }
}

TEST_F(ForeignAnswersTest, BeyondTheHardLimitCallsAreUnknownAndTheNextOneIsServed) {
  raw::Participant participant([](uint32_t stream, int request) {
    if (request > 1) return raw::Ok(stream, "well");
    return raw::Status(stream, "9", "no", {{"x", std::string(limits::kReplyMetadataBytesMax, 'x')}});
  });
  Connect(participant);
  invoker_.Send(Command(1));
  EXPECT_EQ(saga::DefaultOutcome(log_.NextOf<saga::ReplyReceived>().code), v1::OUTCOME_UNKNOWN);
  // The connection goes down after the call did, however many commands are lost with it in between.
  saga::ReplyReceived reply;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int number = 2; reply.reply.empty() && std::chrono::steady_clock::now() < deadline; ++number) {
    invoker_.Send(Command(number));
    reply = log_.NextOf<saga::ReplyReceived>();
    EXPECT_NE(saga::DefaultOutcome(reply.code), v1::OUTCOME_REJECTED);
  }
  EXPECT_EQ(reply.reply, "well");
}

TEST_F(ForeignAnswersTest, PushbackIsClamped) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto ask = [&](const raw::HeaderList& trailers) {
    return Ask([&](uint32_t stream) { return raw::Status(stream, "14", "later", trailers); }).pushback_ms;
  };
  EXPECT_EQ(ask({{"grpc-retry-pushback-ms", "250"}}), 250);
  EXPECT_EQ(ask({{"grpc-retry-pushback-ms", "9223372036854775807"}}), kMax);
  for (const char* text : {"-1", "-9223372036854775808", "soon", ""}) {
    EXPECT_LT(*ask({{"grpc-retry-pushback-ms", text}}), 0) << text;
  }
  const auto info = [&](int64_t seconds, int32_t nanos) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(seconds);
    retry.mutable_retry_delay()->set_nanos(nanos);
    google::rpc::Status rich;
    rich.add_details()->PackFrom(retry);
    return ask({{"grpc-status-details-bin", absl::Base64Escape(rich.SerializeAsString())}});
  };
  EXPECT_EQ(info(30, 0), 30'000);
  EXPECT_EQ(info(kMax, 0), kMax);
  EXPECT_EQ(info(kMax / 1000, 999'999'999), kMax);
  EXPECT_EQ(info(std::numeric_limits<int64_t>::min(), 0), 0);
  EXPECT_EQ(info(-1, 2'000'000'000), 0);
  EXPECT_EQ(info(0, -1), 0);
}

// Distance, or a cold start of TLS on the other side. Two seconds were once the most that a connection could take.
TEST_F(ForeignAnswersTest, AConnectionMayTakeItsTime) {
  raw::Participant participant([](uint32_t stream, int) { return raw::Ok(stream, "far"); },
                               [](int) {
                                 std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
                                 return true;
                               });
  Connect(participant);
  invoker_.Send(Command());
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().reply, "far");
  EXPECT_EQ(participant.connections(), 1);
}

// With gRPC's own backoff, which starts at a second, seven attempts take 40 s.
TEST_F(ForeignAnswersTest, ALostConnectionIsTriedAgainQuickly) {
  raw::Participant participant([](uint32_t stream, int) { return raw::Ok(stream, "back"); },
                               [](int connection) { return connection > 7; });
  Connect(participant);
  EXPECT_TRUE(participant.WaitForConnections(7));
  invoker_.Send(Command());
  EXPECT_EQ(log_.NextOf<saga::ReplyReceived>().reply, "back");
}

// To gRPC every one of these connections is a success, after which it needs no pause.
TEST_F(ForeignAnswersTest, APeerThatAcceptsAndHangsUpIsNotCalledWithoutPause) {
  raw::Participant participant([](uint32_t, int) { return std::string(); }, nullptr, raw::GoAway(0, 0));
  const auto began = std::chrono::steady_clock::now();
  Connect(participant);
  ASSERT_TRUE(participant.WaitForConnections(6));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 5 * kConnectPause);
}

TEST_F(ForeignAnswersTest, AConnectionThatEndsWithItsCallsIsMadeAnew) {
  raw::Participant participant([](uint32_t stream, int request) {
    return request == 1   ? raw::GoAway(0, 11)
           : request == 2 ? raw::GoAway(stream, 0) + raw::Ok(stream, "last")
                          : raw::Ok(stream, "well");
  });
  Connect(participant);
  for (const char* reply : {"", "last", "well"}) {
    invoker_.Send(Command());
    const auto answer = log_.NextOf<saga::ReplyReceived>();
    EXPECT_EQ(answer.reply, reply);
    EXPECT_NE(saga::DefaultOutcome(answer.code), v1::OUTCOME_REJECTED);
  }
}

// The reply and the last thread that knows of the call come at once, and the channel is nobody's but theirs.
TEST_F(ForeignAnswersTest, AParticipantMayBeRemovedWhileItsLastCallEnds) {
  for (int round = 0; round < 200; ++round) {
    EXPECT_EQ(Ask([](uint32_t stream) { return raw::Ok(stream, "bye"); }).reply, "bye");
    // Each of these forgets what is over by now.
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(invoker_.SetParticipants({}).ok());
  }
}

}  // namespace
}  // namespace tutti::effects
