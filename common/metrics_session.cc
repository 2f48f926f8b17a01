#include "common/metrics_session.h"

#include <chrono>
#include <utility>

#include "boost/beast/http/read.hpp"
#include "boost/beast/http/write.hpp"
#include "common/gzip.h"

namespace tutti {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr size_t kHeaderBytesMax = 8 * 1024;
// What a client may still send while its answer is on the way, so that the answer is not lost with the connection.
constexpr size_t kDiscardedBytesMax = 64 * 1024;
constexpr int64_t kDiscardMs = 2'000;
constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr size_t kGzipFromBytes = 1024;

bool IsMetrics(boost::beast::string_view target) {
  return target.substr(0, target.find('?')) == "/metrics";
}

// "gzip, deflate" and "gzip;q=1.0" are a yes, "gzip;q=0" is a no.
bool TakesGzip(boost::beast::string_view accepted) {
  const size_t at = accepted.find("gzip");
  if (at == boost::beast::string_view::npos) return false;
  boost::beast::string_view rest = accepted.substr(at + 4);
  rest = rest.substr(0, rest.find(','));
  const size_t quality = rest.find("q=");
  return quality == boost::beast::string_view::npos ||
         rest.substr(quality + 2).find_first_of("123456789") != boost::beast::string_view::npos;
}

}  // namespace

MetricsSession::MetricsSession(asio::ip::tcp::socket socket, const MetricsListener::Options* options, const Host* host)
    : socket_(std::move(socket)), timer_(socket_.get_executor()), options_(options), host_(host) {
  request_.header_limit(kHeaderBytesMax);
}

void MetricsSession::Begin() {
  Arm(options_->request_ms);
  http::async_read_header(
      socket_, received_, request_,
      [self = shared_from_this()](const boost::system::error_code& error, size_t) { self->OnHeader(error); });
}

// The whole of what a phase may take: progress buys no time.
void MetricsSession::Arm(int64_t ms) {
  timer_.expires_after(std::chrono::milliseconds(ms));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    // One that had expired already when the next phase began is not this phase's.
    if (!cancelled && self->timer_.expiry() <= asio::steady_timer::clock_type::now()) self->Close();
  });
}

void MetricsSession::OnHeader(const boost::system::error_code& error) {
  if (phase_ != Phase::kReading) return;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Answer(http::status::request_header_fields_too_large, "the headers are too large\n");
  }
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Answer(http::status::bad_request, "this is no HTTP request: " + error.message() + "\n");
  }
  if (error) return Close();
  const auto& request = request_.get();
  if (!IsMetrics(request.target())) return Answer(http::status::not_found, "there is only /metrics\n");
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return Answer(http::status::method_not_allowed, "GET and HEAD only\n");
  }
  phase_ = Phase::kCollecting;
  Arm(options_->collect_ms);
  host_->collect(shared_from_this());
}

void MetricsSession::OnCollected(const std::string& text) {
  if (phase_ != Phase::kCollecting) return;
  const auto& request = request_.get();
  const bool gzip = text.size() >= kGzipFromBytes && TakesGzip(request[http::field::accept_encoding]);
  Answer(http::status::ok, gzip ? Gzip(text) : text, gzip);
}

void MetricsSession::Answer(http::status status, std::string body, bool gzip) {
  phase_ = Phase::kSending;
  Arm(options_->send_ms);
  const auto& request = request_.get();
  const bool head = request.method() == http::verb::head;
  response_.result(status);
  response_.version(request.version() == 10 ? 10 : 11);
  response_.set(http::field::content_type, status == http::status::ok ? kTextFormat : "text/plain; charset=utf-8");
  response_.set(http::field::content_length, std::to_string(body.size()));
  response_.set(http::field::connection, "close");
  if (status == http::status::method_not_allowed) response_.set(http::field::allow, "GET, HEAD");
  if (status == http::status::ok) response_.set(http::field::vary, "Accept-Encoding");
  if (gzip) response_.set(http::field::content_encoding, "gzip");
  if (!head) response_.body() = std::move(body);
  http::async_write(socket_, response_, [self = shared_from_this()](const boost::system::error_code& error, size_t) {
    self->OnSent(error);
  });
}

// Closing with bytes unread would reset the connection, and the answer with it.
void MetricsSession::OnSent(const boost::system::error_code& error) {
  if (error || phase_ == Phase::kOver) return Close();
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Arm(kDiscardMs);
  Discard();
}

void MetricsSession::Discard() {
  socket_.async_read_some(asio::buffer(discarded_),
                          [self = shared_from_this()](const boost::system::error_code& error, size_t bytes) {
                            self->discarded_bytes_ += bytes;
                            if (error || self->discarded_bytes_ > kDiscardedBytesMax) return self->Close();
                            self->Discard();
                          });
}

void MetricsSession::Close() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  boost::system::error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
  host_->over(this);
}

}  // namespace tutti
