#include <cstdio>
#include <memory>

#include "common/grpc_server.h"
#include "common/port_file.h"
#include "tools/bench/roles.h"
#include "tutti/bench/v1/null_service.grpc.pb.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::bench {
namespace {

constexpr int kCalls = 3;

// One saga's walk along the chain; deletes itself with its last answer.
class Walk {
 public:
  Walk(bench::v1::NullService::Stub* stub, grpc::ServerUnaryReactor* reactor, const tutti::v1::RunSagaRequest* request,
       tutti::v1::RunSagaResponse* response)
      : stub_(stub), reactor_(reactor), response_(response) {
    call_.set_reference(request->saga_id());
  }

  void Step() {
    if (calls_ == kCalls) return End(grpc::Status::OK);
    ++calls_;
    context_ = std::make_unique<grpc::ClientContext>();
    stub_->async()->Do(context_.get(), &call_, &answer_,
                       [this](grpc::Status status) { status.ok() ? Step() : End(status); });
  }

 private:
  void End(const grpc::Status& status) {
    response_->mutable_saga()->set_state(tutti::v1::SAGA_STATE_SUCCEEDED);
    reactor_->Finish(status);
    delete this;
  }

  bench::v1::NullService::Stub* const stub_;
  grpc::ServerUnaryReactor* const reactor_;
  tutti::v1::RunSagaResponse* const response_;
  std::unique_ptr<grpc::ClientContext> context_;
  bench::v1::DoRequest call_;
  bench::v1::DoResponse answer_;
  int calls_ = 0;
};

class NullChain final : public tutti::v1::SagaService::CallbackService {
 public:
  explicit NullChain(const std::string& participant)
      : stub_(bench::v1::NullService::NewStub(grpc::CreateChannel(participant, grpc::InsecureChannelCredentials()))) {}

  grpc::ServerUnaryReactor* RunSaga(grpc::CallbackServerContext* context, const tutti::v1::RunSagaRequest* request,
                                    tutti::v1::RunSagaResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    (new Walk(stub_.get(), reactor, request, response))->Step();
    return reactor;
  }

 private:
  const std::unique_ptr<bench::v1::NullService::Stub> stub_;
};

}  // namespace

int ServeNullChain(const ServeOptions& options) {
  NullChain service(options.participant);
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
