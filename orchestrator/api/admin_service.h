// tutti.v1.AdminService: backups, and the hold of a store that was restored from one.
#ifndef TUTTI_ORCHESTRATOR_API_ADMIN_SERVICE_H_
#define TUTTI_ORCHESTRATOR_API_ADMIN_SERVICE_H_

#include "common/clock.h"
#include "orchestrator/api/call_budget.h"
#include "orchestrator/api/unary_call.h"
#include "orchestrator/api/worker_pool.h"
#include "orchestrator/store/backups.h"
#include "orchestrator/store/hold.h"
#include "tutti/v1/admin_service.grpc.pb.h"

namespace tutti::api {

template <typename Base>
using RawBackupReads =
    v1::AdminService::WithRawCallbackMethod_ListBackups<v1::AdminService::WithRawCallbackMethod_DeleteBackups<Base>>;
template <typename Base>
using RawHold =
    v1::AdminService::WithRawCallbackMethod_GetHold<v1::AdminService::WithRawCallbackMethod_ReleaseHold<Base>>;
template <typename Base>
using BackupStreams =
    v1::AdminService::WithCallbackMethod_CreateBackup<v1::AdminService::WithCallbackMethod_VerifyBackup<Base>>;
using RawAdminService = RawBackupReads<RawHold<BackupStreams<v1::AdminService::Service>>>;

// Thread-safe. Register it with a server that ends before it does.
class AdminService final : public RawAdminService {
 public:
  // All must outlive the service.
  struct Rooms {
    store::Backups* backups = nullptr;
    store::Hold* hold = nullptr;
    const Clock* clock = nullptr;
  };

  explicit AdminService(const Rooms& rooms);

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerWriteReactor<v1::CreateBackupResponse>* CreateBackup(Context* context,
                                                                   const v1::CreateBackupRequest* request) override;
  grpc::ServerWriteReactor<v1::VerifyBackupResponse>* VerifyBackup(Context* context,
                                                                   const v1::VerifyBackupRequest* request) override;
  grpc::ServerUnaryReactor* ListBackups(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* DeleteBackups(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* GetHold(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* ReleaseHold(Context* context, const Bytes* request, Bytes* response) override;

  // Ends what would go on for long, with SHUTTING_DOWN, from now on.
  void EndWaits() { rooms_.backups->Stop(); }

 private:
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Handle(WorkerPool* pool, const Bytes* request, Context* context, Bytes* response,
                                   absl::Status (AdminService::*handle)(const Request&, Response*));
  absl::Status List(const v1::ListBackupsRequest& request, v1::ListBackupsResponse* response);
  absl::Status Delete(const v1::DeleteBackupsRequest& request, v1::DeleteBackupsResponse* response);
  absl::Status Get(const v1::GetHoldRequest& request, v1::GetHoldResponse* response);
  absl::Status Release(const v1::ReleaseHoldRequest& request, v1::ReleaseHoldResponse* response);

  const Rooms rooms_;
  CallBudgets budgets_;
  WorkerPool work_;   // on the folder: one works there, and others are told so
  WorkerPool looks_;  // what does not take long
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_ADMIN_SERVICE_H_
