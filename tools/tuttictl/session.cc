#include "tools/tuttictl/session.h"

#include <utility>

#include "tools/tuttictl/render.h"
#include "tools/tuttictl/yaml.h"

namespace tutti::ctl {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{30};

}  // namespace

Session::Session(Options options, std::shared_ptr<grpc::Channel> channel, Terminal terminal, std::ostream& out,
                 std::ostream& err)
    : options_(std::move(options)),
      terminal_(terminal),
      out_(out),
      err_(err),
      sagas_(v1::SagaService::NewStub(channel)),
      definitions_(v1::DefinitionService::NewStub(channel)),
      admin_(v1::AdminService::NewStub(channel)) {
  if (options_.timeout_s > 0) {
    deadline_ = std::chrono::system_clock::now() + std::chrono::seconds(options_.timeout_s);
  }
}

void Session::SetDeadline(grpc::ClientContext* context, bool is_single_answer) const {
  if (deadline_.has_value()) {
    context->set_deadline(*deadline_);
  } else if (is_single_answer) {
    context->set_deadline(std::chrono::system_clock::now() + kAnswerTimeout);
  }
}

absl::Status Session::ReadSaga(v1::Saga* saga) {
  v1::GetSagaRequest request;
  request.set_saga_id(options_.saga_id);
  v1::GetSagaResponse response;
  absl::Status status = Call(sagas_.get(), &v1::SagaService::Stub::GetSaga, request, &response);
  saga->Swap(response.mutable_saga());
  return status;
}

void Session::Print(const google::protobuf::Message& message, const std::string& table) {
  switch (options_.format) {
    case Format::kJson:
      out_ << RenderJson(message, /*indent=*/true);
      return;
    case Format::kYaml:
      out_ << RenderYaml(message);
      return;
    case Format::kTable:
      out_ << table;
  }
}

void Session::PrintOneOfMany(const google::protobuf::Message& message, const std::string& line) {
  switch (options_.format) {
    case Format::kJson:
      out_ << RenderJson(message, /*indent=*/false) << std::endl;
      return;
    case Format::kYaml:
      out_ << "---\n" << RenderYaml(message) << std::flush;
      return;
    case Format::kTable:
      out_ << line << std::endl;
  }
}

int Session::Fail(const absl::Status& status) {
  err_ << RenderError(status);
  if (absl::IsUnavailable(status)) return kExitUnavailable;
  return absl::IsDeadlineExceeded(status) ? kExitTimedOut : kExitError;
}

}  // namespace tutti::ctl
