// TCP sockets that listen, bound by ourselves. gRPC closes a listener for good when the process is out of descriptors
// once, so the servers of this project accept connections on their own: see connection_acceptor.h and metrics.h.
#ifndef TUTTI_COMMON_LISTENING_SOCKETS_H_
#define TUTTI_COMMON_LISTENING_SOCKETS_H_

#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tutti {

// One port on every address of a host name. Movable; not thread-safe.
class ListeningSockets {
 public:
  // "127.0.0.1:7500", "localhost:7500", "[::1]:7500"; port 0 is any free one. "0.0.0.0:7500", "[::]:7500", ":7500" and
  // "7500" are every address of the machine, IPv6 included. INVALID_ARGUMENT: no such address can be; UNAVAILABLE: it
  // cannot be bound. Both begin with "cannot listen on" and the address.
  static absl::StatusOr<ListeningSockets> Bind(const std::string& address);
  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) noexcept;
  ~ListeningSockets();

  int port() const { return port_; }
  const std::vector<int>& descriptors() const { return descriptors_; }  // at least one; they do not block
  // Binds the same addresses again, with new descriptors. UNAVAILABLE when that fails; then there are none.
  absl::Status Reopen();
  std::vector<int> Release();  // the descriptors are the caller's from now on
  void Close();

 private:
  ListeningSockets() = default;

  std::string address_;
  std::vector<sockaddr_storage> bound_;  // what Reopen binds
  std::vector<int> descriptors_;
  int port_ = 0;
};

// What the system knows of a listening socket.
struct ListenerState {
  bool listening = false;
  int waiting = 0;  // connections that are made and that nobody has accepted
};
ListenerState StateOfListener(int descriptor);

}  // namespace tutti

#endif  // TUTTI_COMMON_LISTENING_SOCKETS_H_
