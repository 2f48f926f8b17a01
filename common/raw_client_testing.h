// For tests: a TCP client on the loopback that says what it is told, byte for byte.
#ifndef TUTTI_COMMON_RAW_CLIENT_TESTING_H_
#define TUTTI_COMMON_RAW_CLIENT_TESTING_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/string_view.h"

namespace tutti {

inline constexpr auto kRawClientPatience = std::chrono::seconds(20);

inline bool Await(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + kRawClientPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class RawClient {
 public:
  explicit RawClient(int port) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = std::chrono::seconds(kRawClientPatience).count(), .tv_usec = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    connected_ = connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), connected_(other.connected_) {}
  ~RawClient() { Close(); }

  bool connected() const { return connected_; }
  bool Send(absl::string_view bytes) {
    return send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  // All that comes until the other side ends; *ended is false when it did not. *reset: it did not wait for what was
  // sent.
  std::string ReadAll(bool* ended = nullptr, bool* reset = nullptr) {
    std::string all;
    char buffer[4096];
    ssize_t bytes;
    while ((bytes = recv(descriptor_, buffer, sizeof(buffer), 0)) > 0) all.append(buffer, static_cast<size_t>(bytes));
    const bool was_reset = bytes < 0 && errno == ECONNRESET;
    if (ended != nullptr) *ended = bytes == 0 || was_reset;
    if (reset != nullptr) *reset = was_reset;
    return all;
  }
  bool EndsUnanswered() {
    bool ended = false;
    return ReadAll(&ended).empty() && ended;
  }
  // Without waiting: whether the other side has closed.
  bool Ended() {
    char byte;
    const ssize_t bytes = recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }
  void Close() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_;
  bool connected_ = false;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_RAW_CLIENT_TESTING_H_
