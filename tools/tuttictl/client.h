// Carries out one command against a server.
#ifndef TUTTI_TOOLS_TUTTICTL_CLIENT_H_
#define TUTTI_TOOLS_TUTTICTL_CLIENT_H_

#include <memory>
#include <ostream>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "tools/tuttictl/options.h"
#include "tools/tuttictl/session.h"

namespace tutti::ctl {

// Connects when it is first used. NOT_FOUND when a certificate's file cannot be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const Options& options);

// Data goes to `out`, messages to `err`. Gives the exit code.
int RunCommand(const Options& options, std::shared_ptr<grpc::Channel> channel, Terminal terminal, std::ostream& out,
               std::ostream& err);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_CLIENT_H_
