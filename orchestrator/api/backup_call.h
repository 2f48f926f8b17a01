// One CreateBackup or VerifyBackup: tells how far it is while a thread works on it, and last the backup.
#ifndef TUTTI_ORCHESTRATOR_API_BACKUP_CALL_H_
#define TUTTI_ORCHESTRATOR_API_BACKUP_CALL_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/store/backups.h"
#include "tutti/v1/admin_service.pb.h"

namespace tutti::api {

v1::Backup ToBackup(const store::BackupInfo& info);

// Owns itself from Begin to OnDone. The client going away ends the work at its next look. What a client does not read
// is left out: one message is on its way at a time.
template <typename Response>
class BackupCall final : public grpc::ServerWriteReactor<Response>,
                         public std::enable_shared_from_this<BackupCall<Response>> {
 public:
  using Work = std::function<absl::StatusOr<store::BackupInfo>(const store::BackupWatcher&)>;

  static grpc::ServerWriteReactor<Response>* Begin(WorkerPool* pool, Work work) {
    const auto call = std::make_shared<BackupCall>();
    call->self_ = call;
    const bool posted = pool->TryPost([call, work = std::move(work)] {
      call->End(work([&](const store::BackupProgress& progress) { return call->Tell(progress); }));
    });
    if (!posted) call->End(OverloadedError("calls about backups"));
    return call.get();
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
      gone_ = gone_ || !ok;
      if (!ended_) return;
    }
    Finish();
  }
  void OnCancel() override {
    MutexLock lock(&mu_);
    gone_ = true;
  }
  void OnDone() override { self_.reset(); }

 private:
  // False when nobody listens any more.
  bool Tell(const store::BackupProgress& progress) {
    {
      MutexLock lock(&mu_);
      if (gone_ || writing_) return !gone_;
      writing_ = true;
    }
    message_.mutable_progress()->set_copied_bytes(static_cast<int64_t>(progress.copied_bytes));
    message_.mutable_progress()->set_total_bytes(static_cast<int64_t>(progress.total_bytes));
    this->StartWrite(&message_);
    return true;
  }

  void End(absl::StatusOr<store::BackupInfo> result) {
    {
      MutexLock lock(&mu_);
      result_ = std::move(result);
      ended_ = true;
      if (writing_) return;
    }
    Finish();
  }

  // By the last of worker and write.
  void Finish() {
    if (!result_.ok()) return grpc::ServerWriteReactor<Response>::Finish(ToAnswer(result_.status()));
    message_.Clear();
    *message_.mutable_backup() = ToBackup(*result_);
    this->StartWriteAndFinish(&message_, grpc::WriteOptions(), grpc::Status::OK);
  }

  std::shared_ptr<BackupCall> self_;
  Response message_;                          // of the write under way
  absl::StatusOr<store::BackupInfo> result_;  // once ended_

  Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool gone_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_BACKUP_CALL_H_
