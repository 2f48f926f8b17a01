#include <cstdio>

#include "common/descriptor_limit.h"
#include "orchestrator/server/server.h"

namespace {

int Restore(const tutti::server::Options& options) {
  const absl::Status status = tutti::server::RestoreStore(options);
  if (status.ok()) return 0;
  tutti::Log(tutti::LogLevel::kError, "cannot restore", {{"reason", status.message()}});
  std::fprintf(stderr, "tutti-orchestrator: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  tutti::BlockTerminationSignals();
  tutti::RaiseDescriptorLimit();
  int exit_code = 0;
  const auto options = tutti::server::ParseOptions(argc, argv, &exit_code);
  if (!options.has_value()) return exit_code;
  tutti::InitLogging("orchestrator", options->log_level);
  if (!options->restore_from.empty()) return Restore(*options);
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
