// Which connections a listener has given away that are still open, and whose they are.
#ifndef TUTTI_COMMON_CONNECTION_BOOK_H_
#define TUTTI_COMMON_CONNECTION_BOOK_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace tutti {

// The owner of a connection, as far as an address tells: an IPv4 address, or the /64 of an IPv6 one.
std::string PeerOf(const sockaddr_storage& address);

// Whoever takes a connection closes it without a word, so the book looks whether a descriptor is still the socket that
// was noted. Not thread-safe.
class ConnectionBook {
 public:
  enum class Verdict { kTaken, kTooMany, kTooManyOfPeer };

  // A book that is full looks through itself at most every `look_ms`: refusing must stay cheap.
  explicit ConnectionBook(int64_t look_ms = 100) : look_ms_(look_ms) {}

  // Notes an open socket, unless there are `total_max` already or `peer_max` of this peer.
  Verdict Admit(int descriptor, const std::string& peer, size_t total_max, size_t peer_max, int64_t now_ms);
  // Strikes out what has been closed; how many are open.
  size_t Count();

 private:
  struct Entry {
    dev_t device = 0;
    ino_t inode = 0;
    std::string peer;
  };

  void StrikeOut(const std::string& peer);
  size_t OfPeer(const std::string& peer) const;

  const int64_t look_ms_;
  int64_t looked_ms_ = INT64_MIN / 2;
  absl::flat_hash_map<int, Entry> entries_;  // by descriptor
  absl::flat_hash_map<std::string, size_t> peers_;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_CONNECTION_BOOK_H_
