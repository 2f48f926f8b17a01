#include "orchestrator/server/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/doctor/store_with_sagas.h"

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
