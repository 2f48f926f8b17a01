#include "participants/token/token_service.h"

#include <memory>
#include <string>

#include "participants/token/token_book.h"
#include "tutti/token/v1/token_service.grpc.pb.h"

namespace tutti::token {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using participant::CallHost;
using participant::CommandContext;
using participant::Fill;
using participant::ReadView;
using participant::WriteView;

constexpr char kIssueToken[] = "tutti.token.v1.TokenService/IssueToken";
constexpr char kExpireToken[] = "tutti.token.v1.TokenService/ExpireToken";

class Service final : public v1::TokenService::CallbackService {
 public:
  explicit Service(const CallHost& host) : host_(host) {}

  ServerUnaryReactor* IssueToken(CallbackServerContext* context, const v1::IssueTokenRequest* request,
                                 v1::IssueTokenResponse* reply) override {
    return RunWrite(host_, {context, kIssueToken, request, reply}, [this, request, reply](WriteView& view) {
      return Fill(token::IssueToken(view, *request, host_.clock->WallMs()), reply->mutable_token());
    });
  }

  ServerUnaryReactor* ExpireToken(CallbackServerContext* context, const v1::ExpireTokenRequest* request,
                                  v1::ExpireTokenResponse* reply) override {
    return RunAction(host_, {context, kExpireToken, request, reply},
                     [this, request, reply](WriteView& view, const CommandContext&, std::string*) {
                       return Fill(token::ExpireToken(view, request->token_id(), host_.clock->WallMs()),
                                   reply->mutable_token());
                     });
  }

  ServerUnaryReactor* GetToken(CallbackServerContext* context, const v1::GetTokenRequest* request,
                               v1::GetTokenResponse* reply) override {
    return RunRead(host_, context, [=](const ReadView& view) {
      return Fill(token::GetToken(view, request->token_id()), reply->mutable_token());
    });
  }

 private:
  const CallHost host_;
};

}  // namespace

participant::ParticipantSpec TokenSpec() {
  return {"token", {kIssueToken, kExpireToken}, [](const CallHost& host) { return std::make_unique<Service>(host); }};
}

}  // namespace tutti::token
