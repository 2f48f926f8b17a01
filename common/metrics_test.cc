#include "common/metrics.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/registry.h"

namespace tutti {
namespace {

std::string HttpGet(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
    if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      ssize_t bytes;
      while ((bytes = read(fd, buffer, sizeof(buffer))) > 0) answer.append(buffer, static_cast<size_t>(bytes));
    }
  }
  close(fd);
  return answer;
}

TEST(MetricsTest, ServesTheRegistryOnAFreePort) {
  auto registry = std::make_shared<prometheus::Registry>();
  auto& family = prometheus::BuildCounter().Name("tutti_test_total").Help("h").Register(*registry);
  family.Add({{"kind", "a"}}).Increment(3);
  auto listener = MetricsListener::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(listener.ok()) << listener.status();
  ASSERT_GT((*listener)->port(), 0);
  EXPECT_THAT(HttpGet((*listener)->port(), "/metrics"), testing::HasSubstr("tutti_test_total{kind=\"a\"} 3"));
}

TEST(MetricsTest, StopsAtOnce) {
  for (const char* address : {"127.0.0.1:0", "0.0.0.0:0"}) {
    auto listener = MetricsListener::Start(address, std::make_shared<prometheus::Registry>());
    ASSERT_TRUE(listener.ok()) << listener.status();
    const auto began = std::chrono::steady_clock::now();
    listener->reset();
    // Left alone, the HTTP server looks up every two seconds.
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1500)) << address;
  }
}

TEST(MetricsTest, PortInUseIsUnavailable) {
  auto registry = std::make_shared<prometheus::Registry>();
  auto first = MetricsListener::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(first.ok());
  auto second = MetricsListener::Start(absl::StrCat("127.0.0.1:", (*first)->port()), registry);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tutti
