#include "orchestrator/api/admin_service.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "common/logging.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/backup_call.h"
#include "orchestrator/api/saga_view.h"

namespace tutti::api {
namespace {

constexpr size_t kWaitingMax = 16;

void LogOutcome(absl::string_view what, const absl::StatusOr<store::BackupInfo>& backup) {
  if (!backup.ok())
    return Log(LogLevel::kError, absl::StrCat(what, " failed"), {{"reason", backup.status().message()}});
  Log(LogLevel::kInfo, absl::StrCat(what, " done"),
      {{"backup_id", absl::StrCat(backup->id)}, {"bytes", absl::StrCat(backup->bytes)}});
}

v1::Hold ToHold(const storage::v1::HoldRecord& record) {
  v1::Hold hold;
  hold.set_hold_id(record.hold_id());
  hold.set_held(record.released_ms() == 0);
  hold.set_backup_id(record.backup().backup_id());
  *hold.mutable_backup_time() = ToTimestamp(record.backup().created_ms());
  *hold.mutable_restore_time() = ToTimestamp(record.restored_ms());
  hold.set_origin_store_id(record.backup().store_id());
  if (record.released_ms() != 0) *hold.mutable_release_time() = ToTimestamp(record.released_ms());
  hold.set_release_reason(record.release_reason());
  hold.set_released_by(record.released_by());
  return hold;
}

}  // namespace

v1::Backup ToBackup(const store::BackupInfo& info) {
  v1::Backup backup;
  backup.set_backup_id(info.id);
  if (info.created_ms != 0) *backup.mutable_create_time() = ToTimestamp(info.created_ms);
  backup.set_size_bytes(static_cast<int64_t>(info.bytes));
  backup.set_file_count(static_cast<int32_t>(info.files));
  backup.set_store_id(info.store_id);
  backup.set_problem(info.problem);
  return backup;
}

AdminService::AdminService(const Rooms& rooms)
    : rooms_(rooms),
      work_({.threads = 2, .waiting_max = kWaitingMax}),
      looks_({.threads = 1, .waiting_max = kWaitingMax}) {}

grpc::ServerWriteReactor<v1::CreateBackupResponse>* AdminService::CreateBackup(Context*,
                                                                               const v1::CreateBackupRequest*) {
  return BackupCall<v1::CreateBackupResponse>::Begin(&work_, [this](const store::BackupWatcher& watcher) {
    const auto made = rooms_.backups->Create(rooms_.clock->WallMs(), watcher);
    LogOutcome("backup", made);
    return made;
  });
}

grpc::ServerWriteReactor<v1::VerifyBackupResponse>* AdminService::VerifyBackup(Context*,
                                                                               const v1::VerifyBackupRequest* request) {
  return BackupCall<v1::VerifyBackupResponse>::Begin(
      &work_,
      [this, id = request->backup_id()](const store::BackupWatcher& watcher) -> absl::StatusOr<store::BackupInfo> {
        if (id < 0 || id > UINT32_MAX) {
          return InvalidArgumentError("FIELD_INVALID", {{"backup_id", "is none; 0 means the newest"}});
        }
        const auto verified = rooms_.backups->Verify(id, watcher);
        LogOutcome("verification of a backup", verified);
        return verified;
      });
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* AdminService::Handle(WorkerPool* pool, const Bytes* request, Context* context,
                                               Bytes* response,
                                               absl::Status (AdminService::*handle)(const Request&, Response*)) {
  auto* call = new UnaryCall(context, request, response, &budgets_);
  call->WorkOn(pool, [=, this] {
    Request message;
    Response answer;
    absl::Status status = call->Parse(&message);
    if (status.ok()) status = (this->*handle)(message, &answer);
    if (!status.ok()) return call->Fail(status);
    call->Answer(answer);
  });
  return call;
}

grpc::ServerUnaryReactor* AdminService::ListBackups(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&looks_, request, context, response, &AdminService::List);
}

absl::Status AdminService::List(const v1::ListBackupsRequest&, v1::ListBackupsResponse* response) {
  const auto backups = rooms_.backups->List();
  if (!backups.ok()) return backups.status();
  for (const store::BackupInfo& backup : *backups) *response->add_backups() = ToBackup(backup);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminService::DeleteBackups(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&work_, request, context, response, &AdminService::Delete);
}

absl::Status AdminService::Delete(const v1::DeleteBackupsRequest& request, v1::DeleteBackupsResponse* response) {
  if (request.keep() < 1) {
    return InvalidArgumentError("FIELD_INVALID",
                                {{"keep", "must be at least 1: the newest so many are kept, and all others go"}});
  }
  const auto deleted = rooms_.backups->Delete(request.keep());
  if (!deleted.ok()) return deleted.status();
  for (const int64_t id : deleted->deleted) {
    Log(LogLevel::kInfo, "backup deleted", {{"backup_id", absl::StrCat(id)}});
    response->add_deleted_backup_ids(id);
  }
  for (const store::BackupInfo& backup : deleted->left) *response->add_backups() = ToBackup(backup);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminService::GetHold(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&looks_, request, context, response, &AdminService::Get);
}

absl::Status AdminService::Get(const v1::GetHoldRequest&, v1::GetHoldResponse* response) {
  if (const auto record = rooms_.hold->record(); record.has_value()) *response->mutable_hold() = ToHold(*record);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminService::ReleaseHold(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&looks_, request, context, response, &AdminService::Release);
}

absl::Status AdminService::Release(const v1::ReleaseHoldRequest& request, v1::ReleaseHoldResponse* response) {
  if (request.reason().empty()) {
    return InvalidArgumentError("FIELD_INVALID",
                                {{"reason", "is empty; say what was compared, for those who come after"}});
  }
  if (absl::Status status = CheckReason(request.reason(), request.by()); !status.ok()) return status;
  const auto released = rooms_.hold->Release(request.reason(), request.by(), rooms_.clock->WallMs());
  if (!released.ok()) return released.status();
  Log(LogLevel::kInfo, "the hold is released: new sagas are taken again",
      {{"reason", released->release_reason()}, {"by", released->released_by()}});
  *response->mutable_hold() = ToHold(*released);
  return absl::OkStatus();
}

}  // namespace tutti::api
