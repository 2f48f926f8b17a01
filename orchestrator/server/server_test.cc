#include "orchestrator/server/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/definition/test_source.h"
#include "orchestrator/store/store_testing.h"

namespace tutti::server {
namespace {

constexpr char kDefinition[] = R"(
name: buy
steps:
  - {name: pay, participant: shop, kind: retriable, action: {method: shop.v1.PayService/Pay}}
)";

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

  // Sagas that wait for their participant, as an earlier life of the server left them.
  void LeaveOpenSagas(int count) {
    store::RocksDbStoreOptions options;
    options.path = folder_.path() / "store";
    auto store = store::RocksDbStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    definition::testing::TestSource source;
    SystemClock clock;
    catalog::Catalog catalog(store->get(), store->get(), &source, &clock);
    ASSERT_TRUE(catalog.Apply(kDefinition, /*dry_run=*/false).ok());
    const auto recipe = catalog.Find("buy", 1);
    const Participants participants;
    const saga::StateMachine machine({}, &participants);
    store::WriteSet write_set;
    for (int i = 0; i < count; ++i) {
      store::SagaWrite& write = write_set.sagas.emplace_back();
      const saga::Event event{.saga_id = absl::StrCat("s", i),
                              .now_ms = clock.WallMs(),
                              .body = saga::StartRequested{.uid = absl::StrCat("u", i), .fingerprint = "fp"}};
      write.history = machine.Step(*recipe, event, &write.record).history;
    }
    ASSERT_EQ(store::CommitNow(store->get(), std::move(write_set)), store::CommitResult::kDurable);
  }

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
