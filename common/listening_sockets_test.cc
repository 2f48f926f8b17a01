#include "common/listening_sockets.h"

#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/raw_client_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(ListeningSocketsTest, ListensOnWhatItIsTold) {
  for (const char* address : {"127.0.0.1:0", "localhost:0", "0.0.0.0:0", "[::]:0", ":0", "0"}) {
    const auto sockets = ListeningSockets::Bind(address);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    EXPECT_GT(sockets->port(), 0) << address;
    EXPECT_TRUE(RawClient(sockets->port()).connected()) << address;
    EXPECT_TRUE(StateOfListener(sockets->descriptors().front()).listening) << address;
  }
}

TEST(ListeningSocketsTest, WhatCannotBeAnAddressIsInvalid) {
  for (const char* address : {"127.0.0.1:99999", "127.0.0.1:65536", "[::1]:99999999999999999999", "127.0.0.1", "::1:80",
                              "127.0.0.1:", "[::1:80", "localhost:http", "unix:/tmp/x", "ipv4:127.0.0.1:80", ""}) {
    const absl::Status status = ListeningSockets::Bind(address).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << address << ": " << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(address));
  }
}

TEST(ListeningSocketsTest, WhatCannotBeBoundIsUnavailableAndSaysWhy) {
  const auto first = ListeningSockets::Bind("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const std::string taken = absl::StrCat("127.0.0.1:", first->port());
  for (const std::string& address :
       {taken, absl::StrCat("0.0.0.0:", first->port()), absl::StrCat("localhost:", first->port())}) {
    const absl::Status status = ListeningSockets::Bind(address).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(status.message(), absl::StrCat("cannot listen on ", address, ": Address already in use"));
  }
  const absl::Status nobody = ListeningSockets::Bind("no-such-host.invalid:0").status();
  EXPECT_TRUE(absl::IsUnavailable(nobody)) << nobody;
  const absl::Status elsewhere = ListeningSockets::Bind("192.0.2.1:0").status();
  EXPECT_TRUE(absl::IsUnavailable(elsewhere)) << elsewhere;
  EXPECT_THAT(std::string(elsewhere.message()), testing::HasSubstr("Cannot assign requested address"));
}

TEST(ListeningSocketsTest, ReopensOnTheSamePort) {
  auto sockets = ListeningSockets::Bind("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok());
  const int port = sockets->port();
  shutdown(sockets->descriptors().front(), SHUT_RDWR);
  EXPECT_FALSE(StateOfListener(sockets->descriptors().front()).listening);
  EXPECT_FALSE(RawClient(port).connected());
  ASSERT_TRUE(sockets->Reopen().ok());
  EXPECT_TRUE(RawClient(port).connected());
}

TEST(ListeningSocketsTest, CountsWhoWaits) {
  const auto sockets = ListeningSockets::Bind("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok());
  const int listener = sockets->descriptors().front();
  EXPECT_EQ(StateOfListener(listener).waiting, 0);
  const RawClient first(sockets->port());
  const RawClient second(sockets->port());
  EXPECT_EQ(StateOfListener(listener).waiting, 2);
  close(accept(listener, nullptr, nullptr));
  EXPECT_EQ(StateOfListener(listener).waiting, 1);
}

}  // namespace
}  // namespace tutti
