// What waits behind what, and what does not.
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/grpc_status.h"
#include "common/limits.h"
#include "grpcpp/impl/codegen/client_unary_call.h"
#include "gtest/gtest.h"
#include "orchestrator/api/service_world.h"

namespace tutti::api {
namespace {

class LanesTest : public testing::Test {
 protected:
  ~LanesTest() override {
    world_.reader().lists.Open();
    world_.reader().histories.Open();
    world_.fake_definitions().applies.Open();
  }

  template <typename Stub, typename Request, typename Response>
  static absl::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                           const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return FromGrpcStatus((stub.*method)(&context, request, response));
  }
  std::future<absl::Status> List() {
    return std::async(std::launch::async, [this] {
      v1::ListSagasResponse response;
      return Call(world_.sagas(), &v1::SagaService::Stub::ListSagas, v1::ListSagasRequest(), &response);
    });
  }
  std::future<absl::Status> Apply(const std::string& source) {
    return std::async(std::launch::async, [this, source] {
      v1::ApplyDefinitionRequest request;
      v1::ApplyDefinitionResponse response;
      request.set_source(source);
      return Call(world_.definitions(), &v1::DefinitionService::Stub::ApplyDefinition, request, &response);
    });
  }
  absl::Status Get(const std::string& saga_id, v1::Saga* saga) {
    v1::GetSagaRequest request;
    v1::GetSagaResponse response;
    request.set_saga_id(saga_id);
    absl::Status status = Call(world_.sagas(), &v1::SagaService::Stub::GetSaga, request, &response);
    saga->Swap(response.mutable_saga());
    return status;
  }

