// Lets tests and demonstrations set the fault switch over gRPC.
#ifndef TUTTI_PARTICIPANTS_SDK_FAULT_SERVICE_H_
#define TUTTI_PARTICIPANTS_SDK_FAULT_SERVICE_H_

#include "participants/sdk/fault_switch.h"
#include "tutti/participant/v1/fault_service.grpc.pb.h"

namespace tutti::participant {

class FaultServiceImpl final : public v1::FaultService::CallbackService {
 public:
  explicit FaultServiceImpl(FaultSwitch* faults) : faults_(faults) {}  // not owned

  grpc::ServerUnaryReactor* SetFault(grpc::CallbackServerContext* context, const v1::SetFaultRequest* request,
                                     v1::SetFaultResponse* reply) override;
  grpc::ServerUnaryReactor* ClearFaults(grpc::CallbackServerContext* context, const v1::ClearFaultsRequest* request,
                                        v1::ClearFaultsResponse* reply) override;
  grpc::ServerUnaryReactor* ListFaults(grpc::CallbackServerContext* context, const v1::ListFaultsRequest* request,
                                       v1::ListFaultsResponse* reply) override;

 private:
  FaultSwitch* const faults_;
};

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_FAULT_SERVICE_H_
