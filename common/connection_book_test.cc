#include "common/connection_book.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <vector>

#include "gtest/gtest.h"

namespace tutti {
namespace {

using Verdict = ConnectionBook::Verdict;

int NewSocket() {
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

sockaddr_storage V4(const char* text) {
  sockaddr_storage address{};
  address.ss_family = AF_INET;
  inet_pton(AF_INET, text, &reinterpret_cast<sockaddr_in&>(address).sin_addr);
  return address;
}

sockaddr_storage V6(const char* text) {
  sockaddr_storage address{};
  address.ss_family = AF_INET6;
  inet_pton(AF_INET6, text, &reinterpret_cast<sockaddr_in6&>(address).sin6_addr);
  return address;
}

TEST(PeerTest, IsAnAddressOrANetworkOfThem) {
  EXPECT_EQ(PeerOf(V4("10.0.0.1")), PeerOf(V4("10.0.0.1")));
  EXPECT_NE(PeerOf(V4("10.0.0.1")), PeerOf(V4("10.0.0.2")));
  EXPECT_EQ(PeerOf(V4("10.0.0.1")), PeerOf(V6("::ffff:10.0.0.1"))) << "seen through a socket of both families";
  EXPECT_EQ(PeerOf(V6("2001:db8:0:1::1")), PeerOf(V6("2001:db8:0:1:ffff::2"))) << "a /64 is one customer's";
  EXPECT_NE(PeerOf(V6("2001:db8:0:1::1")), PeerOf(V6("2001:db8:0:2::1")));
}

TEST(ConnectionBookTest, BoundsAllAndThoseOfAPeer) {
  ConnectionBook book;
  std::vector<int> sockets;
  const auto admit = [&](const char* peer) {
    sockets.push_back(NewSocket());
    return book.Admit(sockets.back(), peer, /*total_max=*/3, /*peer_max=*/2, /*now_ms=*/0);
  };
  EXPECT_EQ(admit("a"), Verdict::kTaken);
  EXPECT_EQ(admit("a"), Verdict::kTaken);
  EXPECT_EQ(admit("a"), Verdict::kTooManyOfPeer);
  EXPECT_EQ(admit("b"), Verdict::kTaken);
  EXPECT_EQ(admit("c"), Verdict::kTooMany);
  EXPECT_EQ(book.Count(), 3u);
  for (const int socket : sockets) close(socket);
  EXPECT_EQ(book.Count(), 0u);
}

TEST(ConnectionBookTest, WhatWasClosedMakesRoom) {
  ConnectionBook book(/*look_ms=*/100);
  const int first = NewSocket();
  ASSERT_EQ(book.Admit(first, "a", 1, 1, 0), Verdict::kTaken);
  const int second = NewSocket();
  EXPECT_EQ(book.Admit(second, "b", 1, 1, 1), Verdict::kTooMany);
  close(first);
  const int unrelated = dup(0);  // has the number of the first, and is no connection of ours
  EXPECT_EQ(unrelated, first);
  EXPECT_EQ(book.Admit(second, "b", 1, 1, 100), Verdict::kTooMany) << "it looked a moment ago";
  EXPECT_EQ(book.Admit(second, "b", 1, 1, 101), Verdict::kTaken);
  close(unrelated);
  close(second);
}

TEST(ConnectionBookTest, ANumberThatComesAgainIsAnotherConnection) {
  ConnectionBook book;
  int descriptor = NewSocket();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(book.Admit(descriptor, "a", 1, 1, 0), Verdict::kTaken) << i;
    close(descriptor);
    const int again = NewSocket();
    ASSERT_EQ(again, descriptor);
  }
  close(descriptor);
}

}  // namespace
}  // namespace tutti
