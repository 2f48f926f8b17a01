#include "orchestrator/api/definition_service.h"

#include <string>

#include "common/errors.h"
#include "common/grpc_status.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "orchestrator/api/service_world.h"

namespace tutti::api {
namespace {

class DefinitionServiceTest : public testing::Test {
 protected:
  absl::Status Apply(const std::string& source, bool dry_run, v1::ApplyDefinitionResponse* response) {
    v1::ApplyDefinitionRequest request;
    request.set_source(source);
    request.set_dry_run(dry_run);
    grpc::ClientContext context;
    return FromGrpcStatus(world_.definitions().ApplyDefinition(&context, request, response));
  }
  absl::Status Get(const std::string& name, int64_t revision, v1::GetDefinitionResponse* response) {
    v1::GetDefinitionRequest request;
    request.set_name(name);
    request.set_revision(revision);
    grpc::ClientContext context;
    return FromGrpcStatus(world_.definitions().GetDefinition(&context, request, response));
  }
  absl::Status List(int page_size, const std::string& page_token, v1::ListDefinitionsResponse* response) {
    v1::ListDefinitionsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    response->Clear();
    grpc::ClientContext context;
    return FromGrpcStatus(world_.definitions().ListDefinitions(&context, request, response));
  }

  absl::Status Disable(const std::string& name, const std::string& reason, const std::string& by,
                       v1::DisableDefinitionResponse* response) {
    v1::DisableDefinitionRequest request;
    request.set_name(name);
    request.set_reason(reason);
    request.set_by(by);
    grpc::ClientContext context;
    return FromGrpcStatus(world_.definitions().DisableDefinition(&context, request, response));
  }
  absl::Status Enable(const std::string& name, v1::EnableDefinitionResponse* response) {
    v1::EnableDefinitionRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    return FromGrpcStatus(world_.definitions().EnableDefinition(&context, request, response));
  }
  absl::Status Start(const std::string& saga_id) {
    v1::StartSagaRequest request;
    request.set_saga_id(saga_id);
    request.set_definition("book-ticket");
    *request.mutable_input() = Json("{\"user\":\"u1\"}");
    v1::StartSagaResponse response;
    grpc::ClientContext context;
    return FromGrpcStatus(world_.sagas().StartSaga(&context, request, &response));
  }

