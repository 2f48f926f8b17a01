// Server reflection as current tools ask for it (v1) and as older ones do (v1alpha). libgrpc++_reflection must not be
// linked beside it: both would register the v1alpha proto.
#ifndef TUTTI_COMMON_REFLECTION_SERVICE_H_
#define TUTTI_COMMON_REFLECTION_SERVICE_H_

#include <memory>
#include <string>
#include <vector>

namespace grpc {
class Service;
}

namespace tutti {

// Filled in before the server takes its first call, unchanged from then on.
using ServiceNames = std::vector<std::string>;

// Answers from the descriptors linked into this binary.
std::vector<std::unique_ptr<grpc::Service>> MakeReflectionServices(std::shared_ptr<const ServiceNames> names);

}  // namespace tutti

#endif  // TUTTI_COMMON_REFLECTION_SERVICE_H_
