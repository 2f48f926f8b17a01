#include "common/listening_sockets.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace tutti {
namespace {

constexpr int kPortMax = 65'535;
// With port 0 the first address takes a port, which another process may hold on the second.
constexpr int kPortTries = 16;

absl::Status CannotListen(absl::StatusCode code, const std::string& address, absl::string_view why) {
  return absl::Status(code, absl::StrCat("cannot listen on ", address, ": ", why));
}

struct HostAndPort {
  std::string host;  // empty: every address
  int port = 0;
};

absl::StatusOr<HostAndPort> Parse(const std::string& address) {
  const auto refuse = [&](absl::string_view why) {
    return CannotListen(absl::StatusCode::kInvalidArgument, address, why);
  };
  constexpr char kForm[] = "write it as host:port, an IPv6 address in brackets";
  const size_t colon = address.rfind(':');
  absl::string_view host = colon == std::string::npos ? "" : absl::string_view(address).substr(0, colon);
  const absl::string_view port = colon == std::string::npos ? address : absl::string_view(address).substr(colon + 1);
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return refuse(kForm);
  } else if (host.find(':') != absl::string_view::npos) {
    return refuse(kForm);
  }
  if (port.empty() || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return refuse(kForm);
  }
  HostAndPort parsed{.host = std::string(host)};
  if (!absl::SimpleAtoi(port, &parsed.port) || parsed.port > kPortMax) return refuse("a port is at most 65535");
  return parsed;
}

socklen_t LengthOf(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

void SetPort(sockaddr_storage* address, int port) {
  if (address->ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(static_cast<uint16_t>(port));
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(static_cast<uint16_t>(port));
  }
}

int PortOf(int descriptor) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

bool IsEveryAddress(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6)
    return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == htonl(INADDR_ANY);
}

// The descriptor, or -1 with errno.
int ListenOn(const sockaddr_storage& address) {
  const int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const int on = 1;
  const int v6_only = IsEveryAddress(address) ? 0 : 1;
  // No SO_REUSEPORT: a second process would share the port unnoticed.
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // what is accepted has it too
  if (address.ss_family == AF_INET6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), LengthOf(address)) == 0 &&
      listen(descriptor, SOMAXCONN) == 0) {
    return descriptor;
  }
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

// A machine may have no IPv6, though its names have addresses of that kind.
bool HasNoSuchAddress(int error) {
  return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

absl::StatusOr<std::vector<sockaddr_storage>> Resolve(const HostAndPort& name, const std::string& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(name.host.empty() ? nullptr : name.host.c_str(), absl::StrCat(name.port).c_str(), &hints, &found);
  if (error != 0) return CannotListen(absl::StatusCode::kUnavailable, address, gai_strerror(error));
  const absl::Cleanup release = [found] { freeaddrinfo(found); };
  std::vector<sockaddr_storage> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    sockaddr_storage copy{};
    std::memcpy(&copy, one->ai_addr, one->ai_addrlen);
    addresses.push_back(copy);
  }
  return addresses;
}

// Every address of both families, with one socket, or with IPv4's where there is no IPv6.
std::vector<sockaddr_storage> EveryAddress(int port) {
  std::vector<sockaddr_storage> addresses(2);
  addresses[0].ss_family = AF_INET6;
  addresses[1].ss_family = AF_INET;
  for (sockaddr_storage& address : addresses) SetPort(&address, port);
  return addresses;
}

struct Opened {
  std::vector<int> descriptors;
  std::vector<sockaddr_storage> addresses;
  int port = 0;
  int error = 0;  // of what could not be bound
};

void CloseAll(std::vector<int>* descriptors) {
  for (const int descriptor : *descriptors) close(descriptor);
  descriptors->clear();
}

// All of them on one port, but for those that the machine does not have; or none, with an error.
Opened Open(std::vector<sockaddr_storage> addresses, int port, bool one_is_enough) {
  Opened opened;
  opened.port = port;
  for (sockaddr_storage& address : addresses) {
    SetPort(&address, opened.port);
    const int descriptor = ListenOn(address);
    if (descriptor < 0) {
      opened.error = errno;
      if (HasNoSuchAddress(opened.error)) continue;
      CloseAll(&opened.descriptors);
      return opened;
    }
    opened.descriptors.push_back(descriptor);
    opened.port = PortOf(descriptor);
    SetPort(&address, opened.port);
    opened.addresses.push_back(address);
    if (one_is_enough) break;
  }
  return opened;
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Bind(const std::string& address) {
  const absl::StatusOr<HostAndPort> name = Parse(address);
  if (!name.ok()) return name.status();
  std::vector<sockaddr_storage> addresses;
  if (!name->host.empty()) {
    auto resolved = Resolve(*name, address);
    if (!resolved.ok()) return resolved.status();
    addresses = *std::move(resolved);
  }
  const bool every = addresses.empty() || (addresses.size() == 1 && IsEveryAddress(addresses.front()));
  if (every) addresses = EveryAddress(name->port);
  Opened opened;
  for (int tries = 0; tries < kPortTries && opened.descriptors.empty(); ++tries) {
    opened = Open(addresses, name->port, every);
    if (name->port != 0 || opened.error != EADDRINUSE) break;
  }
  if (opened.descriptors.empty()) {
    return CannotListen(absl::StatusCode::kUnavailable, address, std::strerror(opened.error));
  }
  ListeningSockets sockets;
  sockets.address_ = address;
  sockets.bound_ = std::move(opened.addresses);
  sockets.descriptors_ = std::move(opened.descriptors);
  sockets.port_ = opened.port;
  return sockets;
}

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : address_(std::move(other.address_)),
      bound_(std::move(other.bound_)),
      descriptors_(std::exchange(other.descriptors_, {})),
      port_(other.port_) {}

ListeningSockets& ListeningSockets::operator=(ListeningSockets&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(bound_, other.bound_);
  std::swap(descriptors_, other.descriptors_);
  std::swap(port_, other.port_);
  return *this;
}

ListeningSockets::~ListeningSockets() {
  Close();
}

void ListeningSockets::Close() {
  CloseAll(&descriptors_);
}

std::vector<int> ListeningSockets::Release() {
  return std::exchange(descriptors_, {});
}

absl::Status ListeningSockets::Reopen() {
  Close();
  Opened opened = Open(bound_, port_, /*one_is_enough=*/false);
  if (opened.descriptors.empty()) {
    return CannotListen(absl::StatusCode::kUnavailable, address_, std::strerror(opened.error));
  }
  descriptors_ = std::move(opened.descriptors);
  return absl::OkStatus();
}

ListenerState StateOfListener(int descriptor) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return {};
  // Of a listening socket Linux counts the queue here.
  return {.listening = info.tcpi_state == TCP_LISTEN, .waiting = static_cast<int>(info.tcpi_unacked)};
}

}  // namespace tutti
