#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/input.h"
#include "tools/tuttictl/render.h"

namespace tutti::ctl {

using Stub = v1::DefinitionService::Stub;

int ApplyDefinition(Session* session) {
  auto source = ReadFileOrStdin(session->options().file);
  if (!source.ok()) return session->Fail(source.status());
  v1::ApplyDefinitionRequest request;
  request.set_source(*std::move(source));
  request.set_dry_run(session->options().dry_run);
  v1::ApplyDefinitionResponse response;
  if (absl::Status status = session->Call(session->definitions(), &Stub::ApplyDefinition, request, &response);
      !status.ok()) {
    return session->Fail(status);
  }
  const auto& definition = response.definition();
  const char* what = response.unchanged() ? "unchanged" : request.dry_run() ? "valid, not applied" : "applied";
  session->Print(response, absl::StrCat(definition.name(), " revision ", definition.revision(), " ", what, "\n"));
  if (definition.has_disablement()) session->err() << definition.name() << " is disabled and takes no new sagas\n";
  return kExitOk;
}

int GetDefinition(Session* session) {
  v1::GetDefinitionRequest request;
  request.set_name(session->options().definition);
  request.set_revision(session->options().revision);
  v1::GetDefinitionResponse response;
  if (absl::Status status = session->Call(session->definitions(), &Stub::GetDefinition, request, &response);
      !status.ok()) {
    return session->Fail(status);
  }
  const auto& definition = response.definition();
  // The source alone on standard output, so that it can be edited and applied again.
  if (session->options().format == Format::kTable) {
    session->err() << definition.name() << " revision " << definition.revision()
                   << (definition.has_disablement() ? ", disabled" : "") << "\n";
  }
  const std::string& source = definition.source();
  session->Print(definition, absl::StrCat(source, source.empty() || source.back() == '\n' ? "" : "\n"));
  return kExitOk;
}

int ListDefinitions(Session* session) {
  v1::ListDefinitionsResponse all;
  v1::ListDefinitionsRequest request;
  do {
    v1::ListDefinitionsResponse page;
    if (absl::Status status = session->Call(session->definitions(), &Stub::ListDefinitions, request, &page);
        !status.ok()) {
      return session->Fail(status);
    }
    request.set_page_token(page.next_page_token());
    all.mutable_definitions()->MergeFrom(page.definitions());
  } while (!request.page_token().empty());
  session->Print(all, RenderDefinitions({all.definitions().begin(), all.definitions().end()}));
  return kExitOk;
}

int DisableDefinition(Session* session) {
  v1::DisableDefinitionRequest request;
  request.set_name(session->options().definition);
  request.set_reason(session->options().reason);
  request.set_by(session->options().by);
  v1::DisableDefinitionResponse response;
  if (absl::Status status = session->Call(session->definitions(), &Stub::DisableDefinition, request, &response);
      !status.ok()) {
    return session->Fail(status);
  }
  session->Print(response.definition(), RenderDefinitions({response.definition()}));
  return kExitOk;
}

int EnableDefinition(Session* session) {
  v1::EnableDefinitionRequest request;
  request.set_name(session->options().definition);
  v1::EnableDefinitionResponse response;
  if (absl::Status status = session->Call(session->definitions(), &Stub::EnableDefinition, request, &response);
      !status.ok()) {
    return session->Fail(status);
  }
  session->Print(response.definition(), RenderDefinitions({response.definition()}));
  return kExitOk;
}

}  // namespace tutti::ctl
