#include "orchestrator/api/word_log.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/logging.h"
#include "grpcpp/security/auth_context.h"

namespace tutti::api {
namespace {

constexpr absl::string_view kWord = "operator word";
constexpr absl::string_view kDefinitionWord = "definition word";

std::string Of(const absl::Status& outcome) {
  return outcome.ok() ? "accepted" : absl::StrCat("refused: ", outcome.message());
}

std::string StepsOf(const v1::RetrySagaRequest& request) {
  return absl::StrJoin(request.steps(), ",",
                       [](std::string* out, const v1::ParkedStep& step) { absl::StrAppend(out, step.step()); });
}

}  // namespace

std::string CallerOf(const grpc::CallbackServerContext& context) {
  std::string caller = context.peer();
  const auto identity = context.auth_context();
  if (identity == nullptr || !identity->IsPeerAuthenticated()) return caller;
  for (const grpc::string_ref& name : identity->GetPeerIdentity()) {
    absl::StrAppend(&caller, " ", absl::string_view(name.data(), name.size()));
  }
  return caller;
}

void LogWord(const v1::CancelSagaRequest& request, const std::string& caller, const absl::Status& outcome) {
  Log(LogLevel::kInfo, kWord,
      {{"word", "cancel"},
       {"saga_id", request.saga_id()},
       {"reason", request.reason()},
       {"by", request.by()},
       {"caller", caller},
       {"result", Of(outcome)}});
}

void LogWord(const v1::RetrySagaRequest& request, const std::string& caller, const absl::Status& outcome) {
  Log(LogLevel::kInfo, kWord,
      {{"word", "retry"},
       {"saga_id", request.saga_id()},
       {"steps", StepsOf(request)},
       {"reason", request.reason()},
       {"by", request.by()},
       {"caller", caller},
       {"result", Of(outcome)}});
}

void LogWord(const v1::ResolveStepRequest& request, const std::string& caller, const absl::Status& outcome) {
  Log(LogLevel::kInfo, kWord,
      {{"word", "resolve"},
       {"saga_id", request.saga_id()},
       {"steps", request.step()},
       {"as", request.resolution() == v1::RESOLUTION_DONE ? "done" : "undone"},
       {"reason", request.reason()},
       {"by", request.by()},
       {"caller", caller},
       {"result", Of(outcome)}});
}

void LogApply(const v1::ApplyDefinitionRequest& request, const v1::ApplyDefinitionResponse& response,
              const std::string& caller, const absl::Status& outcome) {
  if (request.dry_run()) return;
  const std::string result = !outcome.ok() ? Of(outcome) : response.unchanged() ? "unchanged" : "accepted";
  Log(LogLevel::kInfo, kDefinitionWord,
      {{"word", "apply"},
       {"definition", response.definition().name()},
       {"revision", absl::StrCat(response.definition().revision())},
       {"caller", caller},
       {"result", result}});
}

void LogDisable(const v1::DisableDefinitionRequest& request, const std::string& caller, const absl::Status& outcome) {
  Log(LogLevel::kInfo, kDefinitionWord,
      {{"word", "disable"},
       {"definition", request.name()},
       {"reason", request.reason()},
       {"by", request.by()},
       {"caller", caller},
       {"result", Of(outcome)}});
}

void LogEnable(const v1::EnableDefinitionRequest& request, const std::string& caller, const absl::Status& outcome) {
  Log(LogLevel::kInfo, kDefinitionWord,
      {{"word", "enable"}, {"definition", request.name()}, {"caller", caller}, {"result", Of(outcome)}});
}

}  // namespace tutti::api
