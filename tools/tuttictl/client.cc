#include "tools/tuttictl/client.h"

#include <string>
#include <utility>

#include "common/ids.h"
#include "grpcpp/grpcpp.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/input.h"

namespace tutti::ctl {
namespace {

absl::Status ReadIfNamed(const std::string& path, std::string* text) {
  if (path.empty()) return absl::OkStatus();
  auto read = ReadFileOrStdin(path);
  if (read.ok()) *text = *std::move(read);
  return read.status();
}

Options WithSagaId(Options options, std::ostream& err) {
  const bool starts = options.command == Command::kSagaStart || options.command == Command::kSagaRun;
  if (!starts || !options.saga_id.empty()) return options;
  options.saga_id = RandomHex128();
  // Told before the call: whoever gets no answer can repeat the start under the same id.
  err << "saga id " << options.saga_id << "\n";
  return options;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  if (!options.tls.enabled) {
    return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
  }
  grpc::SslCredentialsOptions tls;
  for (const auto& [path, text] : {std::pair(&options.tls.ca_file, &tls.pem_root_certs),
                                   std::pair(&options.tls.certificate_file, &tls.pem_cert_chain),
                                   std::pair(&options.tls.private_key_file, &tls.pem_private_key)}) {
    if (absl::Status status = ReadIfNamed(*path, text); !status.ok()) return status;
  }
  if (!options.tls.server_name.empty()) arguments.SetSslTargetNameOverride(options.tls.server_name);
  return grpc::CreateCustomChannel(options.address, grpc::SslCredentials(tls), arguments);
}

int RunCommand(const Options& options, std::shared_ptr<grpc::Channel> channel, Terminal terminal, std::ostream& out,
               std::ostream& err) {
  Session session(WithSagaId(options, err), std::move(channel), terminal, out, err);
  switch (options.command) {
    case Command::kDefinitionApply:
      return ApplyDefinition(&session);
    case Command::kDefinitionGet:
      return GetDefinition(&session);
    case Command::kDefinitionList:
      return ListDefinitions(&session);
    case Command::kDefinitionDisable:
      return DisableDefinition(&session);
    case Command::kDefinitionEnable:
      return EnableDefinition(&session);
    case Command::kSagaStart:
      return StartSaga(&session);
    case Command::kSagaRun:
      return RunSaga(&session);
    case Command::kSagaGet:
      return GetSaga(&session);
    case Command::kSagaList:
      return ListSagas(&session);
    case Command::kSagaWatch:
      return WatchSaga(&session);
    case Command::kSagaHistory:
      return GetHistory(&session);
    case Command::kSagaCancel:
      return CancelSaga(&session);
    case Command::kParked:
      return ListParked(&session);
    case Command::kRetry:
      return RetrySaga(&session);
    case Command::kResolve:
      return ResolveStep(&session);
    case Command::kRetryAll:
      return RetryAll(&session);
    case Command::kBackupCreate:
      return CreateBackup(&session);
    case Command::kBackupList:
      return ListBackups(&session);
    case Command::kBackupVerify:
      return VerifyBackup(&session);
    case Command::kBackupDelete:
      return DeleteBackups(&session);
    case Command::kHoldGet:
      return GetHold(&session);
    case Command::kHoldRelease:
      return ReleaseHold(&session);
    case Command::kDoctor:
      break;  // asks no server: main has done it
  }
  return kExitUsage;
}

}  // namespace tutti::ctl
