#include "orchestrator/server/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "grpcpp/create_channel.h"
#include "orchestrator/definition/test_source.h"
#include "orchestrator/doctor/store_with_sagas.h"
#include "orchestrator/server/participants.h"
#include "tutti/v1/definition_service.grpc.pb.h"

namespace tutti::server {
namespace {

// A port that somebody else listens on.
class TakenPort {
 public:
  TakenPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    TUTTI_CHECK(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0 && ::listen(socket_, 1) == 0 &&
                    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0,
                "no port to take");
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~TakenPort() { ::close(socket_); }
  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

// What the server with these ports answers to a scrape about who is configured and ready.
std::string ParticipantGauges(const std::string& port_file) {
  std::string ports;
  std::getline(std::ifstream(port_file), ports);
  int port = 0;
  const size_t at = ports.find("\"metrics\":");
  TUTTI_CHECK(at != std::string::npos && std::sscanf(ports.c_str() + at, "\"metrics\":%d", &port) == 1,
              "no port of metrics");
  const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port))};
  address.sin_addr = {htonl(INADDR_LOOPBACK)};
  TUTTI_CHECK(::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "no connection");
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  TUTTI_CHECK(::send(connection, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()),
              "no request");
  std::string page;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::recv(connection, buffer, sizeof(buffer), 0)) > 0;) page.append(buffer, n);
  ::close(connection);
  std::string gauges;
  std::istringstream text(page);
  for (std::string line; std::getline(text, line);) {
    const bool wanted =
        absl::StartsWith(line, "tutti_participant_configured{") || absl::StartsWith(line, "tutti_participant_ready{");
    if (wanted) absl::StrAppend(&gauges, absl::StripAsciiWhitespace(line), "\n");
  }
  return gauges;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    std::filesystem::create_directory(folder_.path());
    options_.data_dir = folder_.path();
    options_.participants_file = folder_.path() / "participants.yaml";
    std::ofstream(options_.participants_file) << "participants:\n  shop: {target: \"unix:/nonexistent/shop\"}\n";
    options_.grpc.address = "127.0.0.1:0";
    options_.grpc.drain_delay_ms = 0;
  }

  void LeaveOpenSagas(int count) { doctor::MakeStoreWithSagas(folder_.path() / "store", count); }

  const store::TemporaryFolder folder_;
  Options options_;
};

TEST_F(ServerTest, ComesUpWithWhatItLeftAndGoesDownByItself) {
  LeaveOpenSagas(10);
  for (int life = 0; life < 2; ++life) {
    auto server = Server::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    if (life == 0) (*server)->Shutdown();
  }
}

// Whoever checks definitions and steps sagas must see what the reload brought, not the invoker alone.
TEST_F(ServerTest, AReloadReachesTheTableOfParticipantsAndABrokenFileDoesNot) {
  const std::string descriptor_set = folder_.path() / "shop.binpb";
  definition::testing::TestSource source;
  std::ofstream(descriptor_set, std::ios::binary)
      << source.FindSymbol("shop", "shop.v1.PayService")->SerializeAsString();
  const auto write = [&](const std::string& participant) {
    std::ofstream(options_.participants_file) << "participants:\n  " << participant << ": {target: \"unix:/nonexistent/"
                                              << participant << "\", descriptor_set: \"" << descriptor_set << "\"}\n";
  };
  write("shop");
  options_.port_file = folder_.path() / "ports";
  auto server = Server::Start(options_);
  ASSERT_TRUE(server.ok()) << server.status();
  std::string ports;
  std::getline(std::ifstream(options_.port_file), ports);
  int port = 0;
  ASSERT_EQ(std::sscanf(ports.c_str(), "{\"grpc\":%d", &port), 1) << ports;
  const auto stub = v1::DefinitionService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  const auto takes = [&](const std::string& participant) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::ApplyDefinitionRequest request;
    request.set_dry_run(true);
    request.set_source(absl::StrCat("name: b\nsteps:\n  - {name: pay, participant: ", participant,
                                    ", kind: retriable, action: {method: shop.v1.PayService/Pay}}\n"));
    v1::ApplyDefinitionResponse response;
    return stub->ApplyDefinition(&context, request, &response).ok();
  };
  EXPECT_TRUE(takes("shop"));
  EXPECT_FALSE(takes("depot"));
  write("depot");
  (*server)->ReloadParticipants();
  EXPECT_FALSE(takes("shop"));
  EXPECT_TRUE(takes("depot"));
  std::ofstream(options_.participants_file) << "participants: 5\n";
  (*server)->ReloadParticipants();
  EXPECT_TRUE(takes("depot")) << "the last good file holds";
}

