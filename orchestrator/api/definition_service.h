// tutti.v1.DefinitionService.
#ifndef TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_
#define TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_

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

 private:
  absl::Status Apply(const v1::ApplyDefinitionRequest& request, v1::ApplyDefinitionResponse* response) const;
  absl::Status Get(const v1::GetDefinitionRequest& request, v1::GetDefinitionResponse* response) const;
  absl::Status List(const v1::ListDefinitionsRequest& request, v1::ListDefinitionsResponse* response) const;

  Definitions* const definitions_;
  WorkerPool pool_;  // applies ask participants for descriptors, which may take seconds
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_DEFINITION_SERVICE_H_
