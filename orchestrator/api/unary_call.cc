#include "orchestrator/api/unary_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "orchestrator/api/answers.h"

namespace tutti::api {

UnaryCall::UnaryCall(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request, grpc::ByteBuffer* response,
                     CallBudgets* budgets)
    : context_(context),
      request_(request),
      response_(response),
      budgets_(budgets),
      request_bytes_(request->Length()),
      admitted_(budgets->requests.Take(request_bytes_)),
      held_(admitted_ ? request_bytes_ : 0) {}

void UnaryCall::ReturnBytes() {
  budgets_->requests.Give(std::exchange(held_, 0));
  if (unread_.has_value()) budgets_->answers.Give(*unread_);
  unread_.reset();
}

void UnaryCall::OnDone() {
  ReturnBytes();
  delete this;
}

void UnaryCall::WorkOn(WorkerPool* pool, std::function<void()> work) {
  if (!admitted_) return Refuse(OverloadedError("bytes of requests"));
  const bool posted = pool->TryPost([this, work = std::move(work)] {
    if (cancelled()) return Refuse(absl::CancelledError("the client is gone"));
    work();
  });
  if (!posted) Refuse(OverloadedError("requests of this kind"));
}

void UnaryCall::Work(WorkerPool* large, std::function<void()> work) {
  if (request_bytes_ > limits::kInlineRequestBytesMax || !admitted_) return WorkOn(large, std::move(work));
  work();
}

absl::Status UnaryCall::Parse(google::protobuf::Message* request, int levels_max) const {
  grpc::ByteBuffer bytes(*request_);  // shares them; the reader takes its own apart
  grpc::ProtoBufferReader reader(&bytes);
  google::protobuf::io::CodedInputStream decoder(&reader);
  decoder.SetRecursionLimit(levels_max);
  if (request->ParseFromCodedStream(&decoder) && decoder.ConsumedEntireMessage()) return absl::OkStatus();
  return WithReason(
      absl::InvalidArgumentError(absl::StrCat("the request is no ", request->GetDescriptor()->full_name(),
                                              " that can be read: damaged bytes, text that is not UTF-8, or more than ",
                                              levels_max, " levels of messages")),
      "REQUEST_UNREADABLE");
}

void UnaryCall::Fail(const absl::Status& status) {
  Finish(ToAnswer(status));
}

void UnaryCall::Answer(const google::protobuf::Message& response) {
  if (!TryAnswer(response)) Fail(OverloadedError("bytes of answers that wait to be read"));
}

bool UnaryCall::TryAnswer(const google::protobuf::Message& response) {
  if (response.ByteSizeLong() > limits::kAnswerBytesMax) {
    Fail(absl::InternalError(absl::StrCat("the answer has ", response.ByteSizeLong(),
                                          " bytes, more than clients take: ", limits::kAnswerBytesMax)));
    return true;
  }
  // gRPC hands its own buffer over as const, and would keep it until the client has read the answer.
  const_cast<grpc::ByteBuffer*>(request_)->Clear();
  budgets_->requests.Give(std::exchange(held_, 0));
  CallBudget::Unread unread;
  if (!budgets_->answers.TakeFor(context_->c_call(), response.ByteSizeLong(), &unread)) return false;
  unread_ = unread;
  bool own_buffer = false;
  Finish(grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(response, response_, &own_buffer));
  return true;
}

}  // namespace tutti::api
