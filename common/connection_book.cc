#include "common/connection_book.h"

#include <netinet/in.h>
#include <sys/stat.h>

namespace tutti {
namespace {

constexpr size_t kNetworkBytes = 8;  // of an IPv6 address: one customer, one machine
constexpr size_t kMappedBytes = 12;  // before the IPv4 address in an IPv6 one that stands for it

bool Identify(int descriptor, dev_t* device, ino_t* inode) {
  struct stat found {};
  if (fstat(descriptor, &found) != 0) return false;
  *device = found.st_dev;
  *inode = found.st_ino;
  return true;
}

}  // namespace

std::string PeerOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    const in6_addr& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    const auto* bytes = reinterpret_cast<const char*>(&six);
    if (IN6_IS_ADDR_V4MAPPED(&six)) return std::string(bytes + kMappedBytes, sizeof(six) - kMappedBytes);
    return std::string(bytes, kNetworkBytes);
  }
  const in_addr& four = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  return std::string(reinterpret_cast<const char*>(&four), sizeof(four));
}

ConnectionBook::Verdict ConnectionBook::Admit(int descriptor, const std::string& peer, size_t total_max,
                                              size_t peer_max, int64_t now_ms) {
  // Whoever had this number has closed it.
  if (const auto former = entries_.find(descriptor); former != entries_.end()) {
    StrikeOut(former->second.peer);
    entries_.erase(former);
  }
  const auto full = [&] { return entries_.size() >= total_max || OfPeer(peer) >= peer_max; };
  if (full() && now_ms - looked_ms_ >= look_ms_) {
    looked_ms_ = now_ms;
    Count();
  }
  if (entries_.size() >= total_max) return Verdict::kTooMany;
  if (OfPeer(peer) >= peer_max) return Verdict::kTooManyOfPeer;
  Entry entry{.peer = peer};
  if (Identify(descriptor, &entry.device, &entry.inode)) {
    entries_.emplace(descriptor, std::move(entry));
    ++peers_[peer];
  }
  return Verdict::kTaken;
}

size_t ConnectionBook::Count() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto one = entry++;
    dev_t device = 0;
    ino_t inode = 0;
    if (Identify(one->first, &device, &inode) && device == one->second.device && inode == one->second.inode) continue;
    StrikeOut(one->second.peer);
    entries_.erase(one);
  }
  return entries_.size();
}

void ConnectionBook::StrikeOut(const std::string& peer) {
  const auto count = peers_.find(peer);
  if (count != peers_.end() && --count->second == 0) peers_.erase(count);
}

size_t ConnectionBook::OfPeer(const std::string& peer) const {
  const auto count = peers_.find(peer);
  return count == peers_.end() ? 0 : count->second;
}

}  // namespace tutti