  ServiceWorld world_;
};

TEST_F(LanesTest, NeitherAnswersNorOtherReadsWaitForListings) {
  world_.NewSaga("b-0");
  world_.reader().lists.Close();
  std::vector<std::future<absl::Status>> lists;
  for (int i = 0; i < 8; ++i) lists.push_back(List());
  ASSERT_TRUE(world_.reader().lists.AwaitWaiting(1));
  storage::v1::SagaRecord record = world_.NewSaga("b-1");  // starts
  v1::Saga saga;
  EXPECT_TRUE(Get("b-1", &saga).ok());
  v1::CancelSagaRequest cancel;
  v1::CancelSagaResponse cancelled;
  cancel.set_saga_id("b-1");
  EXPECT_TRUE(Call(world_.sagas(), &v1::SagaService::Stub::CancelSaga, cancel, &cancelled).ok());
  record.set_committed_ms(1);
  world_.router().Write(&record, {v1::EVENT_TYPE_SAGA_COMMITTED});
  v1::RunSagaRequest run;
  v1::RunSagaResponse ran;
  run.set_saga_id("b-1");
  run.set_definition("book-ticket");
  *run.mutable_input() = Json(R"({"user": "u1", "price": 1200})");
  EXPECT_TRUE(Call(world_.sagas(), &v1::SagaService::Stub::RunSaga, run, &ran).ok());
  world_.reader().lists.Open();
  for (auto& list : lists) EXPECT_TRUE(list.get().ok());
}

TEST_F(LanesTest, AnswersWaitForNoRead) {
  world_.NewSaga("b-0");
  world_.reader().histories.Close();
  std::vector<std::future<absl::Status>> reads;
  for (int i = 0; i < 8; ++i) {
    reads.push_back(std::async(std::launch::async, [this] {
      v1::GetSagaHistoryRequest request;
      v1::GetSagaHistoryResponse response;
      request.set_saga_id("b-0");
      return Call(world_.sagas(), &v1::SagaService::Stub::GetSagaHistory, request, &response);
    }));
  }
  ASSERT_TRUE(world_.reader().histories.AwaitWaiting(2)) << "all the threads there are for reads";
  world_.NewSaga("b-1");
  world_.reader().histories.Open();
  for (auto& read : reads) EXPECT_TRUE(read.get().ok());
}

TEST_F(LanesTest, ListingsThatFindNoRoomAreToldWhenToComeBack) {
  world_.reader().lists.Close();
  std::vector<std::future<absl::Status>> lists;
  for (size_t i = 0; i < limits::kListsWaitingMax + 1; ++i) lists.push_back(List());
  // One is under way and the rest wait, some time; until then a probe may take the place of one of them.
  absl::Status refused;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (refused.ok() && std::chrono::steady_clock::now() < give_up) {
    auto probe = List();
    if (probe.wait_for(std::chrono::milliseconds(20)) == std::future_status::ready) {
      refused = probe.get();
    } else {
      lists.push_back(std::move(probe));
    }
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "OVERLOADED");
  EXPECT_TRUE(refused.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
  world_.reader().lists.Open();
  for (auto& list : lists) list.wait();
  EXPECT_TRUE(List().get().ok());
}

TEST_F(LanesTest, LargeStartsAreAnsweredAsSmallOnesAre) {
  v1::StartSagaRequest request;
  request.set_saga_id("large");
  request.set_definition("book-ticket");
  *request.mutable_input() = Json(R"({"user": "u1"})");
  (*request.mutable_input()->mutable_fields())["pad"].set_string_value(std::string(100'000, 'x'));
  v1::StartSagaResponse response;
  ASSERT_TRUE(Call(world_.sagas(), &v1::SagaService::Stub::StartSaga, request, &response).ok());
  EXPECT_EQ(response.saga().input().fields().at("pad").string_value().size(), 100'000u);
  EXPECT_FALSE(response.already_started());
  ASSERT_TRUE(Call(world_.sagas(), &v1::SagaService::Stub::StartSaga, request, &response).ok());
  EXPECT_TRUE(response.already_started());
}

TEST_F(LanesTest, DisablingWaitsForNoApply) {
  world_.fake_definitions().applies.Close();
  std::vector<std::future<absl::Status>> applies;
  for (int i = 0; i < 6; ++i) applies.push_back(Apply(absl::StrCat("new-", i)));
  ASSERT_TRUE(world_.fake_definitions().applies.AwaitWaiting(4));
  v1::DisableDefinitionRequest disable;
  v1::DisableDefinitionResponse disabled;
  disable.set_name("book-ticket");
  disable.set_reason("stop");
  EXPECT_TRUE(Call(world_.definitions(), &v1::DefinitionService::Stub::DisableDefinition, disable, &disabled).ok());
  v1::EnableDefinitionRequest enable;
  v1::EnableDefinitionResponse enabled;
  enable.set_name("book-ticket");
  EXPECT_TRUE(Call(world_.definitions(), &v1::DefinitionService::Stub::EnableDefinition, enable, &enabled).ok());
  v1::ListDefinitionsResponse listed;
  EXPECT_TRUE(
      Call(world_.definitions(), &v1::DefinitionService::Stub::ListDefinitions, v1::ListDefinitionsRequest(), &listed)
          .ok());
  world_.fake_definitions().applies.Open();
  for (auto& apply : applies) EXPECT_TRUE(apply.get().ok());
}

// A message that is no request: a length that goes beyond the end.
absl::Status CallWithNonsense(grpc::ChannelInterface* channel, const char* method) {
  const grpc::Slice nonsense("\x0a\x7f");
  const grpc::ByteBuffer request(&nonsense, 1);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  const grpc::internal::RpcMethod rpc(method, grpc::internal::RpcMethod::NORMAL_RPC);
  return FromGrpcStatus(grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(channel, rpc, &context,
                                                                                              request, &response));
}

TEST_F(LanesTest, BytesThatAreNoRequestAreRefusedWithAWord) {
  for (const char* method :
       {"StartSaga", "RunSaga", "GetSaga", "ListSagas", "GetSagaHistory", "CancelSaga", "RetrySaga", "ResolveStep"}) {
    const absl::Status status =
        CallWithNonsense(world_.channel().get(), absl::StrCat("/tutti.v1.SagaService/", method).c_str());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << method << ": " << status;
    EXPECT_EQ(ReasonOf(status), "REQUEST_UNREADABLE") << method;
  }
  EXPECT_EQ(ReasonOf(CallWithNonsense(world_.channel().get(), "/tutti.v1.DefinitionService/ApplyDefinition")),
            "INVALID_DEFINITION");
}

}  // namespace
}  // namespace tutti::api
