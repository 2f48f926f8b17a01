#include "participants/sdk/fault_service.h"

#include "common/grpc_status.h"
#include "common/logging.h"

namespace tutti::participant {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* FaultServiceImpl::SetFault(grpc::CallbackServerContext* context,
                                                     const v1::SetFaultRequest* request, v1::SetFaultResponse*) {
  const absl::Status status = faults_->Set(request->fault());
  if (status.ok()) Log(LogLevel::kInfo, "fault set", {{"fault", request->fault().ShortDebugString()}});
  return Answer(context, status);
}

grpc::ServerUnaryReactor* FaultServiceImpl::ClearFaults(grpc::CallbackServerContext* context,
                                                        const v1::ClearFaultsRequest*, v1::ClearFaultsResponse*) {
  faults_->Clear();
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* FaultServiceImpl::ListFaults(grpc::CallbackServerContext* context,
                                                       const v1::ListFaultsRequest*, v1::ListFaultsResponse* reply) {
  for (v1::Fault& fault : faults_->List()) *reply->add_faults() = std::move(fault);
  return Answer(context, absl::OkStatus());
}

}  // namespace tutti::participant
