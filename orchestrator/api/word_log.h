// A line in the log for each word of an operator: who said what, to which saga or definition, and what came of it.
#ifndef TUTTI_ORCHESTRATOR_API_WORD_LOG_H_
#define TUTTI_ORCHESTRATOR_API_WORD_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "tutti/v1/definition_service.pb.h"
#include "tutti/v1/saga_service.pb.h"

namespace tutti::api {

// "ipv4:10.0.0.7:41234", and the names that its certificate gives behind it.
std::string CallerOf(const grpc::CallbackServerContext& context);

// `outcome` is what the saga answered.
void LogWord(const v1::CancelSagaRequest& request, const std::string& caller, const absl::Status& outcome);
void LogWord(const v1::RetrySagaRequest& request, const std::string& caller, const absl::Status& outcome);
void LogWord(const v1::ResolveStepRequest& request, const std::string& caller, const absl::Status& outcome);

// Dry runs change nothing and are left out. `response` is what the client gets when the outcome is OK.
void LogApply(const v1::ApplyDefinitionRequest& request, const v1::ApplyDefinitionResponse& response,
              const std::string& caller, const absl::Status& outcome);
void LogDisable(const v1::DisableDefinitionRequest& request, const std::string& caller, const absl::Status& outcome);
void LogEnable(const v1::EnableDefinitionRequest& request, const std::string& caller, const absl::Status& outcome);

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_WORD_LOG_H_
