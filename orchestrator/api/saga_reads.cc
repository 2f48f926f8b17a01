#include "orchestrator/api/saga_reads.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "orchestrator/api/answers.h"
#include "orchestrator/api/filter.h"
#include "orchestrator/api/page_token.h"
#include "orchestrator/api/saga_view.h"
#include "orchestrator/saga/record_check.h"
#include "orchestrator/store/unreadable.h"

namespace tutti::api {
namespace {

constexpr int kListPageDefault = 50;
constexpr int kHistoryPageDefault = 1000;

// As many sagas as are sure to fit beside `bytes`: the store's cursor stands at the end of what was read, so all of
// that must go into the page.
int SagasThatFit(size_t bytes) {
  return static_cast<int>((limits::kAnswerBytesMax - bytes) / limits::kSagaBytesMax);
}
static_assert(limits::kPageBytesMax + limits::kSagaBytesMax <= limits::kAnswerBytesMax);

// A record that its shard will not step must not look as if it went on.
absl::Status CheckFits(const catalog::Revision* revision, const storage::v1::SagaRecord& record) {
  if (revision == nullptr) return absl::OkStatus();  // the start is refused then, unless the saga is over
  const absl::Status fits = saga::CheckRecord(*revision->compiled->recipe(), record);
  return fits.ok() ? fits : store::UnreadableError(record.saga_id(), fits.message());
}

void AddPage(const store::ListPage& page, const SagaReads& reads, v1::ListSagasResponse* response, size_t* bytes) {
  const auto add_unreadable = [&](absl::string_view saga_id, absl::string_view error) {
    v1::UnreadableSaga* unreadable = response->add_unreadable();
    unreadable->set_saga_id(ToUtf8(saga_id));  // of an index entry, whatever lies there
    unreadable->set_error(TruncateUtf8(error, limits::kStatusMessageBytesMax));
    *bytes += unreadable->ByteSizeLong();
  };
  for (const storage::v1::SagaRecord& record : page.sagas) {
    const auto revision = reads.RevisionOf(record);
    if (const absl::Status fits = CheckFits(revision.get(), record); !fits.ok()) {
      add_unreadable(record.saga_id(), fits.message());
      continue;
    }
    v1::Saga* saga = response->add_sagas();
    *saga = ToSagaWithoutPayloads(record, revision.get());
    *bytes += saga->ByteSizeLong();
  }
  for (const store::UnreadableRecord& record : page.unreadable) add_unreadable(record.saga_id, record.error);
}

}  // namespace

absl::Status CheckFromSequence(int64_t from_sequence) {
  if (from_sequence >= 0) return absl::OkStatus();
  return InvalidArgumentError("FIELD_INVALID",
                              {{"from_sequence", "must not be negative; 0 and 1 mean from the beginning"}});
}

std::shared_ptr<const catalog::Revision> SagaReads::RevisionOf(const storage::v1::SagaRecord& record) const {
  auto revision = definitions_->Get(record.definition(), record.revision());
  return revision.ok() ? *std::move(revision) : nullptr;
}

absl::Status SagaReads::Get(const v1::GetSagaRequest& request, v1::GetSagaResponse* response) const {
  if (absl::Status status = ValidateSagaId(request.saga_id()); !status.ok()) return status;
  if (request.raw()) return GetRaw(request, response);
  const auto record = reader_->GetSaga(request.saga_id());
  if (!record.ok()) return SagaError(record.status(), request.saga_id());
  const auto revision = RevisionOf(*record);
  if (const absl::Status fits = CheckFits(revision.get(), *record); !fits.ok()) {
    return SagaError(fits, request.saga_id());
  }
  *response->mutable_saga() = ToSaga(*record, revision.get());
  OmitPayloadsBeyond(limits::kSagaWithPayloadsBytesMax, response->mutable_saga());
  return absl::OkStatus();
}

absl::Status SagaReads::GetRaw(const v1::GetSagaRequest& request, v1::GetSagaResponse* response) const {
  const auto bytes = reader_->GetRaw(request.saga_id());
  if (!bytes.ok()) return SagaError(bytes.status(), request.saga_id());
  response->mutable_raw()->set_record(bytes->substr(0, limits::kPageBytesMax));
  response->mutable_raw()->set_record_bytes(static_cast<int64_t>(bytes->size()));
  const auto record = reader_->GetSaga(request.saga_id());
  if (!record.ok()) {
    response->mutable_raw()->set_error(TruncateUtf8(record.status().message(), limits::kStatusMessageBytesMax));
    return absl::OkStatus();
  }
  const auto revision = RevisionOf(*record);
  if (const absl::Status fits = CheckFits(revision.get(), *record); !fits.ok()) {
    response->mutable_raw()->set_error(TruncateUtf8(fits.message(), limits::kStatusMessageBytesMax));
    return absl::OkStatus();
  }
  *response->mutable_saga() = ToSaga(*record, revision.get());
  OmitPayloadsBeyond(limits::kSagaWithPayloadsBytesMax - response->raw().record().size(), response->mutable_saga());
  return absl::OkStatus();
}

absl::Status SagaReads::List(const v1::ListSagasRequest& request, v1::ListSagasResponse* response) const {
  auto query = ParseFilter(request.filter());
  if (!query.ok()) return query.status();
  const auto page_size = PageSize(request.page_size(), kListPageDefault);
  if (!page_size.ok()) return page_size.status();
  const std::string bound_to = absl::StrCat("sagas|", request.filter());
  auto cursor = DecodePageToken(bound_to, request.page_token());
  if (!cursor.ok()) return cursor.status();
  query->cursor = *std::move(cursor);
  query->scan_budget = limits::kListScanMax;
  size_t bytes = 0;
  int left = *page_size;
  do {
    query->page_size = std::min(left, SagasThatFit(bytes));
    auto page = reader_->ListSagas(*query);
    if (!page.ok()) return absl::IsInvalidArgument(page.status()) ? PageTokenError() : page.status();
    AddPage(*page, *this, response, &bytes);
    left -= static_cast<int>(page->sagas.size() + page->unreadable.size());
    query->scan_budget -= page->scanned;
    query->cursor = std::move(page->next_cursor);
  } while (!query->cursor.empty() && left > 0 && query->scan_budget > 0 && bytes < limits::kPageBytesMax);
  response->set_next_page_token(EncodePageToken(bound_to, query->cursor));
  return absl::OkStatus();
}

absl::Status SagaReads::History(const v1::GetSagaHistoryRequest& request, v1::GetSagaHistoryResponse* response) const {
  if (absl::Status status = ValidateSagaId(request.saga_id()); !status.ok()) return status;
  if (absl::Status status = CheckFromSequence(request.from_sequence()); !status.ok()) return status;
  const auto page_size = PageSize(request.page_size(), kHistoryPageDefault);
  if (!page_size.ok()) return page_size.status();
  const std::string bound_to = absl::StrCat("history|", request.saga_id(), "|", request.from_sequence());
  const auto cursor = DecodePageToken(bound_to, request.page_token());
  if (!cursor.ok()) return cursor.status();
  int64_t from = request.from_sequence();
  if (!cursor->empty() && !absl::SimpleAtoi(*cursor, &from)) return PageTokenError();

  const auto record = reader_->GetSaga(request.saga_id());
  if (!record.ok()) return SagaError(record.status(), request.saga_id());
  auto events = reader_->GetHistory(request.saga_id(), from, *page_size);
  if (!events.ok()) return events.status();
  if (events->empty() && from <= record->last_sequence()) {
    // It expired between the two readings.
    return SagaError(absl::NotFoundError("expired"), request.saga_id());
  }
  size_t bytes = 0;
  int64_t last = record->last_sequence();
  for (v1::HistoryEvent& event : *events) {
    if (bytes >= limits::kPageBytesMax) break;
    bytes += event.ByteSizeLong();
    last = event.sequence();
    *response->add_events() = std::move(event);
  }
  if (last < record->last_sequence()) response->set_next_page_token(EncodePageToken(bound_to, absl::StrCat(last + 1)));
  return absl::OkStatus();
}

}  // namespace tutti::api
