// The orchestrator's command line.
#ifndef TUTTI_ORCHESTRATOR_SERVER_OPTIONS_H_
#define TUTTI_ORCHESTRATOR_SERVER_OPTIONS_H_

#include <optional>
#include <string>

#include "common/grpc_server.h"
#include "common/logging.h"
#include "orchestrator/saga/state_machine.h"

namespace tutti::server {

// SIGTERM drains, then the process ends with status 0: health says NOT_SERVING; --drain-delay for load balancers; new
// calls are refused with UNAVAILABLE, waiting RunSaga and WatchSaga are answered with it; --drain-deadline for the
// other calls; --reply-drain for participants that are still working. Sagas go on after the next start.
struct Options {
  GrpcServerOptions grpc;
  std::string metrics_address;  // empty: none
  std::string data_dir;
  std::string participants_file;
  bool allow_missing = false;  // a reload may take away participants that somebody calls
  std::string port_file;       // empty: none
  int shards = 2;
  saga::Settings saga;
  int64_t id_retention_ms = 14LL * 24 * 3600 * 1000;  // how long ended sagas are remembered
  int64_t sweep_interval_ms = 60'000;
  uint64_t memory_limit_bytes = 0;               // 0: what the system allows
  std::optional<uint64_t> disk_reserve_bytes;    // unset: by the volume's size; 0: none
  std::string backup_dir;                        // empty: backups are refused
  int64_t backup_bytes_per_second = 16LL << 20;  // 0: as fast as it goes
  std::string restore_from;                      // empty: serve. Else: restore, and end
  int64_t restore_backup_id = 0;                 // 0: the newest
  int64_t reply_drain_ms = 5'000;                // how long a shutdown waits for participants that are working
  LogLevel log_level = LogLevel::kInfo;
  std::string given;  // what was said on the command line, defaults aside; for the log
};

// Unset when the process should end now, with *exit_code: --help, --version, or a mistake that has been printed.
std::optional<Options> ParseOptions(int argc, char** argv, int* exit_code);

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_OPTIONS_H_
