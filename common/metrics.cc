#include "common/metrics.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "prometheus/exposer.h"

namespace tutti {
namespace {

constexpr auto kKnockInterval = std::chrono::milliseconds(10);

// One connection, closed at once. It does not matter whether it is made.
void Knock(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.empty() ? "127.0.0.1" : host.c_str(), absl::StrCat(port).c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, found->ai_protocol);
  if (fd >= 0) {
    (void)connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

// "127.0.0.1:9090", "[::1]:9090", "9090" -> the host, without brackets.
std::string HostOf(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return "";
  address = address.substr(0, colon);
  if (absl::ConsumePrefix(&address, "[")) absl::ConsumeSuffix(&address, "]");
  return std::string(address);
}

class ExposerListener final : public MetricsListener {
 public:
  ExposerListener(std::string host, std::unique_ptr<prometheus::Exposer> exposer,
                  std::shared_ptr<prometheus::Collectable> metrics)
      : host_(std::move(host)),
        metrics_(std::move(metrics)),
        exposer_(std::move(exposer)),
        port_(exposer_->GetListeningPorts().front()) {
    exposer_->RegisterCollectable(metrics_);
  }

  // The HTTP server looks whether it should stop when somebody connects, or every two seconds. A process that is being
  // replaced has no two seconds to spare.
  ~ExposerListener() override {
    std::atomic<bool> stopped{false};
    std::thread knocking([&] {
      while (!stopped.load()) {
        Knock(host_, port_);
        std::this_thread::sleep_for(kKnockInterval);
      }
    });
    exposer_.reset();
    stopped.store(true);
    knocking.join();
  }

  int port() const override { return port_; }

 private:
  const std::string host_;
  const std::shared_ptr<prometheus::Collectable> metrics_;  // the exposer holds it weakly
  std::unique_ptr<prometheus::Exposer> exposer_;
  const int port_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsListener>> MetricsListener::Start(
    const std::string& address, std::shared_ptr<prometheus::Collectable> metrics) {
  // The library reports a port in use by an exception of its HTTP server.
  try {
    auto exposer =
        std::make_unique<prometheus::Exposer>(std::vector<std::string>{"listening_ports", address, "num_threads", "2"});
    if (exposer->GetListeningPorts().empty()) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for metrics"));
    }
    return std::make_unique<ExposerListener>(HostOf(address), std::move(exposer), std::move(metrics));
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for metrics: ", e.what()));
  }
}

}  // namespace tutti
