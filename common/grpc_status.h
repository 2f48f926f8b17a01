// The edge between absl::Status and gRPC: details travel in the trailer as google.rpc.Status.
#ifndef TUTTI_COMMON_GRPC_STATUS_H_
#define TUTTI_COMMON_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace tutti {

// Message and details are cut to what a client is sure to receive.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace tutti

#endif  // TUTTI_COMMON_GRPC_STATUS_H_
