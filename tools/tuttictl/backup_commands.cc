#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/render.h"

namespace tutti::ctl {
namespace {

using Stub = v1::AdminService::Stub;

// A line for each tenth of the way.
class ProgressLines {
 public:
  ProgressLines(Session* session, std::string what) : session_(session), what_(std::move(what)) {}

  void Tell(const v1::BackupProgress& progress) {
    const int64_t tenths = progress.total_bytes() == 0 ? 0 : progress.copied_bytes() * 10 / progress.total_bytes();
    if (tenths == told_) return;
    told_ = tenths;
    session_->err() << what_ << ": " << tenths * 10 << " % of about " << SizeText(progress.total_bytes()) << std::endl;
  }

 private:
  Session* const session_;
  const std::string what_;
  int64_t told_ = -1;
};

// Reads to the end; `backup` is what the last message says.
template <typename Response>
absl::Status Follow(Session* session, const std::string& what, std::unique_ptr<grpc::ClientReader<Response>> reader,
                    v1::Backup* backup) {
  ProgressLines lines(session, what);
  Response response;
  while (reader->Read(&response)) {
    if (response.has_progress()) lines.Tell(response.progress());
    if (response.has_backup()) *backup = response.backup();
  }
  return FromGrpcStatus(reader->Finish());
}

absl::Status Verify(Session* session, int64_t backup_id, v1::Backup* backup) {
  grpc::ClientContext context;
  session->SetDeadline(&context, /*is_single_answer=*/false);
  v1::VerifyBackupRequest request;
  request.set_backup_id(backup_id);
  return Follow(session, "verifying", session->admin()->VerifyBackup(&context, request), backup);
}

absl::Status Delete(Session* session, v1::DeleteBackupsResponse* response) {
  v1::DeleteBackupsRequest request;
  request.set_keep(session->options().keep);
  absl::Status status = session->Call(session->admin(), &Stub::DeleteBackups, request, response);
  for (const int64_t id : response->deleted_backup_ids()) session->err() << "deleted backup " << id << "\n";
  return status;
}

}  // namespace

int CreateBackup(Session* session) {
  grpc::ClientContext context;
  session->SetDeadline(&context, /*is_single_answer=*/false);
  v1::Backup backup;
  absl::Status status =
      Follow(session, "copying", session->admin()->CreateBackup(&context, v1::CreateBackupRequest()), &backup);
  if (!status.ok()) return session->Fail(status);
  session->err() << "made backup " << backup.backup_id() << "\n";
  if (session->options().verify) status = Verify(session, backup.backup_id(), &backup);
  // What may be the only good ones are not deleted for one that is not.
  v1::DeleteBackupsResponse deleted;
  if (status.ok() && session->options().keep > 0) status = Delete(session, &deleted);
  if (!status.ok()) return session->Fail(status);
  session->Print(backup, RenderBackups({backup}));
  return kExitOk;
}

int ListBackups(Session* session) {
  v1::ListBackupsResponse response;
  const absl::Status status = session->Call(session->admin(), &Stub::ListBackups, v1::ListBackupsRequest(), &response);
  if (!status.ok()) return session->Fail(status);
  session->Print(response, RenderBackups({response.backups().begin(), response.backups().end()}));
  return kExitOk;
}

int VerifyBackup(Session* session) {
  v1::Backup backup;
  if (absl::Status status = Verify(session, session->options().backup_id, &backup); !status.ok()) {
    return session->Fail(status);
  }
  session->Print(backup, RenderBackups({backup}));
  return kExitOk;
}

int DeleteBackups(Session* session) {
  v1::DeleteBackupsResponse response;
  if (absl::Status status = Delete(session, &response); !status.ok()) return session->Fail(status);
  session->Print(response, RenderBackups({response.backups().begin(), response.backups().end()}));
  return kExitOk;
}

int GetHold(Session* session) {
  v1::GetHoldResponse response;
  const absl::Status status = session->Call(session->admin(), &Stub::GetHold, v1::GetHoldRequest(), &response);
  if (!status.ok()) return session->Fail(status);
  session->Print(response, RenderHold(response));
  return kExitOk;
}

int ReleaseHold(Session* session) {
  v1::ReleaseHoldRequest request;
  request.set_reason(session->options().reason);
  request.set_by(session->options().by);
  v1::ReleaseHoldResponse response;
  const absl::Status status = session->Call(session->admin(), &Stub::ReleaseHold, request, &response);
  if (!status.ok()) return session->Fail(status);
  v1::GetHoldResponse shown;
  *shown.mutable_hold() = response.hold();
  session->Print(response, RenderHold(shown));
  return kExitOk;
}

}  // namespace tutti::ctl
