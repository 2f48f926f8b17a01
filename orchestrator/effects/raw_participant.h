// For tests: a participant that writes HTTP/2 frames by hand, so that it can answer what no gRPC library would.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_RAW_PARTICIPANT_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_RAW_PARTICIPANT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"

namespace tutti::effects::raw {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Status 200 and gRPC's content type, with more behind them.
HeaderList GrpcHeaders(HeaderList more = {});

std::string Headers(uint32_t stream, const HeaderList& list, bool end_stream = false);
std::string Data(uint32_t stream, const std::string& bytes, bool end_stream = false);
std::string Reset(uint32_t stream, uint32_t error);
std::string GoAway(uint32_t last_stream, uint32_t error);
// A gRPC message with its prefix of five bytes; flag 1: compressed.
std::string Message(const std::string& bytes, char flag = 0);
// A whole answer: OK with this message.
std::string Ok(uint32_t stream, const std::string& message);
// A whole answer: a status, with more trailers.
std::string Status(uint32_t stream, const std::string& code, const std::string& text, const HeaderList& more = {});

// Thread-safe.
class Participant {
 public:
  // What to send once the first message of a call is there; calls count from 1 over all connections.
  using Answer = std::function<std::string(uint32_t stream, int request)>;
  // What to do with a connection before its first bytes are read; false closes it.
  using Welcome = std::function<bool(int connection)>;

  // `greeting` follows the settings on every connection.
  explicit Participant(Answer answer, Welcome welcome = nullptr, std::string greeting = "");
  ~Participant();

  int port() const { return port_; }
  int connections() const;
  bool WaitForConnections(int count) const;
  bool WaitForRequests(int count) const;
  // On the newest connection.
  void Send(const std::string& bytes);

 private:
  void Accept();
  void Serve(int socket, int number);
  bool WaitFor(const int& counter, int count) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Answer answer_;
  const Welcome welcome_;
  const std::string greeting_;
  int listener_ = -1;
  int port_ = 0;
  mutable Mutex mu_;
  mutable CondVar changed_;
  int connections_ ABSL_GUARDED_BY(mu_) = 0;
  int requests_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int> sockets_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  std::thread accepting_;
};

}  // namespace tutti::effects::raw

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_RAW_PARTICIPANT_H_
