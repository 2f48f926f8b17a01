#include "common/connection_acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"
#include "common/logging.h"

namespace tutti {
namespace {

constexpr int kAcceptsAtOnce = 64;  // of one socket, before the others are looked at
constexpr int kExhaustedRestMs = 100;
constexpr int kReopenRestMs = 1'000;
constexpr int64_t kComplaintIntervalMs = 60'000;  // a client that knocks all the time must not fill the log

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

const char* ToString(ConnectionRefusal why) {
  switch (why) {
    case ConnectionRefusal::kDescriptors:
      return "descriptors";
    case ConnectionRefusal::kTotal:
      return "total";
    case ConnectionRefusal::kPeer:
      return "peer";
  }
  return "";
}

size_t DescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

size_t SpareDescriptors(size_t share) {
  return std::min(DescriptorLimit() / share, limits::kSpareDescriptorsMax);
}

ConnectionAcceptor::ConnectionAcceptor(ListeningSockets sockets, Options options, Take take)
    : options_(std::move(options)),
      take_(std::move(take)),
      port_(sockets.port()),
      stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      sockets_(std::move(sockets)) {
  TUTTI_CHECK(stop_event_ >= 0, "no descriptor for the listener's own use");
  thread_ = std::thread([this] { Run(); });
}

void ConnectionAcceptor::Stop() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(stopped_, true)) return;
  }
  const uint64_t one = 1;
  (void)!write(stop_event_, &one, sizeof(one));
  thread_.join();
  close(stop_event_);
  MutexLock lock(&mu_);
  sockets_.Close();
}

void ConnectionAcceptor::Run() {
  while (AwaitConnections()) {
    std::vector<int> descriptors;
    {
      MutexLock lock(&mu_);
      descriptors = sockets_.descriptors();
    }
    for (const int descriptor : descriptors) AcceptFrom(descriptor);
    if (std::exchange(exhausted_, false) && !Rest(kExhaustedRestMs)) return;
    while (broken_) {
      Reopen();
      if (broken_ && !Rest(kReopenRestMs)) return;
    }
  }
}

bool ConnectionAcceptor::AwaitConnections() {
  std::vector<pollfd> polled = {{.fd = stop_event_, .events = POLLIN, .revents = 0}};
  {
    MutexLock lock(&mu_);
    for (const int descriptor : sockets_.descriptors()) polled.push_back({descriptor, POLLIN, 0});
  }
  while (poll(polled.data(), polled.size(), -1) < 0) {
    if (errno != EINTR) return Rest(kExhaustedRestMs);
  }
  return polled.front().revents == 0;
}

bool ConnectionAcceptor::Rest(int ms) {
  pollfd stop = {.fd = stop_event_, .events = POLLIN, .revents = 0};
  return poll(&stop, 1, ms) == 0 || stop.revents == 0;
}

void ConnectionAcceptor::AcceptFrom(int descriptor) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    const int connection =
        accept4(descriptor, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= 0) {
      Judge(connection, peer);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return OnAcceptError(errno);
    }
  }
}

// Most errors are of the network, and of one connection: accept(2) hands them over as they come.
void ConnectionAcceptor::OnAcceptError(int error) {
  const bool of_the_socket = error == EBADF || error == EINVAL || error == ENOTSOCK || error == EOPNOTSUPP;
  if (of_the_socket) {
    broken_ = true;
  } else {
    exhausted_ = true;
  }
  MutexLock lock(&mu_);
  if (NowMs() - complained_ms_ < kComplaintIntervalMs) return;
  complained_ms_ = NowMs();
  Log(LogLevel::kError, "connections cannot be accepted; trying again",
      {{"listener", options_.name}, {"reason", std::strerror(error)}});
}

void ConnectionAcceptor::Judge(int connection, const sockaddr_storage& peer) {
  const size_t usable = UsableDescriptors();
  auto verdict = ConnectionBook::Verdict::kTaken;
  {
    MutexLock lock(&mu_);
    ++accepted_;
    if (static_cast<size_t>(connection) >= usable) return Refuse(connection, ConnectionRefusal::kDescriptors);
    verdict = book_.Admit(connection, PeerOf(peer), options_.connections_max, options_.peer_connections_max, NowMs());
    if (verdict == ConnectionBook::Verdict::kTooMany) return Refuse(connection, ConnectionRefusal::kTotal);
    if (verdict == ConnectionBook::Verdict::kTooManyOfPeer) return Refuse(connection, ConnectionRefusal::kPeer);
  }
  take_(connection);
}

void ConnectionAcceptor::Refuse(int connection, ConnectionRefusal why) {
  close(connection);
  ++refused_[static_cast<size_t>(why)];
  if (NowMs() - complained_ms_ < kComplaintIntervalMs) return;
  complained_ms_ = NowMs();
  Log(LogLevel::kWarning, "connections are refused",
      {{"listener", options_.name}, {"bound", ToString(why)}, {"connections", absl::StrCat(book_.Count())}});
}

void ConnectionAcceptor::Reopen() {
  MutexLock lock(&mu_);
  const absl::Status status = sockets_.Reopen();
  broken_ = !status.ok();
  Log(LogLevel::kError, status.ok() ? "a listener that had broken listens again" : "a broken listener cannot be opened",
      {{"listener", options_.name}, {"reason", status.message()}});
}

size_t ConnectionAcceptor::UsableDescriptors() const {
  return DescriptorLimit() - (options_.spare_share == 0 ? 0 : SpareDescriptors(options_.spare_share));
}

AcceptorStatus ConnectionAcceptor::Look() {
  MutexLock lock(&mu_);
  AcceptorStatus status;
  status.connections = book_.Count();
  status.refused = refused_;
  if (stopped_) return status;
  bool listening = !sockets_.descriptors().empty();
  bool waiting = false;
  for (const int descriptor : sockets_.descriptors()) {
    const ListenerState state = StateOfListener(descriptor);
    listening &= state.listening;
    waiting |= state.waiting > 0;
  }
  const bool in_vain = waiting && waited_before_ && accepted_ == accepted_before_;
  waited_before_ = waiting;
  accepted_before_ = accepted_;
  status.accepting = listening && !in_vain;
  const int lowest_free = fcntl(stop_event_, F_DUPFD_CLOEXEC, 0);
  if (lowest_free >= 0) close(lowest_free);
  status.has_room = lowest_free >= 0 && static_cast<size_t>(lowest_free) < UsableDescriptors() &&
                    status.connections < options_.connections_max;
  return status;
}

}  // namespace tutti
