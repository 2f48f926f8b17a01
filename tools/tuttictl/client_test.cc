#include "tools/tuttictl/client.h"

#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/grpc_status.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tutti/v1/definition_service.grpc.pb.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::ctl {
namespace {

using testing::HasSubstr;

// Answers with what the test prepared.
class FakeSagas final : public v1::SagaService::Service {
 public:
  grpc::Status StartSaga(grpc::ServerContext*, const v1::StartSagaRequest* request,
                         v1::StartSagaResponse* response) override {
    start = *request;
    response->mutable_saga()->set_saga_id(request->saga_id());
    return ToGrpcStatus(status);
  }
  grpc::Status RunSaga(grpc::ServerContext* context, const v1::RunSagaRequest*,
                       v1::RunSagaResponse* response) override {
    while (hang && !context->IsCancelled()) std::this_thread::yield();
    response->mutable_saga()->set_state(state);
    return ToGrpcStatus(status);
  }
  grpc::Status WatchSaga(grpc::ServerContext*, const v1::WatchSagaRequest*,
                         grpc::ServerWriter<v1::WatchSagaResponse>* writer) override {
    v1::WatchSagaResponse response;
    response.mutable_event()->set_type(v1::EVENT_TYPE_SAGA_STARTED);
    response.mutable_event()->set_saga_state(v1::SAGA_STATE_RUNNING);
    writer->Write(response);
    response.mutable_event()->set_type(v1::EVENT_TYPE_SAGA_COMPENSATED);
    response.mutable_event()->set_saga_state(state);
    writer->Write(response);
    return grpc::Status::OK;
  }
  grpc::Status ListSagas(grpc::ServerContext*, const v1::ListSagasRequest* request,
                         v1::ListSagasResponse* response) override {
    const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    const int end = std::min(first + std::min(request->page_size(), 2), 5);
    for (int i = first; i < end; ++i) response->add_sagas()->set_saga_id(absl::StrCat("saga-", i));
    if (end < 5) response->set_next_page_token(absl::StrCat(end));
    return grpc::Status::OK;
  }

  v1::StartSagaRequest start;
  absl::Status status;
  v1::SagaState state = v1::SAGA_STATE_RUNNING;
  bool hang = false;
};

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&sagas_);
    server_ = builder.BuildAndStart();
  }
  int Run(const Options& options) {
    out_.str("");
    err_.str("");
    return RunCommand(options,
                      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials()),
                      /*color=*/false, out_, err_);
  }
  FakeSagas sagas_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::ostringstream out_, err_;
};

TEST_F(ClientTest, StartSendsTheInputAndMintsAnIdThatItTells) {
  Options options;
  options.command = Command::kSagaStart;
  options.definition = "book";
  options.input = "{\"price\":3}";
  EXPECT_EQ(Run(options), kExitOk) << err_.str();
  EXPECT_EQ(sagas_.start.definition(), "book");
  EXPECT_EQ(sagas_.start.input().fields().at("price").number_value(), 3);
  EXPECT_EQ(sagas_.start.saga_id().size(), 32u);
  EXPECT_THAT(err_.str(), HasSubstr(sagas_.start.saga_id()));
  EXPECT_THAT(out_.str(), HasSubstr(sagas_.start.saga_id()));
}

TEST_F(ClientTest, RunTellsTheEndByItsExitCode) {
  Options options;
  options.command = Command::kSagaRun;
  sagas_.state = v1::SAGA_STATE_SUCCEEDED;
  EXPECT_EQ(Run(options), kExitOk);
  sagas_.state = v1::SAGA_STATE_COMPENSATED;
  EXPECT_EQ(Run(options), kExitCompensated);
  sagas_.hang = true;
  options.timeout_s = 1;
  EXPECT_EQ(Run(options), kExitTimedOut);
}

TEST_F(ClientTest, WatchPrintsTheTimelineAndTellsTheEnd) {
  Options options;
  options.command = Command::kSagaWatch;
  sagas_.state = v1::SAGA_STATE_COMPENSATED;
  EXPECT_EQ(Run(options), kExitCompensated);
  EXPECT_THAT(out_.str(), HasSubstr("STARTED\n"));
  EXPECT_THAT(out_.str(), HasSubstr("COMPENSATED\n"));
  sagas_.state = v1::SAGA_STATE_SUCCEEDED;
  EXPECT_EQ(Run(options), kExitOk);
}

TEST_F(ClientTest, ListFollowsPagesUpToItsLimit) {
  Options options;
  options.command = Command::kSagaList;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("saga-4"));
  EXPECT_EQ(err_.str(), "");
  options.limit = 3;
  EXPECT_EQ(Run(options), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("saga-2"));
  EXPECT_THAT(out_.str(), testing::Not(HasSubstr("saga-3")));
  EXPECT_THAT(err_.str(), HasSubstr("there are more"));
}

TEST_F(ClientTest, RefusalsShowTheirViolationsOnStandardError) {
  Options options;
  options.command = Command::kSagaStart;
  options.saga_id = "a";
  sagas_.status = InvalidArgumentError("INPUT_INVALID", {{"input.price", "is missing"}});
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "error: INVALID_ARGUMENT INPUT_INVALID\n  input.price: is missing\n");
}

TEST_F(ClientTest, BadInputIsRefusedBeforeAnythingIsSent) {
  Options options;
  options.command = Command::kSagaStart;
  options.input = "[]";
  EXPECT_EQ(Run(options), kExitError);
  EXPECT_EQ(sagas_.start.saga_id(), "");
}

TEST_F(ClientTest, NoServerIsUnavailable) {
  server_->Shutdown();
  server_.reset();
  Options options;
  options.command = Command::kSagaRun;
  EXPECT_EQ(Run(options), kExitUnavailable);
}

}  // namespace
}  // namespace tutti::ctl
