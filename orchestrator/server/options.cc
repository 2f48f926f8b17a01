#include "orchestrator/server/options.h"

#include <CLI/CLI.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/program_options.h"
#include "orchestrator/definition/scalar.h"

namespace tutti::server {
namespace {

constexpr int64_t kRetentionMsMax = 3650LL * 24 * 3600 * 1000;

// "10s" and the like.
void AddDuration(CLI::App* app, const std::string& name, int64_t* out_ms, const std::string& help,
                 int64_t max_ms = limits::kDurationMsMax) {
  app->add_option_function<std::string>(
         name,
         [name, out_ms, max_ms](const std::string& text) {
           const absl::StatusOr<int64_t> parsed = definition::ParseDurationMs(text, max_ms);
           if (!parsed.ok()) throw CLI::ValidationError(name, std::string(parsed.status().message()));
           *out_ms = *parsed;
         },
         help)
      ->type_name("DURATION");
}

// "512Mi", "2GiB", "1000000" and the like.
void AddSize(CLI::App* app, const std::string& name, const std::function<void(uint64_t)>& take,
             const std::string& help) {
  app->add_option_function<uint64_t>(name, take, help)
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      // Comes before the other: it would wrap.
      ->transform(CLI::Validator(
          [](const std::string& text) { return text[0] == '-' ? "must not be negative" : std::string(); }, ""))
      ->type_name("SIZE");
}

// "DIR", "DIR#5" or "DIR#latest".
void ParseBackup(const std::string& text, Options* options) {
  const size_t mark = text.rfind('#');
  options->restore_from = text.substr(0, mark);
  if (options->restore_from.empty()) throw CLI::ValidationError("--restore-from", "names no folder");
  if (mark == std::string::npos || text.substr(mark + 1) == "latest") return;
  uint32_t id = 0;
  if (!absl::SimpleAtoi(text.substr(mark + 1), &id) || id == 0) {
    throw CLI::ValidationError("--restore-from", "must be DIR, DIR#latest or DIR# and the number of a backup");
  }
  options->restore_backup_id = id;
}

void AddBackupOptions(CLI::App* app, Options* options) {
  app->add_option("--backup-dir", options->backup_dir,
                  "Folder that backups are written to, and nothing else; without it they are refused");
  app->add_option_function<int64_t>(
         "--backup-rate", [options](int64_t mib) { options->backup_bytes_per_second = mib << 20; },
         "MiB a second that a backup writes at most; 0: as fast as it goes (default 16)")
      ->check(CLI::Range(0, 1 << 20));
  app->add_option_function<std::string>(
         "--restore-from", [options](const std::string& text) { ParseBackup(text, options); },
         "Make a store in --data-dir, which must have none, of a backup in this folder, and end: the newest, or as "
         "DIR#5. The store is held: see docs/operate.md")
      ->type_name("DIR[#ID]");
}

// A participant may still hear of a saga for as long as commands may be sent, and a late reply for the grace: its id
// must not be free before.
std::string MistakeIn(const Options& options) {
  if (options.id_retention_ms < options.saga.command_horizon_ms) {
    return absl::StrCat("is ", options.id_retention_ms, " ms, shorter than --command-horizon, ",
                        options.saga.command_horizon_ms, " ms; make it at least as long");
  }
  if (options.id_retention_ms <= options.saga.late_reply_grace_ms) {
    return absl::StrCat("is ", options.id_retention_ms, " ms and must be longer than --late-reply-grace, ",
                        options.saga.late_reply_grace_ms, " ms");
  }
  return "";
}

}  // namespace

std::optional<Options> ParseOptions(int argc, char** argv, int* exit_code) {
  Options options;
  options.grpc.address = "127.0.0.1:7500";
  std::string log_level = "info";
  CLI::App app("tutti-orchestrator: drives sagas over gRPC services and persists every decision");
  AddVersion(&app, "tutti-orchestrator");
  app.add_option("--data-dir", options.data_dir, "Folder of the store; created when missing, one process at a time")
      ->required();
  app.add_option("--participants", options.participants_file, "participants.yaml; read again on SIGHUP");
  app.add_flag("--allow-missing", options.allow_missing,
               "Let SIGHUP take away participants that an enabled definition or an open saga calls");
  app.add_option("--listen", options.grpc.address, "API address; port 0 picks a free one")->capture_default_str();
  app.add_option("--health-listen", options.grpc.health_address, "Plaintext address for gRPC health probes");
  app.add_option("--metrics-listen", options.metrics_address, "Address of http /metrics");
  app.add_option("--port-file", options.port_file, "Write the bound ports here, as JSON, once serving");
  app.add_option("--shards", options.shards, "Event loops; may change at any restart")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--tls-certificate", options.grpc.certificate_file, "PEM; re-read when it changes");
  app.add_option("--tls-private-key", options.grpc.private_key_file, "PEM");
  app.add_option("--tls-client-ca", options.grpc.client_ca_file, "PEM; clients must show a certificate of this CA");
  AddDuration(&app, "--late-reply-grace", &options.saga.late_reply_grace_ms,
              "How long after its timeout an attempt may still land (default 10s)");
  AddDuration(&app, "--command-horizon", &options.saga.command_horizon_ms,
              "Nothing older is sent; participants remember keys for longer (default 7d)");
  AddDuration(&app, "--id-retention", &options.id_retention_ms,
              "How long ended sagas, and their ids, are remembered (default 14d; at least --command-horizon)",
              kRetentionMsMax);
  AddDuration(&app, "--sweep-interval", &options.sweep_interval_ms,
              "Between two looks for sagas beyond their retention (default 1m)");
  AddBackupOptions(&app, &options);
  AddDuration(&app, "--drain-delay", &options.grpc.drain_delay_ms,
              "Between NOT_SERVING and refusing calls, for balancers to notice (default 0)");
  AddDuration(&app, "--drain-deadline", &options.grpc.drain_deadline_ms,
              "For API calls in flight; then their connections are broken (default 10s)");
  AddDuration(&app, "--reply-drain", &options.reply_drain_ms, "For participants still working (default 5s)");
  AddSize(
      &app, "--memory-limit", [&](uint64_t bytes) { options.memory_limit_bytes = bytes; },
      "Memory of this process; from 90 % of it on no new sagas are taken (default: the control group's limit, or the "
      "machine's memory)");
  AddSize(
      &app, "--disk-reserve", [&](uint64_t bytes) { options.disk_reserve_bytes = bytes; },
      "Room on the volume that is kept for operators, compensations and the drain; no new sagas are taken when no more "
      "than that is left beside it (default 256 MiB, at most a twentieth of the volume; 0: none)");
  app.add_option("--log-level", log_level,
                 "debug, info, warning or error; the file log-level in --data-dir overrides it, read again on SIGHUP")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
    if (!ParseLogLevel(log_level, &options.log_level)) {
      throw CLI::ValidationError("--log-level", "must be debug, info, warning or error");
    }
    if (options.restore_from.empty() && options.participants_file.empty()) throw CLI::RequiredError("--participants");
    const std::string mistake = MistakeIn(options);
    if (!mistake.empty()) throw CLI::ValidationError("--id-retention", mistake);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error);
    return std::nullopt;
  }
  options.given = GivenOptions(app);
  return options;
}

}  // namespace tutti::server
