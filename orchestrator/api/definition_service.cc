#include "orchestrator/api/definition_service.h"

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"
#include "orchestrator/api/page_token.h"
#include "orchestrator/api/saga_view.h"

namespace tutti::api {
namespace {

constexpr int kListPageDefault = 100;
constexpr absl::string_view kListQuery = "definitions|";
// Applies that wait for different participants at the same time.
constexpr int kApplies = 4;

absl::Status NamedError(const absl::Status& status) {
  const bool unnamed = absl::IsNotFound(status) && ReasonOf(status).empty();
  return unnamed ? WithReason(status, "DEFINITION_NOT_FOUND") : status;
}

}  // namespace

v1::Definition DefinitionService::ToDefinition(const storage::v1::DefinitionRecord& record, bool with_source) const {
  v1::Definition definition;
  definition.set_name(record.name());
  definition.set_revision(record.revision());
  if (with_source) definition.set_source(record.source());
  definition.set_digest(record.digest());
  if (record.created_ms() != 0) *definition.mutable_create_time() = ToTimestamp(record.created_ms());
  if (const auto disablement = definitions_->FindDisablement(record.name()); disablement.has_value()) {
    definition.mutable_disablement()->set_reason(disablement->reason());
    definition.mutable_disablement()->set_by(disablement->by());
    *definition.mutable_disablement()->mutable_time() = ToTimestamp(disablement->since_ms());
  }
  return definition;
}

DefinitionService::DefinitionService(Definitions* definitions)
    : definitions_(definitions),
      applies_({.threads = kApplies, .waiting_max = limits::kAppliesWaitingMax, .gives_way = true}),
      changes_({.threads = 1, .waiting_max = limits::kReadsWaitingMax}) {}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* DefinitionService::Handle(WorkerPool* pool, bool blocks, Context* context,
                                                    const Bytes* request, Bytes* response,
                                                    absl::Status (DefinitionService::*handle)(const Request&, Response*)
                                                        const) {
  auto* call = new UnaryCall(context, request, response, &budgets_);
  const auto work = [=, this] {
    Request message;
    Response answer;
    absl::Status status = call->Parse(&message);
    if constexpr (std::is_same_v<Request, v1::ApplyDefinitionRequest>) {
      if (!status.ok())
        status = InvalidArgumentError("INVALID_DEFINITION", {{"source", "cannot be read: is no UTF-8"}});
    }
    if (status.ok()) status = (this->*handle)(message, &answer);
    if (!status.ok()) return call->Fail(status);
    call->Answer(answer);
  };
  if (blocks) {
    call->WorkOn(pool, work);
  } else {
    call->Work(pool, work);
  }
  return call;
}

grpc::ServerUnaryReactor* DefinitionService::ApplyDefinition(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&applies_, /*blocks=*/true, context, request, response, &DefinitionService::Apply);
}

absl::Status DefinitionService::Apply(const v1::ApplyDefinitionRequest& request,
                                      v1::ApplyDefinitionResponse* response) const {
  if (absl::StripAsciiWhitespace(request.source()).empty()) {
    return InvalidArgumentError("INVALID_DEFINITION", {{"source", "is empty; send the definition as YAML or JSON"}});
  }
  if (request.source().size() > limits::kDefinitionBytesMax) {
    return InvalidArgumentError(
        "INVALID_DEFINITION",
        {{"source", absl::StrCat("has ", request.source().size(), " bytes; at most ", limits::kDefinitionBytesMax)}});
  }
  const auto result = definitions_->Apply(request.source(), request.dry_run());
  if (!result.ok()) return result.status();
  *response->mutable_definition() = ToDefinition(result->revision->record, /*with_source=*/true);
  response->set_unchanged(result->unchanged);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* DefinitionService::GetDefinition(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&changes_, /*blocks=*/false, context, request, response, &DefinitionService::Get);
}

absl::Status DefinitionService::Get(const v1::GetDefinitionRequest& request,
                                    v1::GetDefinitionResponse* response) const {
  if (absl::Status status = ValidateName(request.name(), "name"); !status.ok()) return status;
  if (request.revision() < 0) {
    return InvalidArgumentError("FIELD_INVALID", {{"revision", "must not be negative; 0 means the newest"}});
  }
  const auto revision = definitions_->Get(request.name(), request.revision());
  if (!revision.ok()) return NamedError(revision.status());
  *response->mutable_definition() = ToDefinition((*revision)->record, /*with_source=*/true);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* DefinitionService::ListDefinitions(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&changes_, /*blocks=*/false, context, request, response, &DefinitionService::List);
}

absl::Status DefinitionService::List(const v1::ListDefinitionsRequest& request,
                                     v1::ListDefinitionsResponse* response) const {
  const auto page_size = PageSize(request.page_size(), kListPageDefault);
  if (!page_size.ok()) return page_size.status();
  const auto after = DecodePageToken(kListQuery, request.page_token());  // the last name of the page before
  if (!after.ok()) return after.status();
  for (const auto& revision : definitions_->List()) {
    if (revision->record.name() <= *after) continue;
    if (response->definitions_size() == *page_size) {
      response->set_next_page_token(EncodePageToken(kListQuery, response->definitions(*page_size - 1).name()));
      break;
    }
    *response->add_definitions() = ToDefinition(revision->record, /*with_source=*/false);
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* DefinitionService::DisableDefinition(Context* context, const Bytes* request,
                                                               Bytes* response) {
  return Handle(&changes_, /*blocks=*/true, context, request, response, &DefinitionService::Disable);
}

absl::Status DefinitionService::Disable(const v1::DisableDefinitionRequest& request,
                                        v1::DisableDefinitionResponse* response) const {
  if (absl::Status status = ValidateName(request.name(), "name"); !status.ok()) return status;
  std::vector<FieldViolation> violations;
  if (request.reason().empty())
    violations.push_back({"reason", "is empty; say why, for those whose starts are refused"});
  if (request.reason().size() > limits::kStatusMessageBytesMax / 2) {
    violations.push_back({"reason", absl::StrCat("has ", request.reason().size(), " bytes; at most ",
                                                 limits::kStatusMessageBytesMax / 2)});
  }
  if (request.by().size() > limits::kLabelBytesMax) {
    violations.push_back({"by", absl::StrCat("has ", request.by().size(), " bytes; at most ", limits::kLabelBytesMax)});
  }
  if (!violations.empty()) return InvalidArgumentError("FIELD_INVALID", violations);
  if (absl::Status status = definitions_->Disable(request.name(), request.reason(), request.by()); !status.ok()) {
    return NamedError(status);
  }
  return Newest(request.name(), response->mutable_definition());
}

grpc::ServerUnaryReactor* DefinitionService::EnableDefinition(Context* context, const Bytes* request, Bytes* response) {
  return Handle(&changes_, /*blocks=*/true, context, request, response, &DefinitionService::Enable);
}

absl::Status DefinitionService::Enable(const v1::EnableDefinitionRequest& request,
                                       v1::EnableDefinitionResponse* response) const {
  if (absl::Status status = ValidateName(request.name(), "name"); !status.ok()) return status;
  if (absl::Status status = definitions_->Enable(request.name()); !status.ok()) return NamedError(status);
  return Newest(request.name(), response->mutable_definition());
}

absl::Status DefinitionService::Newest(const std::string& name, v1::Definition* definition) const {
  const auto revision = definitions_->Get(name, 0);
  if (!revision.ok()) return NamedError(revision.status());
  *definition = ToDefinition((*revision)->record, /*with_source=*/false);
  return absl::OkStatus();
}

}  // namespace tutti::api
