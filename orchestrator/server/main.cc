#include <cstdio>

#include "common/descriptor_limit.h"
#include "common/library_logs.h"
#include "common/log_level_file.h"
#include "common/version.h"
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
  tutti::TakeOverLibraryLogs();
  tutti::Log(tutti::LogLevel::kInfo, "starting",
             {{"version", tutti::kVersion},
              {"revision", tutti::kRevision},
              {"options", options->given},
              {"data_dir", options->data_dir},
              {"shards", std::to_string(options->shards)},
              {"listen", options->grpc.address},
              {"health_listen", options->grpc.health_address},
              {"metrics_listen", options->metrics_address}});
  const auto read_log_level = [&options] { tutti::ReadLogLevel(options->data_dir, options->log_level); };
  read_log_level();
  if (!options->restore_from.empty()) return Restore(*options);
  auto server = tutti::server::Server::Start(*options);
  if (!server.ok()) {
    tutti::Log(tutti::LogLevel::kError, "cannot start", {{"reason", server.status().message()}});
    std::fprintf(stderr, "tutti-orchestrator: %s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  tutti::WaitForTermination([&] {
    read_log_level();
    (*server)->ReloadParticipants();
  });
  (*server)->Shutdown();
  return 0;
}
