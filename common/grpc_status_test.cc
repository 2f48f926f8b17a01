#include "common/grpc_status.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/grpc_server.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

TEST(GrpcStatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(GrpcStatusTest, CodeMessageAndDetailsSurviveTheTrip) {
  const absl::Status sent = WithRetryDelay(InvalidArgumentError("R", {{"a.b", "is wrong"}}), 250);
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(sent)), sent);
}

// Answers every Check with the status under test.
class FailingService final : public Health::CallbackService {
 public:
  explicit FailingService(absl::Status status) : status_(std::move(status)) {}
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context, const HealthCheckRequest*,
                                  HealthCheckResponse*) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(status_));
    return reactor;
  }

 private:
  const absl::Status status_;
};

TEST(GrpcStatusTest, TheLargestErrorReachesTheClientAsItself) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 2000; ++i) violations.push_back({absl::StrCat("field", i), "\xe7\x89\xb9\xe7\x89\xb9 is wrong"});
  violations[0].description.append(900, '%');
  FailingService service(InvalidArgumentError("MANY", violations));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  auto stub =
      Health::NewStub(grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  HealthCheckResponse response;
  const absl::Status received = FromGrpcStatus(stub->Check(&context, {}, &response));
  server->Shutdown();
  EXPECT_EQ(received.code(), absl::StatusCode::kInvalidArgument) << received;
  EXPECT_EQ(ReasonOf(received), "MANY");
  EXPECT_GT(ViolationsOf(received).size(), 20u);
}

}  // namespace
}  // namespace tutti
