#include <zlib.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/metrics.h"
#include "common/mutex.h"
#include "common/raw_client_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/registry.h"

namespace tutti {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kGet[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr char kOk[] = "HTTP/1.1 200 OK\r\n";
constexpr char kSeries[] = "tutti_test_total{kind=\"a\"} 3";

std::string Unzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  std::string text(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

std::string BodyOf(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

// Collects when it is let.
class GatedMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    ++begun;
    MutexLock lock(&mu_);
    while (closed_) changed_.Wait(&mu_);
    return {};
  }
  void Open() {
    MutexLock lock(&mu_);
    closed_ = false;
    changed_.SignalAll();
  }
  mutable std::atomic<int> begun{0};

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mu_) = true;
};

class MetricsListenerTest : public testing::Test {
 protected:
  MetricsListenerTest() {
    auto& family = prometheus::BuildCounter().Name("tutti_test_total").Help("h").Register(*registry_);
    family.Add({{"kind", "a"}}).Increment(3);
    many_ = &prometheus::BuildCounter().Name("tutti_many_total").Help("h").Register(*registry_);
  }

  void Start(const MetricsListener::Options& options = {}) { Start(registry_, options); }
  void Start(std::shared_ptr<prometheus::Collectable> metrics, const MetricsListener::Options& options = {}) {
    auto listener = MetricsListener::Start("127.0.0.1:0", std::move(metrics), options);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  int port() const { return listener_->port(); }
  std::string Ask(const std::string& request) {
    RawClient client(port());
    EXPECT_TRUE(client.Send(request));
    bool ended = false;
    const std::string answer = client.ReadAll(&ended);
    EXPECT_TRUE(ended) << request.substr(0, 60);
    return answer;
  }
  void AddSeries(int count) {
    for (int i = 0; i < count; ++i) many_->Add({{"number", absl::StrCat(i, std::string(100, 'x'))}});
  }

  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  prometheus::Family<prometheus::Counter>* many_ = nullptr;
  std::unique_ptr<MetricsListener> listener_;
};

TEST_F(MetricsListenerTest, ServesTheRegistryOnAFreePort) {
  Start();
  ASSERT_GT(port(), 0);
  const std::string answer = Ask(kGet);
  EXPECT_THAT(answer, StartsWith(kOk));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(BodyOf(answer), HasSubstr(kSeries));
  EXPECT_THAT(Ask("GET /metrics?name[]=x HTTP/1.0\r\n\r\n"), HasSubstr(kSeries));
}

TEST_F(MetricsListenerTest, StopsAtOnceWhoeverIsThere) {
  for (const char* address : {"127.0.0.1:0", "0.0.0.0:0"}) {
    auto listener = MetricsListener::Start(address, registry_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    RawClient silent((*listener)->port());
    RawClient half((*listener)->port());
    ASSERT_TRUE(half.Send("GET /metr"));
    const auto began = std::chrono::steady_clock::now();
    listener->reset();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1500)) << address;
    EXPECT_TRUE(silent.EndsUnanswered());
  }
}

TEST_F(MetricsListenerTest, PortInUseIsUnavailable) {
  Start();
  const absl::Status status = MetricsListener::Start(absl::StrCat("127.0.0.1:", port()), registry_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Address already in use"));
}

TEST_F(MetricsListenerTest, AnswersOthersWithWhatIsWrong) {
  Start();
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Ask("GET /metricsx HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  const std::string post = Ask("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(Ask("NONSENSE\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask(absl::StrCat("\x16\x03\x01\x02", std::string(500, '\0'), " a TLS hello")),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask(absl::StrCat("GET /metrics HTTP/1.1\r\nCookie: ", std::string(10'000, 'c'), "\r\n\r\n")),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Ask(absl::StrCat("GET /", std::string(100'000, 'a'))), StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Ask(kGet), StartsWith(kOk));
}

TEST_F(MetricsListenerTest, HeadHasNoBody) {
  Start();
  const std::string answer = Ask("HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, StartsWith(kOk));
  EXPECT_THAT(answer, HasSubstr(absl::StrCat("Content-Length: ", BodyOf(Ask(kGet)).size(), "\r\n")));
  EXPECT_EQ(BodyOf(answer), "");
}

TEST_F(MetricsListenerTest, CompressesForThoseWhoTakeIt) {
  AddSeries(100);
  Start();
  const std::string plain = BodyOf(Ask(kGet));
  const auto ask = [&](const char* encodings) {
    return Ask(absl::StrCat("GET /metrics HTTP/1.1\r\nAccept-Encoding: ", encodings, "\r\n\r\n"));
  };
  for (const char* encodings : {"gzip", "deflate, gzip;q=0.8", "gzip;q=1.0, identity"}) {
    const std::string answer = ask(encodings);
    EXPECT_THAT(answer, HasSubstr("Content-Encoding: gzip\r\n"));
    EXPECT_LT(BodyOf(answer).size(), plain.size() / 4);
    EXPECT_EQ(Unzip(BodyOf(answer)), plain);
  }
  for (const char* encodings : {"identity", "gzip;q=0", "gzip;q=0.000"}) EXPECT_EQ(BodyOf(ask(encodings)), plain);
}

TEST_F(MetricsListenerTest, SilentAndHalfOpenClientsAreInNobodysWay) {
  Start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(port());
    if (i % 2 == 0) {
      ASSERT_TRUE(clients.back().Send("GET /metrics HTTP/1.1\r\nHost:"));
    }
  }
  EXPECT_THAT(Ask(kGet), HasSubstr(kSeries));
  for (RawClient& client : clients) EXPECT_FALSE(client.Ended());
}

TEST_F(MetricsListenerTest, TheOldestSilentOneMakesRoom) {
  Start({.connections_max = 3});
  RawClient first(port());
  RawClient second(port());
  RawClient third(port());
  EXPECT_THAT(Ask(kGet), HasSubstr(kSeries));
  EXPECT_TRUE(first.EndsUnanswered());
  EXPECT_FALSE(second.Ended());
  EXPECT_FALSE(third.Ended());
}

TEST_F(MetricsListenerTest, ARequestInDripsIsNotWaitedForLonger) {
  Start({.request_ms = 200});
  RawClient silent(port());
  RawClient dripping(port());
  EXPECT_TRUE(Await([&] { return !dripping.Send("G") || dripping.Ended(); })) << "progress buys no time";
  EXPECT_TRUE(silent.EndsUnanswered());
}

TEST_F(MetricsListenerTest, ABodyIsNotWaitedFor) {
  Start();
  EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx"), HasSubstr(kSeries));
  EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), HasSubstr(kSeries));
}

TEST_F(MetricsListenerTest, WhatElseIsSentDoesNotResetTheAnswer) {
  Start();
  RawClient client(port());
  ASSERT_TRUE(
      client.Send(absl::StrCat("GET /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", std::string(40'000, 'b'))));
  bool ended = false;
  bool reset = true;
  EXPECT_THAT(client.ReadAll(&ended, &reset), HasSubstr(kSeries));
  EXPECT_TRUE(ended);
  EXPECT_FALSE(reset);
}

TEST_F(MetricsListenerTest, OneRequestAConnection) {
  Start();
  const std::string answer = Ask(absl::StrCat(kGet, kGet, kGet));
  EXPECT_EQ(answer.find(kOk), 0u);
  EXPECT_EQ(answer.find(kOk, 1), std::string::npos);
  EXPECT_THAT(answer, HasSubstr(kSeries));
}

TEST_F(MetricsListenerTest, WhoDoesNotReadIsLeft) {
  AddSeries(40'000);
  Start({.send_ms = 300});
  RawClient deaf(port());
  ASSERT_TRUE(deaf.Send(kGet));
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  // It does not read, so that only a reset tells it.
  EXPECT_TRUE(Await([&] { return !deaf.Send("x"); }));
}

TEST_F(MetricsListenerTest, ACollectionThatHangsHoldsOnlyThoseWhoWaitForIt) {
  const auto metrics = std::make_shared<GatedMetrics>();
  Start(metrics, {.connections_max = 4});
  std::vector<RawClient> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back(port());
    ASSERT_TRUE(waiting.back().Send(kGet));
    ASSERT_TRUE(Await([&] { return metrics->begun == 1; }));
  }
  for (int i = 0; i < 10; ++i) EXPECT_THAT(Ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  metrics->Open();
  for (RawClient& client : waiting) EXPECT_THAT(client.ReadAll(), StartsWith(kOk));
  EXPECT_EQ(metrics->begun, 2) << "those who came during the first shared the second";
}

TEST_F(MetricsListenerTest, NobodyWaitsForACollectionForEver) {
  const auto metrics = std::make_shared<GatedMetrics>();
  Start(metrics, {.collect_ms = 100});
  RawClient client(port());
  ASSERT_TRUE(client.Send(kGet));
  EXPECT_TRUE(client.EndsUnanswered());
  metrics->Open();
  EXPECT_THAT(Ask(kGet), StartsWith(kOk));
}

TEST_F(MetricsListenerTest, AStopWaitsForTheCollectionUnderWay) {
  const auto metrics = std::make_shared<GatedMetrics>();
  Start(metrics);
  RawClient client(port());
  ASSERT_TRUE(client.Send(kGet));
  ASSERT_TRUE(Await([&] { return metrics->begun == 1; }));
  auto stopped = std::async(std::launch::async, [&] { listener_.reset(); });
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  metrics->Open();
  EXPECT_EQ(stopped.wait_for(kRawClientPatience), std::future_status::ready);
}

TEST_F(MetricsListenerTest, ConnectionsThatAreClosedAtOnceDoNoHarm) {
  Start();
  for (int i = 0; i < 2'000; ++i) {
    RawClient client(port());
    if (i % 3 == 0) client.Send(kGet);
  }
  EXPECT_THAT(Ask(kGet), HasSubstr(kSeries));
}

}  // namespace
}  // namespace tutti
