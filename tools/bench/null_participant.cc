#include <cstdio>

#include "common/grpc_server.h"
#include "common/port_file.h"
#include "tools/bench/roles.h"
#include "tutti/bench/v1/null_service.grpc.pb.h"

namespace tutti::bench {
namespace {

class NullService final : public v1::NullService::CallbackService {
  grpc::ServerUnaryReactor* Do(grpc::CallbackServerContext* context, const v1::DoRequest* request,
                               v1::DoResponse* response) override {
    response->set_reference(request->reference());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int ServeNullParticipant(const ServeOptions& options) {
  NullService service;
  auto server = GrpcServer::Start({.address = options.listen}, {&service});
  absl::Status status = server.status();
  if (status.ok()) status = WritePortFile(options.port_file, {.grpc = (*server)->port()});
  if (!status.ok()) {
    std::fprintf(stderr, "tutti-bench: %s\n", status.ToString().c_str());
    return 1;
  }
  (*server)->SetServing(true);
  WaitForTermination();
  return 0;
}

}  // namespace tutti::bench
