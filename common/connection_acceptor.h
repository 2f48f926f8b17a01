// Accepts the connections of a listener within bounds, and stays able to.
#ifndef TUTTI_COMMON_CONNECTION_ACCEPTOR_H_
#define TUTTI_COMMON_CONNECTION_ACCEPTOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "common/connection_book.h"
#include "common/listening_sockets.h"
#include "common/mutex.h"

namespace tutti {

enum class ConnectionRefusal { kDescriptors, kTotal, kPeer };
inline constexpr size_t kConnectionRefusals = 3;
const char* ToString(ConnectionRefusal why);  // "descriptors", "total", "peer"

// Of one moment.
struct AcceptorStatus {
  bool accepting = false;  // the sockets listen, and nobody waits in vain to be accepted
  bool has_room = false;   // the next connection would not be refused for want of descriptors or by the total
  size_t connections = 0;
  std::array<uint64_t, kConnectionRefusals> refused{};  // since the start, by ConnectionRefusal
};

// A thread of its own accepts and hands on. What is beyond a bound is closed at once: its client hears of it, and the
// next one does not wait behind it. Without a free descriptor it waits for one; a socket that has stopped listening is
// bound anew. Thread-safe.
class ConnectionAcceptor {
 public:
  struct Options {
    std::string name;            // in log lines
    size_t connections_max = 0;  // open at a time
    size_t peer_connections_max = 0;
    // One of so many descriptors, and at most limits::kSpareDescriptorsMax, are left to the rest of the process: files,
    // other listeners, connections that it makes itself. The system gives out the lowest number that is free, so the
    // number of a new connection tells. 0: none are.
    size_t spare_share = 0;
  };
  // Owns the descriptor, which blocks nobody and is closed on exec.
  using Take = std::function<void(int descriptor)>;

  ConnectionAcceptor(ListeningSockets sockets, Options options, Take take);
  ~ConnectionAcceptor() { Stop(); }
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  int port() const { return port_; }
  // Whether anybody waited in vain is judged from one call to the next: call it every second or so, from one place.
  AcceptorStatus Look();
  // Closes the sockets; what has been taken goes on. No connection is handed on when this has returned.
  void Stop();

 private:
  void Run();
  // Both: false to stop.
  bool AwaitConnections();
  bool Rest(int ms);
  void AcceptFrom(int descriptor);
  void Judge(int connection, const sockaddr_storage& peer);
  void OnAcceptError(int error);
  void Refuse(int connection, ConnectionRefusal why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Reopen();
  size_t UsableDescriptors() const;  // whose numbers are below it

  const Options options_;
  const Take take_;
  const int port_;
  const int stop_event_;  // an eventfd, readable once stopped
  Mutex mu_;
  ListeningSockets sockets_ ABSL_GUARDED_BY(mu_);  // replaced by the thread only
  ConnectionBook book_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t accepted_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t accepted_before_ ABSL_GUARDED_BY(mu_) = 0;  // at the last look
  bool waited_before_ ABSL_GUARDED_BY(mu_) = false;    // as well
  std::array<uint64_t, kConnectionRefusals> refused_ ABSL_GUARDED_BY(mu_){};
  int64_t complained_ms_ ABSL_GUARDED_BY(mu_) = INT64_MIN / 2;
  bool broken_ = false;     // the thread's: sockets_ must be opened again
  bool exhausted_ = false;  // the thread's: no descriptor was free
  std::thread thread_;      // last: it uses the rest
};

// How many descriptors this process may have open.
size_t DescriptorLimit();
// That share of them, within what anybody needs.
size_t SpareDescriptors(size_t share);

}  // namespace tutti

#endif  // TUTTI_COMMON_CONNECTION_ACCEPTOR_H_
