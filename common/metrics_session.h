// One client of the /metrics listener: a request, its answer, the end. Everything happens on the listener's thread.
#ifndef TUTTI_COMMON_METRICS_SESSION_H_
#define TUTTI_COMMON_METRICS_SESSION_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/empty_body.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"
#include "common/metrics.h"

namespace tutti {

class MetricsSession final : public std::enable_shared_from_this<MetricsSession> {
 public:
  enum class Phase { kReading, kCollecting, kSending, kOver };

  // What the listener does for a session.
  struct Host {
    std::function<void(std::shared_ptr<MetricsSession> session)> collect;  // answers by OnCollected
    std::function<void(MetricsSession* session)> over;                     // once
  };

  MetricsSession(boost::asio::ip::tcp::socket socket, const MetricsListener::Options* options, const Host* host);

  void Begin();
  void OnCollected(const std::string& text);
  void Close();
  Phase phase() const { return phase_; }

 private:
  void Arm(int64_t ms);
  void OnHeader(const boost::system::error_code& error);
  void Answer(boost::beast::http::status status, std::string body, bool gzip = false);
  void OnSent(const boost::system::error_code& error);
  void Discard();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  const MetricsListener::Options* const options_;
  const Host* const host_;
  Phase phase_ = Phase::kReading;
  boost::beast::flat_buffer received_;
  boost::beast::http::request_parser<boost::beast::http::empty_body> request_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::array<char, 4096> discarded_{};
  size_t discarded_bytes_ = 0;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_METRICS_SESSION_H_
