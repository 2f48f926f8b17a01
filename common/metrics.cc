#include "common/metrics.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/io_context.hpp"
#include "boost/asio/post.hpp"
#include "boost/system/system_error.hpp"
#include "common/listening_sockets.h"
#include "common/metrics_session.h"
#include "prometheus/text_serializer.h"

namespace tutti {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

// Without a descriptor, say: the connection waits in the system meanwhile.
constexpr auto kAcceptRest = std::chrono::milliseconds(100);

// Collects for all that wait, on a thread of its own.
class Collector {
 public:
  using Waiting = std::vector<std::shared_ptr<MetricsSession>>;

  Collector(std::shared_ptr<prometheus::Collectable> metrics, asio::io_context* sessions)
      : metrics_(std::move(metrics)), sessions_(sessions), thread_([this] { work_.run(); }) {}
  ~Collector() { Stop(); }

  // On the sessions' thread.
  void Ask(std::shared_ptr<MetricsSession> session) {
    waiting_.push_back(std::move(session));
    if (!busy_) Collect();
  }

  // Waits for the collection under way.
  void Stop() {
    guard_.reset();
    work_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Collect() {
    busy_ = true;
    asio::post(work_, [this, waiting = std::exchange(waiting_, {})]() mutable {
      auto text = std::make_shared<const std::string>(prometheus::TextSerializer().Serialize(metrics_->Collect()));
      asio::post(*sessions_, [this, waiting = std::move(waiting), text = std::move(text)] {
        for (const auto& session : waiting) session->OnCollected(*text);
        busy_ = false;
        if (!waiting_.empty()) Collect();
      });
    });
  }

  const std::shared_ptr<prometheus::Collectable> metrics_;
  asio::io_context* const sessions_;
  Waiting waiting_;    // the sessions' thread
  bool busy_ = false;  // as well
  asio::io_context work_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{work_.get_executor()};
  std::thread thread_;
};

class HttpListener final : public MetricsListener {
 public:
  HttpListener(ListeningSockets sockets, std::shared_ptr<prometheus::Collectable> metrics, const Options& options)
      : options_(options), port_(sockets.port()), collector_(std::move(metrics), &context_) {
    for (const int descriptor : sockets.Release()) {
      acceptors_.push_back(std::make_unique<Acceptor>(&context_, descriptor));
    }
    for (const auto& acceptor : acceptors_) Accept(acceptor.get());
    thread_ = std::thread([this] { context_.run(); });
  }

  ~HttpListener() override {
    asio::post(context_, [this] { context_.stop(); });
    thread_.join();
    collector_.Stop();
  }

  int port() const override { return port_; }

 private:
  struct Acceptor {
    // The family matters to those who ask for an address; nobody does.
    Acceptor(asio::io_context* context, int descriptor) : socket(*context, tcp::v6(), descriptor), rest(*context) {}
    tcp::acceptor socket;
    asio::steady_timer rest;
  };

  void Accept(Acceptor* acceptor) {
    acceptor->socket.async_accept([this, acceptor](const boost::system::error_code& error, tcp::socket socket) {
      if (!error) {
        Take(std::move(socket));
        return Accept(acceptor);
      }
      acceptor->rest.expires_after(kAcceptRest);
      acceptor->rest.async_wait([this, acceptor](const boost::system::error_code&) { Accept(acceptor); });
    });
  }

  void Take(tcp::socket socket) {
    if (sessions_.size() >= options_.connections_max && !MakeRoom()) return;  // it closes with `socket`
    sessions_.push_back(std::make_shared<MetricsSession>(std::move(socket), &options_, &host_));
    sessions_.back()->Begin();
  }

  // The oldest that has not asked yet goes, or else the oldest that does not take its answer. Who waits for us stays.
  bool MakeRoom() {
    for (const auto phase : {MetricsSession::Phase::kReading, MetricsSession::Phase::kSending}) {
      const auto oldest =
          std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& one) { return one->phase() == phase; });
      if (oldest == sessions_.end()) continue;
      const std::shared_ptr<MetricsSession> session = *oldest;
      session->Close();
      return true;
    }
    return false;
  }

  const Options options_;
  const int port_;
  asio::io_context context_{1};
  Collector collector_;
  const MetricsSession::Host host_{
      .collect = [this](std::shared_ptr<MetricsSession> session) { collector_.Ask(std::move(session)); },
      .over =
          [this](MetricsSession* session) {
            sessions_.remove_if([session](const auto& one) { return one.get() == session; });
          }};
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::list<std::shared_ptr<MetricsSession>> sessions_;  // the oldest first
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsListener>> MetricsListener::Start(
    const std::string& address, std::shared_ptr<prometheus::Collectable> metrics, const Options& options) {
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Bind(address);
  if (!sockets.ok()) return sockets.status();
  try {
    return std::make_unique<HttpListener>(*std::move(sockets), std::move(metrics), options);
  } catch (const boost::system::system_error& e) {  // Asio's way of saying that the system has no descriptor left
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", e.what()));
  }
}

}  // namespace tutti
