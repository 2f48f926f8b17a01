#include "tools/tuttictl/client.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/grpc_status.h"
#include "common/ids.h"
#include "common/limits.h"
#include "google/protobuf/util/time_util.h"
#include "grpcpp/grpcpp.h"
#include "tools/tuttictl/input.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/timeline.h"
#include "tutti/v1/definition_service.grpc.pb.h"
#include "tutti/v1/saga_service.grpc.pb.h"

namespace tutti::ctl {
namespace {

constexpr int64_t kAnswerTimeoutSeconds = 30;

class Client {
 public:
  Client(const Options& options, std::shared_ptr<grpc::Channel> channel, bool color, std::ostream& out,
         std::ostream& err)
      : options_(options),
        color_(color),
        out_(out),
        err_(err),
        sagas_(v1::SagaService::NewStub(channel)),
        definitions_(v1::DefinitionService::NewStub(channel)) {}

  int Run() {
    switch (options_.command) {
      case Command::kDefinitionApply:
        return ApplyDefinition();
      case Command::kDefinitionGet:
        return GetDefinition();
      case Command::kDefinitionList:
        return ListDefinitions();
      case Command::kSagaStart:
        return StartSaga();
      case Command::kSagaRun:
        return RunSaga();
      case Command::kSagaGet:
        return GetSaga();
      case Command::kSagaList:
        return ListSagas();
      case Command::kSagaWatch:
        return WatchSaga();
      case Command::kSagaHistory:
        return GetHistory();
      case Command::kSagaCancel:
        return CancelSaga();
    }
    return kExitUsage;
  }

 private:
  void SetDeadline(grpc::ClientContext* context, int64_t default_s) const {
    const int64_t seconds = options_.timeout_s > 0 ? options_.timeout_s : default_s;
    if (seconds > 0) context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  }

  int Fail(const absl::Status& status) {
    err_ << RenderError(status);
    if (absl::IsUnavailable(status)) return kExitUnavailable;
    return absl::IsDeadlineExceeded(status) ? kExitTimedOut : kExitError;
  }
  int Fail(const grpc::Status& status) { return Fail(FromGrpcStatus(status)); }

  int ApplyDefinition() {
    auto source = ReadFileOrStdin(options_.file);
    if (!source.ok()) return Fail(source.status());
    grpc::ClientContext context;
    SetDeadline(&context, kAnswerTimeoutSeconds);
    v1::ApplyDefinitionRequest request;
    request.set_source(*std::move(source));
    request.set_dry_run(options_.dry_run);
    v1::ApplyDefinitionResponse response;
    if (const auto status = definitions_->ApplyDefinition(&context, request, &response); !status.ok()) {
      return Fail(status);
    }
    if (options_.json) {
      out_ << RenderJson(response, /*indent=*/true);
      return kExitOk;
    }
    const char* what = response.unchanged() ? "unchanged" : options_.dry_run ? "valid, not applied" : "applied";
    out_ << response.definition().name() << " revision " << response.definition().revision() << " " << what << "\n";
    return kExitOk;
  }

  int GetDefinition() {
    grpc::ClientContext context;
    SetDeadline(&context, kAnswerTimeoutSeconds);
    v1::GetDefinitionRequest request;
    request.set_name(options_.definition);
    request.set_revision(options_.revision);
    v1::GetDefinitionResponse response;
    if (const auto status = definitions_->GetDefinition(&context, request, &response); !status.ok()) {
      return Fail(status);
    }
    if (options_.json) {
      out_ << RenderJson(response.definition(), /*indent=*/true);
      return kExitOk;
    }
    // The source alone on standard output, so that it can be edited and applied again.
    err_ << response.definition().name() << " revision " << response.definition().revision() << "\n";
    const std::string& source = response.definition().source();
    out_ << source << (source.empty() || source.back() == '\n' ? "" : "\n");
    return kExitOk;
  }

