#include <string>

#include "tools/tuttictl/commands.h"
#include "tools/tuttictl/render.h"
#include "tools/tuttictl/requests.h"
#include "tools/tuttictl/timeline.h"

namespace tutti::ctl {

using Stub = v1::SagaService::Stub;

int StartSaga(Session* session) {
  v1::StartSagaResponse response;
  if (absl::Status status = SendStart(session, &response); !status.ok()) return session->Fail(status);
  session->Print(response.saga(), RenderSaga(response.saga()));
  return kExitOk;
}

namespace {

int GetRawSaga(Session* session) {
  v1::GetSagaRequest request;
  request.set_saga_id(session->options().saga_id);
  request.set_raw(true);
  v1::GetSagaResponse response;
  if (absl::Status status = session->Call(session->sagas(), &Stub::GetSaga, request, &response); !status.ok()) {
    return session->Fail(status);
  }
  if (!response.raw().error().empty()) session->err() << "warning: " << response.raw().error() << "\n";
  session->Print(response, RenderRawRecord(response.raw()));
  return kExitOk;
}

}  // namespace

int GetSaga(Session* session) {
  if (session->options().raw) return GetRawSaga(session);
  v1::Saga saga;
  if (absl::Status status = session->ReadSaga(&saga); !status.ok()) return session->Fail(status);
  session->Print(saga, RenderSaga(saga));
  return kExitOk;
}

int ListSagas(Session* session) {
  v1::ListSagasResponse all;
  bool more = false;
  if (absl::Status status = ReadSagas(session, session->options().filter, &all, &more); !status.ok()) {
    return session->Fail(status);
  }
  if (more) session->err() << "there are more; raise --limit or narrow --filter\n";
  session->Print(all, RenderSagas({all.sagas().begin(), all.sagas().end()}));
  return kExitOk;
}

int GetHistory(Session* session) {
  Timeline timeline(session->terminal().color);
  if (absl::Status status = PrepareTimeline(session, &timeline); !status.ok()) return session->Fail(status);
  v1::GetSagaHistoryResponse all;
  v1::GetSagaHistoryRequest request;
  request.set_saga_id(session->options().saga_id);
  request.set_from_sequence(session->options().from_sequence);
  do {
    v1::GetSagaHistoryResponse page;
    if (absl::Status status = session->Call(session->sagas(), &Stub::GetSagaHistory, request, &page); !status.ok()) {
      return session->Fail(status);
    }
    request.set_page_token(page.next_page_token());
    all.mutable_events()->MergeFrom(page.events());
  } while (!request.page_token().empty());
  std::string lines;
  for (const auto& event : all.events()) lines += timeline.Line(event) + "\n";
  session->Print(all, lines);
  return kExitOk;
}

int CancelSaga(Session* session) {
  v1::CancelSagaRequest request;
  request.set_saga_id(session->options().saga_id);
  request.set_reason(session->options().reason);
  request.set_by(session->options().by);
  v1::CancelSagaResponse response;
  if (absl::Status status = session->Call(session->sagas(), &Stub::CancelSaga, request, &response); !status.ok()) {
    return session->Fail(status);
  }
  session->Print(response.saga(), RenderSaga(response.saga()));
  return kExitOk;
}

}  // namespace tutti::ctl
