#include "tests/sim/operators.h"

#include <utility>

#include "orchestrator/saga/record_query.h"
#include "tutti_test/shop.pb.h"

namespace tutti::sim {
namespace {

bool NothingIsOpen(const storage::v1::StepRecord& step) {
  return step.action().open_size() == 0 && step.compensation().open_size() == 0;
}

// A retry would park it again at once.
bool Expired(const storage::v1::StepRecord& step) {
  return step.parking().cause() == v1::PARKING_CAUSE_HORIZON;
}

}  // namespace

void Operators::Look(OrchestratorProcess* server) {
  ++looks_;
  if (server == nullptr) return;
  for (const auto& [id, saga] : auditor_->sagas()) {
    if (!saga::IsParked(saga.durable) || saga.damaged) continue;
    const int64_t mood = luck_->Between("mood", Hash(Hash(9, id), looks_), 0, 9);
    if (mood < 5) Retry(server, saga, /*stale=*/mood == 0);
    for (int step = 0; step < saga.durable.steps_size() && mood >= 5; ++step) {
      Resolve(server, saga, step, /*quiet=*/false);
    }
  }
}

bool Operators::Tidy(OrchestratorProcess* server) {
  bool spoke = false;
  for (const auto& [id, saga] : auditor_->sagas()) {
    if (!saga::IsParked(saga.durable) || saga.damaged) continue;
    bool retriable = false;
    for (int step = 0; step < saga.durable.steps_size(); ++step) {
      if (!saga.durable.steps(step).has_parking()) continue;
      if (!Expired(saga.durable.steps(step))) {
        retriable = true;
      } else if (Resolve(server, saga, step, /*quiet=*/true)) {
        spoke = true;
      }
    }
    if (!retriable) continue;
    Retry(server, saga, /*stale=*/false);
    spoke = true;
  }
  return spoke;
}

void Operators::Retry(OrchestratorProcess* server, const Auditor::Saga& saga, bool stale) {
  saga::RetryRequested retry{.reason = "the service is back", .by = "operator"};
  for (const storage::v1::StepRecord& step : saga.durable.steps()) {
    if (!step.has_parking() || Expired(step)) continue;
    retry.parkings.push_back({step.name(), step.parking().history_sequence() - (stale ? 1 : 0)});
  }
  if (!retry.parkings.empty()) Say(server, saga.id, std::move(retry), stale);
}

// Only what the operator can know for good: nothing of this step may still be under way. A barrier participant's
// messages take as long as they like, so of these only an effect that is there is certain, until all is quiet.
bool Operators::Resolve(OrchestratorProcess* server, const Auditor::Saga& saga, int step, bool quiet) {
  const storage::v1::StepRecord& record = saga.durable.steps(step);
  if (!record.has_parking() || !NothingIsOpen(record)) return false;
  const bool present = saga.effects[step].present;
  const bool running = saga.durable.state() == v1::SAGA_STATE_RUNNING;
  const bool barrier = Library::Get().TraitsOf(saga.recipe->steps[step].participant).barrier;
  // DONE is for sagas that run, UNDONE for those before their commit point.
  if (present ? !running : saga.durable.committed_ms() != 0) return false;
  if (barrier && !quiet && !(present && running)) return false;
  saga::ResolveRequested resolve{.parking = {record.name(), record.parking().history_sequence()},
                                 .resolution = present ? v1::RESOLUTION_DONE : v1::RESOLUTION_UNDONE,
                                 .reason = "looked at the database",
                                 .by = "operator"};
  if (present) {
    shop::v1::PayReply reply;
    reply.set_payment_id(saga.id + "/" + record.name());
    resolve.reply = reply.SerializeAsString();
  }
  Say(server, saga.id, std::move(resolve), false);
  return true;
}

void Operators::Say(OrchestratorProcess* server, const std::string& saga_id, shard::SagaWord word, bool stale) {
  ++words_;
  server->Request(saga_id,
                  shard::WordMessage{
                      .saga_id = saga_id, .word = std::move(word), .done = [this, saga_id, stale](const auto& record) {
                        if (!record.ok()) return;
                        if (stale) auditor_->OnStaleWordAccepted(saga_id);
                        auditor_->OnTold(*record);
                      }});
}

}  // namespace tutti::sim
