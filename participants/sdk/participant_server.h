// A whole participant: database, committer, services, metrics. main.cc of a service hands its spec to ParticipantMain;
// tests start a ParticipantServer in their own process.
#ifndef TUTTI_PARTICIPANTS_SDK_PARTICIPANT_SERVER_H_
#define TUTTI_PARTICIPANTS_SDK_PARTICIPANT_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/grpc_server.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "participants/sdk/command_call.h"
#include "participants/sdk/inbox_expiry.h"

namespace tutti::participant {

struct ParticipantSpec {
  std::string name;                          // e.g. "payment"
  std::vector<std::string> writing_methods;  // that faults can hit, as "package.Service/Method"
  std::function<std::unique_ptr<grpc::Service>(const CallHost& host)> make_service;
};

struct ParticipantOptions {
  GrpcServerOptions grpc;
  std::string metrics_listen;  // empty: no /metrics
  std::string data_dir;
  bool enable_fault_injection = false;
  int64_t inbox_life_ms = kInboxLifeMsDefault;  // at least kInboxLifeMsMin
  int64_t inbox_sweep_interval_ms = 60'000;
};

class ParticipantServer {
 public:
  // Serving when it returns.
  static absl::StatusOr<std::unique_ptr<ParticipantServer>> Start(const ParticipantSpec& spec,
                                                                  const ParticipantOptions& options);
  virtual ~ParticipantServer() = default;  // drains

  virtual int port() const = 0;
  virtual int health_port() const = 0;   // 0: none
  virtual int metrics_port() const = 0;  // 0: none
  virtual void Drain() = 0;              // finishes calls in flight; blocks
};

// Parses flags, serves until SIGTERM or SIGINT, drains. SIGHUP reads the log level again. Returns the exit status.
int ParticipantMain(int argc, char** argv, const ParticipantSpec& spec);

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_PARTICIPANT_SERVER_H_