  int ListDefinitions() {
    v1::ListDefinitionsResponse all;
    v1::ListDefinitionsRequest request;
    do {
      grpc::ClientContext context;
      SetDeadline(&context, kAnswerTimeoutSeconds);
      v1::ListDefinitionsResponse page;
      if (const auto status = definitions_->ListDefinitions(&context, request, &page); !status.ok()) {
        return Fail(status);
      }
      request.set_page_token(page.next_page_token());
      all.mutable_definitions()->MergeFrom(page.definitions());
    } while (!request.page_token().empty());
    out_ << (options_.json ? RenderJson(all, /*indent=*/true)
                           : RenderDefinitions({all.definitions().begin(), all.definitions().end()}));
    return kExitOk;
  }

  template <typename Request>
  absl::Status FillStart(Request* request) {
    std::string text = options_.input;
    if (!options_.input_file.empty()) {
      auto file = ReadFileOrStdin(options_.input_file);
      if (!file.ok()) return file.status();
      text = *std::move(file);
    }
    auto input = ParseInput(text);
    if (!input.ok()) return input.status();
    *request->mutable_input() = *std::move(input);
    request->set_saga_id(options_.saga_id.empty() ? RandomHex128() : options_.saga_id);
    request->set_definition(options_.definition);
    request->set_revision(options_.revision);
    // Told before the call: whoever gets no answer can repeat the start under the same id.
    if (options_.saga_id.empty()) err_ << "saga id " << request->saga_id() << "\n";
    return absl::OkStatus();
  }

  template <typename Response>
  void PrintStarted(const Response& response) {
    if (response.already_started()) err_ << "an earlier, identical start made this saga\n";
    out_ << (options_.json ? RenderJson(response.saga(), /*indent=*/true) : RenderSaga(response.saga()));
  }

  int StartSaga() {
    v1::StartSagaRequest request;
    if (absl::Status status = FillStart(&request); !status.ok()) return Fail(status);
    grpc::ClientContext context;
    SetDeadline(&context, kAnswerTimeoutSeconds);
    v1::StartSagaResponse response;
    if (const auto status = sagas_->StartSaga(&context, request, &response); !status.ok()) return Fail(status);
    PrintStarted(response);
    return kExitOk;
  }

  int RunSaga() {
    v1::RunSagaRequest request;
    if (absl::Status status = FillStart(&request); !status.ok()) return Fail(status);
    request.set_wait_until(options_.wait_finished ? v1::WAIT_UNTIL_FINISHED : v1::WAIT_UNTIL_COMMITTED);
    grpc::ClientContext context;
    SetDeadline(&context, 0);
    v1::RunSagaResponse response;
    if (const auto status = sagas_->RunSaga(&context, request, &response); !status.ok()) return Fail(status);
    PrintStarted(response);
    return response.saga().state() == v1::SAGA_STATE_COMPENSATED ? kExitCompensated : kExitOk;
  }

  absl::Status ReadSaga(v1::Saga* saga) {
    grpc::ClientContext context;
    SetDeadline(&context, kAnswerTimeoutSeconds);
    v1::GetSagaRequest request;
    request.set_saga_id(options_.saga_id);
    v1::GetSagaResponse response;
    const auto status = sagas_->GetSaga(&context, request, &response);
    saga->Swap(response.mutable_saga());
    return FromGrpcStatus(status);
  }

  int GetSaga() {
    v1::Saga saga;
    if (absl::Status status = ReadSaga(&saga); !status.ok()) return Fail(status);
    out_ << (options_.json ? RenderJson(saga, /*indent=*/true) : RenderSaga(saga));
    return kExitOk;
  }

  int ListSagas() {
    v1::ListSagasResponse all;
    v1::ListSagasRequest request;
    request.set_filter(options_.filter);
    do {
      grpc::ClientContext context;
      SetDeadline(&context, kAnswerTimeoutSeconds);
      request.set_page_size(std::min(options_.limit - all.sagas_size(), limits::kPageSizeMax));
      v1::ListSagasResponse page;
      if (const auto status = sagas_->ListSagas(&context, request, &page); !status.ok()) return Fail(status);
      request.set_page_token(page.next_page_token());
      all.mutable_sagas()->MergeFrom(page.sagas());
    } while (!request.page_token().empty() && all.sagas_size() < options_.limit);
    if (!request.page_token().empty()) err_ << "there are more; raise --limit or narrow --filter\n";
    out_ << (options_.json ? RenderJson(all, /*indent=*/true) : RenderSagas({all.sagas().begin(), all.sagas().end()}));
    return kExitOk;
  }

