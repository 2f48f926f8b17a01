#include "tests/sim/clients.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tutti::sim {
namespace {

constexpr int64_t kPatienceMs = 3'000;
constexpr int kCancelTries = 5;

}  // namespace

void Clients::Plan(const PlannedSaga& saga) {
  timeline_->At(saga.start_ms, [this, saga] { Start(saga, "as sent", 0); });
  if (saga.repeat_ms >= 0) timeline_->At(saga.repeat_ms, [this, saga] { Start(saga, "as sent", 1'000); });
  if (saga.rival_ms >= 0) timeline_->At(saga.rival_ms, [this, saga] { Start(saga, "other", 2'000); });
  if (saga.again_ms >= 0) timeline_->At(saga.again_ms, [this, saga] { Start(saga, "as sent", 3'000); });
  if (saga.cancel_ms >= 0) timeline_->At(saga.cancel_ms, [this, saga] { Cancel(saga, 0); });
}

int64_t Clients::Pause(const std::string& saga_id, int attempt) const {
  return luck_->Between("client", Hash(Hash(3, saga_id), static_cast<uint64_t>(attempt)), 10, 700);
}

void Clients::Start(const PlannedSaga& saga, const std::string& content, int attempt) {
  const auto again = [this, saga, content, attempt](int64_t pause_ms) {
    timeline_->After(pause_ms, [this, saga, content, attempt] { Start(saga, content, attempt + 1); });
  };
  OrchestratorProcess* server = server_();
  if (server == nullptr) return again(Pause(saga.id, attempt));
  // Answered by the shard, or given up by the client: whatever comes first decides whether it tries again.
  const auto open = std::make_shared<bool>(true);
  shard::StartRequest request{.saga_id = saga.id,
                              .fingerprint = content,
                              .definition = DefinitionName(saga.definition),
                              .revision = 1,
                              .input = Library::Get().InputOf(saga.definition, content)};
  server->Request(saga.id, shard::StartMessage{.request = std::move(request),
                                               .done = [=, this](const absl::StatusOr<shard::StartResult>& result) {
                                                 Answered(saga.id, content, result);
                                                 const bool final = result.ok() || absl::IsDataLoss(result.status());
                                                 if (std::exchange(*open, false) && !final)
                                                   again(Pause(saga.id, attempt));
                                               }});
  timeline_->After(kPatienceMs, [open, again] {
    if (std::exchange(*open, false)) again(0);
  });
}

void Clients::Answered(const std::string& saga_id, const std::string& content,
                       const absl::StatusOr<shard::StartResult>& result) {
  if (result.ok() && result->differs) return auditor_->OnStartRefused(saga_id, content);
  if (result.ok()) return auditor_->OnStartAcknowledged(result->record, content);
  const bool expected =
      absl::IsUnavailable(result.status()) || (absl::IsDataLoss(result.status()) && auditor_->IsDamaged(saga_id));
  if (!expected) {
    auditor_->Violated(absl::StrCat("a start of ", saga_id, " is answered ", result.status().ToString()));
  }
}

void Clients::Cancel(const PlannedSaga& saga, int attempt) {
  OrchestratorProcess* server = server_();
  if (attempt >= kCancelTries) return;
  const auto again = [this, saga, attempt] {
    timeline_->After(Pause(saga.id, 5'000 + attempt), [this, saga, attempt] { Cancel(saga, attempt + 1); });
  };
  if (server == nullptr) return again();
  const auto done = [=, this](const absl::StatusOr<storage::v1::SagaRecord>& record) {
    if (record.ok()) return auditor_->OnCancelAcknowledged(*record);
    if (!absl::IsFailedPrecondition(record.status())) again();
  };
  server->Request(saga.id,
                  shard::WordMessage{.saga_id = saga.id,
                                     .word = saga::CancelRequested{.reason = "changed my mind", .by = "client"},
                                     .done = done});
}

}  // namespace tutti::sim
