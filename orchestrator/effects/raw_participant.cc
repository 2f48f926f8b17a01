#include "orchestrator/effects/raw_participant.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "common/check.h"

namespace tutti::effects::raw {
namespace {

constexpr size_t kFrameBytesMax = 16384;
constexpr std::chrono::seconds kBound(20);

enum FrameType : char { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7, kContinuation = 9 };
constexpr char kEndStream = 1;
constexpr char kAck = 1;
constexpr char kEndHeaders = 4;

std::string Number(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string Frame(char type, char flags, uint32_t stream, const std::string& payload) {
  return Number(static_cast<uint32_t>(payload.size())).substr(1) + type + flags + Number(stream) + payload;
}

// HPACK: the length of a string that is not Huffman coded.
std::string Length(size_t length) {
  if (length < 127) return {static_cast<char>(length)};
  std::string bytes = "\x7f";
  for (length -= 127; length >= 128; length >>= 7) bytes += static_cast<char>(length | 128);
  return bytes + static_cast<char>(length);
}

// Cut into frames; the last has `last_flags` beside `flags`.
std::string Frames(char first, char further, char flags, char last_flags, uint32_t stream, const std::string& payload) {
  std::string frames;
  size_t at = 0;
  do {
    const std::string part = payload.substr(at, kFrameBytesMax);
    const bool last = at + part.size() == payload.size();
    const char type = at == 0 ? first : further;
    frames += Frame(type, static_cast<char>((at == 0 ? flags : 0) | (last ? last_flags : 0)), stream, part);
    at += part.size();
  } while (at < payload.size());
  return frames;
}

bool ReadAll(int socket, std::string* bytes) {
  return bytes->empty() ||
         recv(socket, bytes->data(), bytes->size(), MSG_WAITALL) == static_cast<ssize_t>(bytes->size());
}

bool SendAll(int socket, const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t sent = send(socket, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += static_cast<size_t>(sent);
  }
  return true;
}

uint32_t NumberAt(const std::string& bytes, size_t at, size_t length) {
  uint32_t value = 0;
  for (size_t i = 0; i < length; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

HeaderList GrpcHeaders(HeaderList more) {
  HeaderList list = {{":status", "200"}, {"content-type", "application/grpc"}};
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

std::string Headers(uint32_t stream, const HeaderList& list, bool end_stream) {
  std::string block;
  for (const auto& [name, value] : list) {
    block += '\0';  // literal, not indexed
    block += Length(name.size()) + name + Length(value.size()) + value;
  }
  return Frames(kHeaders, kContinuation, end_stream ? kEndStream : 0, kEndHeaders, stream, block);
}

std::string Data(uint32_t stream, const std::string& bytes, bool end_stream) {
  return Frames(kData, kData, 0, end_stream ? kEndStream : 0, stream, bytes);
}

std::string Reset(uint32_t stream, uint32_t error) {
  return Frame(kReset, 0, stream, Number(error));
}

std::string GoAway(uint32_t last_stream, uint32_t error) {
  return Frame(kGoAway, 0, 0, Number(last_stream) + Number(error));
}

std::string Message(const std::string& bytes, char flag) {
  return flag + Number(static_cast<uint32_t>(bytes.size())) + bytes;
}

std::string Ok(uint32_t stream, const std::string& message) {
  return Headers(stream, GrpcHeaders()) + Data(stream, Message(message)) + Status(stream, "0", "");
}

std::string Status(uint32_t stream, const std::string& code, const std::string& text, const HeaderList& more) {
  HeaderList list = more;
  list.push_back({"grpc-status", code});
  list.push_back({"grpc-message", text});
  return Headers(stream, list, /*end_stream=*/true);
}

Participant::Participant(Answer answer, Welcome welcome, std::string greeting)
    : answer_(std::move(answer)), welcome_(std::move(welcome)), greeting_(std::move(greeting)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  TUTTI_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 && listen(listener_, 64) == 0 &&
                  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0,
              "a port on loopback");
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

Participant::~Participant() {
  shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  close(listener_);
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mu_);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&mu_);
  for (const int socket : sockets_) close(socket);
}

void Participant::Accept() {
  while (true) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    MutexLock lock(&mu_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket, number = ++connections_] { Serve(socket, number); });
    changed_.SignalAll();
  }
}

void Participant::Serve(int socket, int number) {
  std::string preface(24, '\0');
  if ((welcome_ && !welcome_(number)) || !ReadAll(socket, &preface) ||
      !SendAll(socket, Frame(kSettings, 0, 0, "") + greeting_)) {
    shutdown(socket, SHUT_RDWR);
    return;
  }
  std::set<uint32_t> asked;
  while (true) {
    std::string head(9, '\0');
    if (!ReadAll(socket, &head)) return;
    std::string payload(NumberAt(head, 0, 3), '\0');
    if (!ReadAll(socket, &payload)) return;
    const char type = head[3];
    const bool acknowledges = (head[4] & kAck) != 0;
    const uint32_t stream = NumberAt(head, 5, 4);
    std::string out;
    if ((type == kSettings || type == kPing) && !acknowledges) {
      out = Frame(type, kAck, 0, type == kPing ? payload : "");
    } else if (type == kData && !payload.empty() && asked.insert(stream).second) {
      int request = 0;
      {
        MutexLock lock(&mu_);
        request = ++requests_;
        changed_.SignalAll();
      }
      out = answer_(stream, request);
    }
    if (!SendAll(socket, out)) return;
  }
}

int Participant::connections() const {
  MutexLock lock(&mu_);
  return connections_;
}

bool Participant::WaitFor(const int& counter, int count) const {
  const auto bound = std::chrono::steady_clock::now() + kBound;
  while (counter < count) {
    if (!changed_.WaitUntil(&mu_, bound) && counter < count) return false;
  }
  return true;
}

bool Participant::WaitForConnections(int count) const {
  MutexLock lock(&mu_);
  return WaitFor(connections_, count);
}

bool Participant::WaitForRequests(int count) const {
  MutexLock lock(&mu_);
  return WaitFor(requests_, count);
}

void Participant::Send(const std::string& bytes) {
  int socket = -1;
  {
    MutexLock lock(&mu_);
    if (!sockets_.empty()) socket = sockets_.back();
  }
  SendAll(socket, bytes);
}

}  // namespace tutti::effects::raw
