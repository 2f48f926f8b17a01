// Carries out one command against a server.
#ifndef TUTTI_TOOLS_TUTTICTL_CLIENT_H_
#define TUTTI_TOOLS_TUTTICTL_CLIENT_H_

#include <memory>
#include <ostream>

#include "grpcpp/channel.h"
#include "tools/tuttictl/options.h"

namespace tutti::ctl {

// Data goes to `out`, messages to `err`. Gives the exit code.
int RunCommand(const Options& options, std::shared_ptr<grpc::Channel> channel, bool color, std::ostream& out,
               std::ostream& err);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_CLIENT_H_
