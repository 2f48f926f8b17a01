// tutti.v1.DefinitionService.
#ifndef TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_
#define TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_

#include <string>

#include "common/limits.h"
#include "orchestrator/api/call_budget.h"
#include "orchestrator/api/definitions.h"
#include "orchestrator/api/unary_call.h"
#include "orchestrator/api/worker_pool.h"
#include "tutti/v1/definition_service.grpc.pb.h"

namespace tutti::api {

// Thread-safe. Register it with a server that ends before it does.
class DefinitionService final : public v1::DefinitionService::WithRawCallbackMethod_ApplyDefinition<
                                    v1::DefinitionService::WithRawCallbackMethod_GetDefinition<
                                        v1::DefinitionService::WithRawCallbackMethod_ListDefinitions<
                                            v1::DefinitionService::WithRawCallbackMethod_DisableDefinition<
                                                v1::DefinitionService::WithRawCallbackMethod_EnableDefinition<
                                                    v1::DefinitionService::Service>>>>> {
 public:
  // `definitions` must outlive the service.
  explicit DefinitionService(Definitions* definitions);

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerUnaryReactor* ApplyDefinition(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* GetDefinition(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* ListDefinitions(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* DisableDefinition(Context* context, const Bytes* request, Bytes* response) override;
  grpc::ServerUnaryReactor* EnableDefinition(Context* context, const Bytes* request, Bytes* response) override;

 private:
  // Hands the request to `handle`: on the pool when `blocks`, or here.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Handle(WorkerPool* pool, bool blocks, Context* context, const Bytes* request,
                                   Bytes* response,
                                   absl::Status (DefinitionService::*handle)(const Request&, Response*) const);
  absl::Status Apply(const v1::ApplyDefinitionRequest& request, v1::ApplyDefinitionResponse* response) const;
  absl::Status Get(const v1::GetDefinitionRequest& request, v1::GetDefinitionResponse* response) const;
  absl::Status List(const v1::ListDefinitionsRequest& request, v1::ListDefinitionsResponse* response) const;
  absl::Status Disable(const v1::DisableDefinitionRequest& request, v1::DisableDefinitionResponse* response) const;
  absl::Status Enable(const v1::EnableDefinitionRequest& request, v1::EnableDefinitionResponse* response) const;
  absl::Status Newest(const std::string& name, v1::Definition* definition) const;
  v1::Definition ToDefinition(const storage::v1::DefinitionRecord& record, bool with_source) const;

  Definitions* const definitions_;
  CallBudgets budgets_;
  WorkerPool applies_;  // ask participants for descriptors, which may take seconds
  WorkerPool changes_;  // wait for a commit
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_
