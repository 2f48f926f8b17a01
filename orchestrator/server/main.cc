#include <cstdio>

#include "common/descriptor_limit.h"
#include "orchestrator/server/server.h"

int main(int argc, char** argv) {
  tutti::BlockTerminationSignals();
  tutti::RaiseDescriptorLimit();
  int exit_code = 0;
  const auto options = tutti::server::ParseOptions(argc, argv, &exit_code);
  if (!options.has_value()) return exit_code;
  tutti::InitLogging("orchestrator", options->log_level);
  auto server = tutti::server::Server::Start(*options);
  if (!server.ok()) {
    tutti::Log(tutti::LogLevel::kError, "cannot start", {{"reason", server.status().message()}});
    std::fprintf(stderr, "tutti-orchestrator: %s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  tutti::WaitForTermination([&] { (*server)->ReloadParticipants(); });
  (*server)->Shutdown();
  return 0;
}
