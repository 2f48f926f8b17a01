// tutti.v1.DefinitionService.
#ifndef TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_
#define TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_

#include <string>

#include "orchestrator/api/definitions.h"
#include "orchestrator/api/worker_pool.h"
#include "tutti/v1/definition_service.grpc.pb.h"

namespace tutti::api {

// Thread-safe. Register it with a server that ends before it does.
class DefinitionService final : public v1::DefinitionService::CallbackService {
 public:
  // `definitions` must outlive the service.
  explicit DefinitionService(Definitions* definitions) : definitions_(definitions), pool_(/*threads=*/1) {}

  grpc::ServerUnaryReactor* ApplyDefinition(grpc::CallbackServerContext* context,
                                            const v1::ApplyDefinitionRequest* request,
                                            v1::ApplyDefinitionResponse* response) override;
  grpc::ServerUnaryReactor* GetDefinition(grpc::CallbackServerContext* context, const v1::GetDefinitionRequest* request,
                                          v1::GetDefinitionResponse* response) override;
  grpc::ServerUnaryReactor* ListDefinitions(grpc::CallbackServerContext* context,
                                            const v1::ListDefinitionsRequest* request,
                                            v1::ListDefinitionsResponse* response) override;
  grpc::ServerUnaryReactor* DisableDefinition(grpc::CallbackServerContext* context,
                                              const v1::DisableDefinitionRequest* request,
                                              v1::DisableDefinitionResponse* response) override;
  grpc::ServerUnaryReactor* EnableDefinition(grpc::CallbackServerContext* context,
                                             const v1::EnableDefinitionRequest* request,
                                             v1::EnableDefinitionResponse* response) override;

 private:
  absl::Status Apply(const v1::ApplyDefinitionRequest& request, v1::ApplyDefinitionResponse* response) const;
  absl::Status Get(const v1::GetDefinitionRequest& request, v1::GetDefinitionResponse* response) const;
  absl::Status List(const v1::ListDefinitionsRequest& request, v1::ListDefinitionsResponse* response) const;
  absl::Status Disable(const v1::DisableDefinitionRequest& request, v1::DisableDefinitionResponse* response) const;
  absl::Status Enable(const v1::EnableDefinitionRequest& request, v1::EnableDefinitionResponse* response) const;
  absl::Status Newest(const std::string& name, v1::Definition* definition) const;
  v1::Definition ToDefinition(const storage::v1::DefinitionRecord& record, bool with_source) const;

  Definitions* const definitions_;
  WorkerPool pool_;  // for what blocks: applies ask participants for descriptors, which may take seconds
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_
