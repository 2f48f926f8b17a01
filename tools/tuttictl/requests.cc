#include "tools/tuttictl/requests.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "google/protobuf/util/time_util.h"
#include "tools/tuttictl/input.h"

namespace tutti::ctl {

using Stub = v1::SagaService::Stub;

absl::Status SendStart(Session* session, v1::StartSagaResponse* response) {
  const Options& options = session->options();
  std::string text = options.input;
  if (!options.input_file.empty()) {
    auto file = ReadFileOrStdin(options.input_file);
    if (!file.ok()) return file.status();
    text = *std::move(file);
  }
  auto input = ParseInput(text);
  if (!input.ok()) return input.status();
  v1::StartSagaRequest request;
  *request.mutable_input() = *std::move(input);
  request.set_saga_id(options.saga_id);
  request.set_definition(options.definition);
  request.set_revision(options.revision);
  absl::Status status = session->Call(session->sagas(), &Stub::StartSaga, request, response);
  if (response->already_started()) session->err() << "an earlier, identical start made this saga\n";
  return status;
}

void WarnOfUnreadable(Session* session, const v1::ListSagasResponse& page) {
  for (const v1::UnreadableSaga& saga : page.unreadable()) {
    session->err() << "warning: saga " << saga.saga_id() << " is left out: " << saga.error()
                   << "; see tuttictl saga get --raw " << saga.saga_id() << "\n";
  }
}

absl::Status ReadSagas(Session* session, const std::string& filter, v1::ListSagasResponse* all, bool* more) {
  const int limit = session->options().limit;
  v1::ListSagasRequest request;
  request.set_filter(filter);
  do {
    request.set_page_size(std::min(limit - all->sagas_size(), limits::kPageSizeMax));
    v1::ListSagasResponse page;
    if (absl::Status status = session->Call(session->sagas(), &Stub::ListSagas, request, &page); !status.ok()) {
      return status;
    }
    request.set_page_token(page.next_page_token());
    WarnOfUnreadable(session, page);
    all->mutable_sagas()->MergeFrom(page.sagas());
    all->mutable_unreadable()->MergeFrom(page.unreadable());
  } while (!request.page_token().empty() && all->sagas_size() < limit);
  *more = !request.page_token().empty();
  return absl::OkStatus();
}

absl::Status PrepareTimeline(Session* session, Timeline* timeline) {
  if (session->options().format != Format::kTable || session->options().from_sequence <= 1) return absl::OkStatus();
  v1::Saga saga;
  if (absl::Status status = session->ReadSaga(&saga); !status.ok()) return status;
  timeline->SetStart(google::protobuf::util::TimeUtil::TimestampToMilliseconds(saga.start_time()));
  return absl::OkStatus();
}

}  // namespace tutti::ctl
