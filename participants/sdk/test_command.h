// What tests need to play the orchestrator: one saga's commands over gRPC, and the mark of their answers.
#ifndef TUTTI_PARTICIPANTS_SDK_TEST_COMMAND_H_
#define TUTTI_PARTICIPANTS_SDK_TEST_COMMAND_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"

namespace tutti::participant {

struct TestCommand {
  std::string uid = "uid-1";
  std::string step = "step";
  std::string operation = "action";
  std::string kind = "compensatable";

  std::string key() const { return absl::StrCat(uid, "/", step, "/", operation); }

  void AddTo(grpc::ClientContext* context) const {
    context->AddMetadata("tutti-saga-id", absl::StrCat("saga-", uid));
    context->AddMetadata("tutti-saga-uid", uid);
    context->AddMetadata("tutti-step", step);
    context->AddMetadata("tutti-kind", kind);
    context->AddMetadata("tutti-operation", operation);
    context->AddMetadata("tutti-attempt", "1");
    context->AddMetadata("tutti-idempotency-key", key());
    context->AddMetadata("tutti-key-born-ms", "1");
  }
};

// Empty: unmarked.
inline std::string MarkOf(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find("tutti-barrier");
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

struct TestAnswer {
  grpc::Status status;
  std::string mark;
};

// Calls `method` of a stub, e.g. &PaymentService::Stub::Charge; a null command sends no metadata.
template <typename Stub, typename Request, typename Reply>
TestAnswer CallMethod(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                      const Request& request, Reply* reply, const TestCommand* command = nullptr,
                      int64_t timeout_ms = 20'000) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
  if (command != nullptr) command->AddTo(&context);
  const grpc::Status status = (stub->*method)(&context, request, reply);
  return {status, MarkOf(context)};
}

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_TEST_COMMAND_H_