// The sagas that were left call the shop.
TEST_F(ServerTest, AReloadThatTakesAwayWhatIsCalledIsRefusedUnlessItIsMeant) {
  LeaveOpenSagas(1);
  const auto write = [&](const std::string& name) {
    std::ofstream(options_.participants_file)
        << "participants:\n  " << name << ": {target: \"unix:/nonexistent/shop\"}\n";
  };
  const auto reload = [&](bool allow_missing) {
    options_.allow_missing = allow_missing;
    write("shop");
    auto server = Server::Start(options_);
    EXPECT_TRUE(server.ok()) << server.status();
    write("shpo");
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    (*server)->ReloadParticipants();
    return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(reload(false),
              testing::AllOf(testing::HasSubstr("were not reloaded"), testing::HasSubstr("shop (definition buy)")));
  EXPECT_THAT(reload(true), testing::AllOf(testing::HasSubstr("\"participants reloaded\""),
                                           testing::HasSubstr("\"called_by\":\"definition buy\"")));
}

// Left without its participant at the start, and taken away by a reload that is meant.
TEST_F(ServerTest, WhoIsMissedIsToldByGaugesForAsLongAsItIsCalled) {
  LeaveOpenSagas(1);
  options_.allow_missing = true;
  options_.metrics_address = "127.0.0.1:0";
  options_.port_file = folder_.path() / "ports";
  const auto write = [&](const std::string& name) {
    std::ofstream(options_.participants_file)
        << "participants:\n  " << name << ": {target: \"unix:/nonexistent/shop\"}\n";
  };
  write("depot");
  auto server = Server::Start(options_);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto metrics = [&] { return ParticipantGauges(options_.port_file); };
  const std::string missing = "tutti_participant_configured{participant=\"shop\"} 0";
  const std::string unready = "tutti_participant_ready{participant=\"shop\"} 0";
  EXPECT_THAT(metrics(), testing::AllOf(testing::HasSubstr(missing), testing::HasSubstr(unready),
                                        testing::HasSubstr("tutti_participant_configured{participant=\"depot\"} 1")));
  write("shop");
  (*server)->ReloadParticipants();
  EXPECT_THAT(metrics(), testing::AllOf(testing::HasSubstr("tutti_participant_configured{participant=\"shop\"} 1"),
                                        testing::HasSubstr(unready), testing::Not(testing::HasSubstr("depot"))));
  write("depot");
  (*server)->ReloadParticipants();
  EXPECT_THAT(metrics(), testing::AllOf(testing::HasSubstr(missing), testing::HasSubstr(unready)));
}

TEST(ParticipantsTest, AReplacementReplacesEveryTrait) {
  const auto named = [](const std::string& name, bool barrier, bool refusals_open) {
    Participant participant;
    participant.endpoint.name = name;
    participant.traits = {.barrier = barrier, .refusals_open = refusals_open};
    return participant;
  };
  Participants participants;
  const auto expect = [&](const std::string& name, bool barrier, bool refusals_open) {
    const saga::ParticipantTraits traits = participants.TraitsOf(name);
    EXPECT_EQ(traits.barrier, barrier) << name;
    EXPECT_EQ(traits.refusals_open, refusals_open) << name;
  };
  participants.Replace({named("shop", true, false), named("depot", false, true)});
  expect("shop", true, false);
  expect("depot", false, true);
  participants.Replace({named("shop", false, false), named("depot", false, false)});
  expect("shop", false, false);
  expect("depot", false, false);
  participants.Replace({named("shop", true, false)});
  expect("shop", true, false);
  expect("depot", false, true);  // as plain as can be, now that nobody knows it
  EXPECT_TRUE(participants.KnowsParticipant("shop"));
  EXPECT_FALSE(participants.KnowsParticipant("depot"));
}

// Recovery is over and its sagas are at work when the start fails: a use after free when the rooms go in a wrong order,
// which shows where freed memory is watched or overwritten.
TEST_F(ServerTest, AStartThatFailsAfterRecoveryGoesDownInOrder) {
  LeaveOpenSagas(4000);
  const TakenPort port;
  options_.grpc.address = port.address();
  for (int i = 0; i < 3; ++i) {
    const auto server = Server::Start(options_);
    ASSERT_FALSE(server.ok());
    EXPECT_THAT(std::string(server.status().message()), testing::HasSubstr(port.address()));
  }
}

TEST_F(ServerTest, AStartThatFailsEarlierGoesDownToo) {
  LeaveOpenSagas(1);
  std::ofstream(options_.participants_file) << "participants: 5\n";
  EXPECT_FALSE(Server::Start(options_).ok());
  options_.data_dir = "/nonexistent/folder";
  EXPECT_FALSE(Server::Start(options_).ok());
}

}  // namespace
}  // namespace tutti::server
