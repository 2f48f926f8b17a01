// Brings every call of a gRPC server to a CallObserver: one place, for all services and kinds of call.
#ifndef TUTTI_COMMON_CALL_INTERCEPTOR_H_
#define TUTTI_COMMON_CALL_INTERCEPTOR_H_

#include <memory>

#include "common/call_observer.h"
#include "common/reflection_service.h"
#include "grpcpp/support/server_interceptor.h"

namespace tutti {

// `names` is complete before the server takes its first call; `observer` must outlive the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallInterceptor(
    std::shared_ptr<const ServiceNames> names, CallObserver* observer);

// Tells the observer of every method of these services, as their descriptors list them.
void ObserveServices(const ServiceNames& names, CallObserver* observer);

}  // namespace tutti

#endif  // TUTTI_COMMON_CALL_INTERCEPTOR_H_