  // A timeline that begins in the middle still counts from the saga's start.
  absl::Status PrepareTimeline(Timeline* timeline) {
    if (options_.json || options_.from_sequence <= 1) return absl::OkStatus();
    v1::Saga saga;
    if (absl::Status status = ReadSaga(&saga); !status.ok()) return status;
    timeline->SetStart(google::protobuf::util::TimeUtil::TimestampToMilliseconds(saga.start_time()));
    return absl::OkStatus();
  }

  int WatchSaga() {
    Timeline timeline(color_);
    if (absl::Status status = PrepareTimeline(&timeline); !status.ok()) return Fail(status);
    grpc::ClientContext context;
    SetDeadline(&context, 0);
    v1::WatchSagaRequest request;
    request.set_saga_id(options_.saga_id);
    request.set_from_sequence(options_.from_sequence);
    const auto reader = sagas_->WatchSaga(&context, request);
    v1::WatchSagaResponse response;
    auto state = v1::SAGA_STATE_UNSPECIFIED;
    while (reader->Read(&response)) {
      state = response.event().saga_state();
      out_ << (options_.json ? RenderJson(response.event(), /*indent=*/false) : timeline.Line(response.event()))
           << std::endl;  // flushed: somebody is watching
    }
    if (const auto status = reader->Finish(); !status.ok()) return Fail(status);
    return state == v1::SAGA_STATE_COMPENSATED ? kExitCompensated : kExitOk;
  }

  int GetHistory() {
    Timeline timeline(color_);
    if (absl::Status status = PrepareTimeline(&timeline); !status.ok()) return Fail(status);
    v1::GetSagaHistoryResponse all;
    v1::GetSagaHistoryRequest request;
    request.set_saga_id(options_.saga_id);
    request.set_from_sequence(options_.from_sequence);
    do {
      grpc::ClientContext context;
      SetDeadline(&context, kAnswerTimeoutSeconds);
      v1::GetSagaHistoryResponse page;
      if (const auto status = sagas_->GetSagaHistory(&context, request, &page); !status.ok()) return Fail(status);
      request.set_page_token(page.next_page_token());
      all.mutable_events()->MergeFrom(page.events());
    } while (!request.page_token().empty());
    if (options_.json) {
      out_ << RenderJson(all, /*indent=*/true);
    } else {
      for (const auto& event : all.events()) out_ << timeline.Line(event) << "\n";
    }
    return kExitOk;
  }

  int CancelSaga() {
    grpc::ClientContext context;
    SetDeadline(&context, kAnswerTimeoutSeconds);
    v1::CancelSagaRequest request;
    request.set_saga_id(options_.saga_id);
    request.set_reason(options_.reason);
    request.set_by(options_.by);
    v1::CancelSagaResponse response;
    if (const auto status = sagas_->CancelSaga(&context, request, &response); !status.ok()) return Fail(status);
    out_ << (options_.json ? RenderJson(response.saga(), /*indent=*/true) : RenderSaga(response.saga()));
    return kExitOk;
  }

  const Options& options_;
  const bool color_;
  std::ostream& out_;
  std::ostream& err_;
  const std::unique_ptr<v1::SagaService::Stub> sagas_;
  const std::unique_ptr<v1::DefinitionService::Stub> definitions_;
};

}  // namespace

int RunCommand(const Options& options, std::shared_ptr<grpc::Channel> channel, bool color, std::ostream& out,
               std::ostream& err) {
  return Client(options, std::move(channel), color, out, err).Run();
}

}  // namespace tutti::ctl
