// The token service over gRPC, in this process.
#include "participants/token/token_service.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "participants/sdk/test_command.h"
#include "participants/sdk/test_directory.h"
#include "tutti/token/v1/token_service.grpc.pb.h"

namespace tutti::token {
namespace {

using participant::CallMethod;
using participant::TestAnswer;
using participant::TestCommand;
using Stub = v1::TokenService::Stub;

TEST(TokenService, ExpiryIsRefusedUnmarkedUntilTheTokenExistsAndThenHappensOnce) {
  participant::TestDirectory directory;
  participant::ParticipantOptions options;
  options.data_dir = directory.path();
  auto server = participant::ParticipantServer::Start(TokenSpec(), options);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::TokenService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", (*server)->port()), grpc::InsecureChannelCredentials()));

  v1::ExpireTokenRequest expire;
  expire.set_token_id("t");
  v1::ExpireTokenResponse expired;
  const TestCommand command{.kind = "retriable"};
  const TestAnswer early = CallMethod(stub.get(), &Stub::ExpireToken, expire, &expired, &command);
  EXPECT_EQ(early.status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(early.mark, "");

  v1::IssueTokenRequest issue;
  issue.set_user_id("u");
  issue.set_token_id("t");
  v1::IssueTokenResponse issued;
  ASSERT_TRUE(CallMethod(stub.get(), &Stub::IssueToken, issue, &issued).status.ok());
  EXPECT_EQ(issued.token().status(), v1::TOKEN_STATUS_ISSUED);

  EXPECT_EQ(CallMethod(stub.get(), &Stub::ExpireToken, expire, &expired, &command).mark, "applied");
  EXPECT_EQ(expired.token().status(), v1::TOKEN_STATUS_EXPIRED);
  const std::string first = expired.SerializeAsString();
  EXPECT_EQ(CallMethod(stub.get(), &Stub::ExpireToken, expire, &expired, &command).mark, "applied");
  EXPECT_EQ(expired.SerializeAsString(), first);

  const TestCommand another{.uid = "uid-2", .kind = "retriable"};
  EXPECT_EQ(CallMethod(stub.get(), &Stub::ExpireToken, expire, &expired, &another).mark, "applied")
      << "expiring an expired token is fine without a row, too";

  v1::GetTokenRequest get;
  get.set_token_id("t");
  v1::GetTokenResponse got;
  ASSERT_TRUE(CallMethod(stub.get(), &Stub::GetToken, get, &got).status.ok());
  EXPECT_EQ(got.token().status(), v1::TOKEN_STATUS_EXPIRED);
}

}  // namespace
}  // namespace tutti::token
