#include "common/connection_acceptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "common/descriptor_limit_testing.h"
#include "common/raw_client_testing.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

constexpr size_t kMany = 1'000'000;

// Keeps what it is given open, as a server does.
class Holder {
 public:
  ~Holder() { CloseAll(); }
  void Take(int descriptor) {
    MutexLock lock(&mu_);
    held_.push_back(descriptor);
  }
  size_t count() {
    MutexLock lock(&mu_);
    return held_.size();
  }
  void CloseAll() {
    MutexLock lock(&mu_);
    for (const int descriptor : held_) close(descriptor);
    held_.clear();
  }

 private:
  Mutex mu_;
  std::vector<int> held_ ABSL_GUARDED_BY(mu_);
};

int LowestFree() {
  const int descriptor = dup(0);
  close(descriptor);
  return descriptor;
}

class ConnectionAcceptorTest : public testing::Test {
 protected:
  void Start(const ConnectionAcceptor::Options& options) {
    auto sockets = ListeningSockets::Bind("127.0.0.1:0");
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    listener_ = sockets->descriptors().front();
    acceptor_ = std::make_unique<ConnectionAcceptor>(*std::move(sockets), options,
                                                     [this](int descriptor) { holder_.Take(descriptor); });
  }
  uint64_t Refused(ConnectionRefusal why) { return acceptor_->Look().refused[static_cast<size_t>(why)]; }

  Holder holder_;
  int listener_ = -1;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
};

TEST_F(ConnectionAcceptorTest, HandsConnectionsOn) {
  Start({.name = "test", .connections_max = kMany, .peer_connections_max = kMany});
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(acceptor_->port());
  EXPECT_TRUE(Await([&] { return holder_.count() == 200; }));
  const AcceptorStatus status = acceptor_->Look();
  EXPECT_TRUE(status.accepting);
  EXPECT_TRUE(status.has_room);
  EXPECT_EQ(status.connections, 200u);
}

TEST_F(ConnectionAcceptorTest, ClosesAtOnceWhatIsBeyondABound) {
  Start({.name = "test", .connections_max = 5, .peer_connections_max = 3});
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(acceptor_->port());
  ASSERT_TRUE(Await([&] { return holder_.count() == 3; }));
  RawClient beyond(acceptor_->port());
  EXPECT_TRUE(beyond.EndsUnanswered());
  EXPECT_EQ(Refused(ConnectionRefusal::kPeer), 1u);
  EXPECT_TRUE(acceptor_->Look().has_room) << "for other peers";
  holder_.CloseAll();
  EXPECT_TRUE(Await([&] {
    clients.emplace_back(acceptor_->port());
    return holder_.count() > 0;
  })) << "what was closed makes room";
}

TEST_F(ConnectionAcceptorTest, SaysWhenAllItMayHaveAreThere) {
  Start({.name = "test", .connections_max = 2, .peer_connections_max = kMany});
  const RawClient first(acceptor_->port());
  const RawClient second(acceptor_->port());
  ASSERT_TRUE(Await([&] { return holder_.count() == 2; }));
  EXPECT_FALSE(acceptor_->Look().has_room);
  RawClient third(acceptor_->port());
  EXPECT_TRUE(third.EndsUnanswered());
  EXPECT_EQ(Refused(ConnectionRefusal::kTotal), 1u);
  EXPECT_TRUE(acceptor_->Look().accepting);
}

TEST_F(ConnectionAcceptorTest, LeavesDescriptorsToTheRestOfTheProcess) {
  Start({.name = "test", .connections_max = kMany, .peer_connections_max = kMany, .spare_share = 2});
  std::vector<RawClient> clients;
  for (int i = 0; i < 10; ++i) clients.emplace_back(acceptor_->port());
  ASSERT_TRUE(Await([&] { return holder_.count() == 10; }));
  RawClient later(acceptor_->port());
  ASSERT_TRUE(Await([&] { return holder_.count() == 11; }));
  const DescriptorsLimited limited(2 * static_cast<size_t>(LowestFree()));
  RawClient refused(acceptor_->port());
  EXPECT_TRUE(refused.EndsUnanswered());
  EXPECT_EQ(Refused(ConnectionRefusal::kDescriptors), 1u);
  EXPECT_FALSE(acceptor_->Look().has_room);
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(file, 0) << "the rest of the process has what it needs";
  close(file);
}

// What ends gRPC's own listener.
TEST_F(ConnectionAcceptorTest, GoesOnWhenDescriptorsAreThereAgain) {
  Start({.name = "test", .connections_max = kMany, .peer_connections_max = kMany});
  RawClient client(acceptor_->port());
  ASSERT_TRUE(Await([&] { return holder_.count() == 1; }));
  RawClient waiting = [&] {
    const int taken = LowestFree() + 1;  // the client's own is the last that there is
    const DescriptorsLimited limited(static_cast<size_t>(taken));
    RawClient made(acceptor_->port());
    EXPECT_TRUE(made.connected());
    EXPECT_TRUE(Await([&] { return !acceptor_->Look().accepting; })) << "it says that it does not";
    EXPECT_FALSE(acceptor_->Look().has_room);
    return made;
  }();
  EXPECT_TRUE(Await([&] { return holder_.count() == 2; }));
  EXPECT_TRUE(Await([&] { return acceptor_->Look().accepting; }));
}

TEST_F(ConnectionAcceptorTest, ABrokenListenerIsOpenedAgain) {
  Start({.name = "test", .connections_max = kMany, .peer_connections_max = kMany});
  shutdown(listener_, SHUT_RDWR);
  EXPECT_TRUE(Await([&] {
    const RawClient client(acceptor_->port());
    return holder_.count() > 0;
  }));
  EXPECT_TRUE(acceptor_->Look().accepting);
}

TEST_F(ConnectionAcceptorTest, RefusesWhenStoppedAndLeavesWhatItTook) {
  Start({.name = "test", .connections_max = kMany, .peer_connections_max = kMany});
  RawClient before(acceptor_->port());
  ASSERT_TRUE(Await([&] { return holder_.count() == 1; }));
  acceptor_->Stop();
  EXPECT_FALSE(RawClient(acceptor_->port()).connected());
  EXPECT_FALSE(before.Ended());
  EXPECT_FALSE(acceptor_->Look().accepting);
}

TEST_F(ConnectionAcceptorTest, ConnectionsThatAreClosedAtOnceDoNoHarm) {
  Start({.name = "test", .connections_max = 10, .peer_connections_max = 10});
  for (int i = 0; i < 2'000; ++i) RawClient(acceptor_->port());
  holder_.CloseAll();
  const RawClient client(acceptor_->port());
  EXPECT_TRUE(Await([&] {
    holder_.CloseAll();
    return acceptor_->Look().connections == 0;
  }));
  EXPECT_TRUE(Await([&] { return acceptor_->Look().accepting; })) << "looks so close to each other may see one wait";
}

}  // namespace
}  // namespace tutti