  ServiceWorld world_;
};

TEST_F(DefinitionServiceTest, AnAppliedDefinitionCanBeRead) {
  v1::ApplyDefinitionResponse applied;
  ASSERT_TRUE(Apply("refund", false, &applied).ok());
  EXPECT_EQ(applied.definition().name(), "refund");
  EXPECT_EQ(applied.definition().revision(), 1);
  EXPECT_FALSE(applied.unchanged());
  ASSERT_TRUE(Apply("refund", false, &applied).ok());
  EXPECT_TRUE(applied.unchanged());
  v1::GetDefinitionResponse found;
  ASSERT_TRUE(Get("refund", 0, &found).ok());
  EXPECT_EQ(found.definition().source(), "refund");
  EXPECT_EQ(found.definition().create_time().seconds(), 1'700'000'000);
}

TEST_F(DefinitionServiceTest, ADryRunKeepsNothing) {
  v1::ApplyDefinitionResponse applied;
  ASSERT_TRUE(Apply("refund", true, &applied).ok());
  EXPECT_EQ(applied.definition().name(), "refund");
  v1::GetDefinitionResponse found;
  EXPECT_EQ(ReasonOf(Get("refund", 0, &found)), "DEFINITION_NOT_FOUND");
}

TEST_F(DefinitionServiceTest, RefusalsKeepTheirViolations) {
  v1::ApplyDefinitionResponse applied;
  absl::Status status = Apply("broken", false, &applied);
  EXPECT_EQ(ReasonOf(status), "INVALID_DEFINITION");
  ASSERT_EQ(ViolationsOf(status).size(), 1u);
  EXPECT_EQ(ViolationsOf(status)[0].field, "line 1");
  for (const std::string& source :
       {std::string(), std::string(" \n"), std::string(limits::kDefinitionBytesMax + 1, 'x')}) {
    status = Apply(source, false, &applied);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    ASSERT_EQ(ViolationsOf(status).size(), 1u);
    EXPECT_EQ(ViolationsOf(status)[0].field, "source");
  }
}

TEST_F(DefinitionServiceTest, GetFindsARevisionOrSaysWhatIsWrong) {
  v1::GetDefinitionResponse found;
  ASSERT_TRUE(Get("book-ticket", 0, &found).ok());
  EXPECT_EQ(found.definition().revision(), 2);
  ASSERT_TRUE(Get("book-ticket", 1, &found).ok());
  EXPECT_EQ(found.definition().revision(), 1);
  EXPECT_EQ(ReasonOf(Get("book-ticket", 9, &found)), "DEFINITION_NOT_FOUND");
  EXPECT_EQ(ViolationsOf(Get("", 0, &found)).at(0).field, "name");
  EXPECT_EQ(ViolationsOf(Get("book-ticket", -1, &found)).at(0).field, "revision");
}

TEST_F(DefinitionServiceTest, ListingsArePagedByNameWithoutSource) {
  v1::ApplyDefinitionResponse applied;
  ASSERT_TRUE(Apply("alpha", false, &applied).ok());
  ASSERT_TRUE(Apply("refund", false, &applied).ok());
  v1::ListDefinitionsResponse page;
  ASSERT_TRUE(List(2, "", &page).ok());
  ASSERT_EQ(page.definitions_size(), 2);
  EXPECT_EQ(page.definitions(0).name(), "alpha");
  EXPECT_EQ(page.definitions(1).name(), "book-ticket");
  EXPECT_EQ(page.definitions(1).revision(), 2);
  EXPECT_EQ(page.definitions(1).source(), "");
  ASSERT_TRUE(List(2, page.next_page_token(), &page).ok());
  ASSERT_EQ(page.definitions_size(), 1);
  EXPECT_EQ(page.definitions(0).name(), "refund");
  EXPECT_EQ(page.next_page_token(), "");
  EXPECT_EQ(ReasonOf(List(2, "nonsense", &page)), "PAGE_TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(List(-1, "", &page)), "PAGE_SIZE_INVALID");
}

TEST_F(DefinitionServiceTest, ADisabledDefinitionRefusesNewSagasAndSaysWhy) {
  ASSERT_TRUE(Start("before").ok());
  v1::DisableDefinitionResponse disabled;
  ASSERT_TRUE(Disable("book-ticket", "fraud under way", "ann", &disabled).ok());
  EXPECT_EQ(disabled.definition().revision(), 2);
  EXPECT_EQ(disabled.definition().disablement().reason(), "fraud under way");
  EXPECT_EQ(disabled.definition().disablement().by(), "ann");
  const absl::Status refused = Start("after");
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_EQ(ReasonOf(refused), "DEFINITION_DISABLED");
  EXPECT_NE(std::string(refused.message()).find("fraud under way (ann)"), std::string::npos) << refused;
  EXPECT_TRUE(Start("before").ok()) << "a repeated start finds its saga";
  v1::GetDefinitionResponse found;
  ASSERT_TRUE(Get("book-ticket", 1, &found).ok());
  EXPECT_TRUE(found.definition().has_disablement());
  v1::EnableDefinitionResponse enabled;
  ASSERT_TRUE(Enable("book-ticket", &enabled).ok());
  EXPECT_FALSE(enabled.definition().has_disablement());
  EXPECT_TRUE(Start("after").ok());
}

TEST_F(DefinitionServiceTest, DisablingNeedsAReasonAndADefinition) {
  v1::DisableDefinitionResponse disabled;
  EXPECT_EQ(ViolationsOf(Disable("book-ticket", "", "ann", &disabled)).at(0).field, "reason");
  EXPECT_EQ(ViolationsOf(Disable("book-ticket", std::string(513, 'x'), "ann", &disabled)).at(0).field, "reason");
  EXPECT_EQ(ViolationsOf(Disable("book-ticket", "x", std::string(257, 'x'), &disabled)).at(0).field, "by");
  EXPECT_EQ(ViolationsOf(Disable("", "x", "ann", &disabled)).at(0).field, "name");
  EXPECT_EQ(ReasonOf(Disable("nothing", "x", "ann", &disabled)), "DEFINITION_NOT_FOUND");
  v1::EnableDefinitionResponse enabled;
  EXPECT_EQ(ReasonOf(Enable("nothing", &enabled)), "DEFINITION_NOT_FOUND");
}

}  // namespace
}  // namespace tutti::api
