// The command line of tuttictl.
#ifndef TUTTI_TOOLS_TUTTICTL_OPTIONS_H_
#define TUTTI_TOOLS_TUTTICTL_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tutti::ctl {

// How the process ends.
enum ExitCode {
  kExitOk = 0,  // done; of a saga: succeeded, or past its commit point where only that was awaited
  kExitError = 1,
  kExitUsage = 2,
  kExitCompensated = 3,
  kExitParked = 4,
  kExitTimedOut = 5,
  kExitUnavailable = 6,
};

enum class Command {
  kDefinitionApply,
  kDefinitionGet,
  kDefinitionList,
  kDefinitionDisable,
  kDefinitionEnable,
  kSagaStart,
  kSagaRun,
  kSagaGet,
  kSagaList,
  kSagaWatch,
  kSagaHistory,
  kSagaCancel,
  kParked,
  kRetry,
  kResolve,
  kRetryAll,
  kBackupCreate,
  kBackupList,
  kBackupVerify,
  kBackupDelete,
  kHoldGet,
  kHoldRelease,
  kDoctor,
};

enum class Format { kTable, kJson, kYaml };
enum class ColorChoice { kAuto, kAlways, kNever };

struct TlsOptions {
  bool enabled = false;  // set by any of the others, too
  std::string ca_file;   // empty: the system's
  std::string certificate_file;
  std::string private_key_file;
  std::string server_name;  // empty: as in the address
};

struct Options {
  Command command = Command::kSagaGet;
  std::string address = "127.0.0.1:7500";
  TlsOptions tls;
  Format format = Format::kTable;
  ColorChoice color = ColorChoice::kAuto;
  int64_t timeout_s = 0;  // 0: 30 for a single answer, none for run and watch

  std::string file = "-";  // definition apply
  bool dry_run = false;
  std::string definition;
  int64_t revision = 0;  // 0: the newest

  std::string saga_id;     // start and run mint one when it is empty
  bool raw = false;        // get: the record as it is stored
  std::string input;       // JSON
  std::string input_file;  // "-": standard input
  bool until_finished = false;
  int64_t from_sequence = 1;
  std::string filter;
  int limit = 50;

  std::vector<std::string> steps;  // retry: those, or all that are parked; resolve: the one
  int64_t parking_sequence = 0;    // 0: the present parking
  bool resolve_done = false;
  std::string reply;   // JSON
  std::string folder;  // doctor; its saga_id: only that one
  bool all = false;    // retry: of all sagas, what is parked by `cause`
  std::string cause;   // without its prefix, e.g. RESTORED

  int64_t backup_id = 0;  // verify; 0: the newest
  bool verify = false;    // backup create: then verify it
  int keep = 0;           // backup create, then delete all but so many; 0: none is deleted

  std::string reason;
  std::string by;
};

struct ParsedArguments {
  std::optional<Options> options;  // unset: print the texts and end with the exit code
  int exit_code = kExitOk;
  std::string out;
  std::string err;
};

// `arguments` without the program's name. Reads TUTTI_ADDRESS, TUTTI_TLS* and USER from the environment.
ParsedArguments ParseArguments(const std::vector<std::string>& arguments);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_OPTIONS_H_
