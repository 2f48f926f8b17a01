#include "orchestrator/shard/shard_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/errors.h"
#include "common/limits.h"
#include "common/logging.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/record_check.h"
#include "orchestrator/store/unreadable.h"

namespace tutti::shard {
namespace {

constexpr int64_t kExpiringRetryMs = 100;
constexpr size_t kRecoveryBatchBytes = 4 << 20;

// An answer that must be given even by a shard that is over.
bool IsRequest(const Message& message) {
  return std::holds_alternative<StartMessage>(message) || std::holds_alternative<WordMessage>(message) ||
         std::holds_alternative<ExpireMessage>(message);
}

// Nothing that is sent can mend this, and no listing finds it: whoever gets the alert needs the saga's id.
void LogIfOutsideHelpIsNeeded(const storage::v1::SagaRecord& record, const v1::HistoryEvent& event) {
  if (event.type() != v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL) return;
  Log(LogLevel::kError, "an action succeeded after its saga was compensated; check the participant by hand",
      {{"saga_id", record.saga_id()},
       {"definition", record.definition()},
       {"step", event.step()},
       {"attempt", absl::StrCat(event.attempt())}});
}

}  // namespace

using storage::v1::SagaRecord;

ShardCore::ShardCore(const ShardContext& context, uint64_t seed, std::function<void(Message)> post,
                     std::function<void(const absl::Status&)> on_fatal)
    : context_(context), post_(std::move(post)), on_fatal_(std::move(on_fatal)), random_(seed) {}

absl::Status ShardCore::Recover(uint32_t first_slot, uint32_t end_slot, const std::function<void()>& breathe) {
  std::vector<std::string> saga_ids;
  const auto take_in = [&](SagaRecord record) {
    const std::string saga_id = record.saga_id();
    const absl::StatusOr<Resident*> resident = TakeIn(std::move(record));
    if (absl::IsFailedPrecondition(resident.status())) return resident.status();
    if (!resident.ok()) {
      StepOver(saga_id, resident.status());
      return absl::OkStatus();
    }
    context_.observer->OnRecovered((*resident)->record);
    saga_ids.push_back(saga_id);
    return absl::OkStatus();
  };
  const auto step_over = [&](const store::UnreadableRecord& record) {
    StepOver(record.saga_id, absl::DataLossError(record.error));
  };
  absl::Status status = context_.reader->ForEachActive(first_slot, end_slot, take_in, step_over);
  if (!status.ok()) return status;
  // Each write set holds a second copy of its records, and one more as bytes.
  std::vector<Message> messages;
  size_t bytes = 0;
  for (const std::string& saga_id : saga_ids) {
    messages.emplace_back(saga::Event{.saga_id = saga_id, .body = saga::Recovered{.hold = context_.hold}});
    if (const auto it = sagas_.find(saga_id); it != sagas_.end()) bytes += it->second->bytes;
    if (messages.size() < limits::kShardBatchMax && bytes < kRecoveryBatchBytes) continue;
    Process(std::exchange(messages, {}));
    bytes = 0;
    breathe();
  }
  if (!messages.empty()) Process(std::move(messages));
  return absl::OkStatus();
}

void ShardCore::Process(std::vector<Message> messages) {
  Batch batch;
  touched_index_.clear();
  for (Message& message : messages) {
    if (failed_ && !IsRequest(message)) continue;
    std::visit([&](auto& body) { Handle(std::move(body), &batch); }, message);
  }
  context_.observer->OnBatch(messages.size());
  if (failed_) {
    for (const auto& reply : batch.replies) reply(false);
    return;
  }
  CarryOutDrops(&batch);
  if (!batch.saga_ids.empty() || !batch.write_set.expired.empty()) return Commit(std::move(batch));
  if (batch.replies.empty()) return;
  // These tell of what an earlier write set holds, so they wait for it.
  if (in_flight_.empty()) return Release(std::move(batch));
  auto& waiting = in_flight_.back().replies;
  std::move(batch.replies.begin(), batch.replies.end(), std::back_inserter(waiting));
}

void ShardCore::Handle(saga::Event event, Batch* batch) {
  absl::StatusOr<Resident*> resident = Find(event.saga_id);
  const bool timer = std::holds_alternative<saga::TimerFired>(event.body);
  const bool gone = absl::IsUnavailable(resident.status()) || (resident.ok() && *resident == nullptr);
  if (timer && gone) return;
  if (!resident.ok() || *resident == nullptr) {
    const std::string why = resident.ok() ? "no such saga" : std::string(resident.status().message());
    Log(LogLevel::kError, "an event was dropped",
        {{"saga_id", event.saga_id}, {"event", saga::Describe(event)}, {"reason", why}});
    return;
  }
  const std::string saga_id = event.saga_id;
  // A timer or a reply may outlive its saga's retention when the clock is set ahead; what has the id now is not meant.
  if (!event.saga_uid.empty() && event.saga_uid != (*resident)->record.uid()) return EvictIfDone(saga_id);
  const int64_t now_ms = event.now_ms != 0 ? event.now_ms : context_.clock->WallMs();
  Step(saga_id, *resident, std::move(event.body), now_ms, batch).IgnoreError();
  EvictIfDone(saga_id);
}

void ShardCore::Handle(StartMessage message, Batch* batch) {
  StartRequest& request = message.request;
  StartDone done = std::move(message.done);
  if (failed_) {
    batch->replies.push_back(
        [done](bool) { done(absl::UnavailableError("the orchestrator is restarting; try again")); });
    return;
  }
  absl::StatusOr<Resident*> found = Find(request.saga_id);
  if (!found.ok()) return done(found.status());
  const bool already_started = *found != nullptr;
  Resident* resident = already_started ? *found : nullptr;
  if (!already_started) {
    if (!request.validation.ok()) return done(request.validation);
    std::shared_ptr<const saga::Recipe> recipe = context_.recipes->Find(request.definition, request.revision);
    if (recipe == nullptr) return done(absl::InternalError("the definition's revision has vanished"));
    resident = sagas_.emplace(request.saga_id, std::make_unique<Resident>()).first->second.get();
    resident->recipe = std::move(recipe);
    saga::StartRequested start{.uid = MintUid(),
                               .fingerprint = request.fingerprint,
                               .asked_revision = request.asked_revision,
                               .input = std::move(request.input),
                               .labels = std::move(request.labels),
                               .traceparent = std::move(request.traceparent),
                               .tracestate = std::move(request.tracestate)};
    Step(request.saga_id, resident, std::move(start), context_.clock->WallMs(), batch).IgnoreError();
  }
  StartResult result{.record = resident->record,
                     .already_started = already_started,
                     .differs = resident->record.start_fingerprint() != request.fingerprint};
  // Even that it differs tells of the first start, which may not be durable yet.
  batch->replies.push_back([done, result = std::move(result)](bool durable) mutable {
    if (!durable) return done(absl::UnavailableError("the outcome of the start is not known; repeat it as it was"));
    done(std::move(result));
  });
  EvictIfDone(request.saga_id);
}

void ShardCore::Handle(WordMessage message, Batch* batch) {
  SagaDone done = std::move(message.done);
  if (failed_) {
    batch->replies.push_back(
        [done](bool) { done(absl::UnavailableError("the orchestrator is restarting; try again")); });
    return;
  }
  absl::StatusOr<Resident*> found = Find(message.saga_id);
  if (!found.ok()) return done(found.status());
  if (*found == nullptr) {
    context_.observer->OnWord(message.word, false);
    return done(
        WithReason(absl::NotFoundError(absl::StrCat("saga_id: there is no saga ", message.saga_id)), "SAGA_NOT_FOUND"));
  }
  auto body = std::visit([](const auto& word) -> decltype(saga::Event::body) { return word; }, message.word);
  const absl::Status answer = Step(message.saga_id, *found, std::move(body), context_.clock->WallMs(), batch);
  batch->replies.push_back([done, answer, observer = context_.observer, word = std::move(message.word),
                            record = (*found)->record](bool durable) mutable {
    if (!durable) return done(absl::UnavailableError("what became of the request is not known; repeat it"));
    observer->OnWord(word, answer.ok());
    if (!answer.ok()) return done(answer);
    done(std::move(record));
  });
  EvictIfDone(message.saga_id);
}

void ShardCore::Handle(ExpireMessage message, Batch* batch) {
  ExpireDone done = std::move(message.done);
  if (failed_) {
    batch->replies.push_back(
        [done](bool) { done(absl::UnavailableError("the orchestrator is restarting; try again")); });
    return;
  }
  // What is resident is active or has a write on its way. All else is in the store as it is.
  if (sagas_.contains(message.saga_id) || expiring_.contains(message.saga_id)) return done(false);
  const absl::StatusOr<Resident*> found = Find(message.saga_id);
  if (!found.ok()) return done(found.status());
  if (*found == nullptr) return done(false);
  SagaRecord record = std::move((*found)->record);
  Evict(message.saga_id);
  if (saga::IsActive(record) || record.finished_ms() > message.ended_by_ms) return done(false);
  expiring_.insert(message.saga_id);
  batch->write_set.expired.push_back(std::move(record));
  batch->replies.push_back([done](bool durable) {
    if (!durable) return done(absl::UnavailableError("what became of the expiry is not known"));
    done(true);
  });
}

void ShardCore::Handle(CommitFinished finished, Batch*) {
  TUTTI_CHECK(!in_flight_.empty(), "a commit finishes once");
  if (finished.result == store::CommitResult::kDurable) {
    Batch batch = std::move(in_flight_.front());
    in_flight_.pop_front();
    return Release(std::move(batch));
  }
  failed_ = true;
  for (const Batch& batch : in_flight_) {
    for (const auto& reply : batch.replies) reply(false);
  }
  in_flight_.clear();
  sagas_.clear();
  resident_bytes_ = 0;
  expiring_.clear();
  on_fatal_(finished.detail);
}

absl::StatusOr<ShardCore::Resident*> ShardCore::Find(const std::string& saga_id) {
  if (const auto it = sagas_.find(saga_id); it != sagas_.end()) return it->second.get();
  if (expiring_.contains(saga_id)) {
    return WithReason(WithRetryDelay(absl::UnavailableError(absl::StrCat("saga_id: saga ", saga_id,
                                                                         " is just being forgotten; try again")),
                                     kExpiringRetryMs),
                      "SAGA_EXPIRING");
  }
  if (const auto it = unreadable_.find(saga_id); it != unreadable_.end()) return it->second;
  absl::StatusOr<SagaRecord> record = context_.reader->GetSaga(saga_id);
  if (absl::IsNotFound(record.status())) return nullptr;
  absl::StatusOr<Resident*> resident = record.ok() ? TakeIn(*std::move(record)) : record.status();
  if (store::IsUnreadable(resident.status())) context_.observer->OnUnreadable(saga_id, resident.status());
  return resident;
}

absl::StatusOr<ShardCore::Resident*> ShardCore::TakeIn(SagaRecord record) {
  auto resident = std::make_unique<Resident>();
  resident->recipe = context_.recipes->Find(record.definition(), record.revision());
  if (resident->recipe == nullptr && record.revision() < 1) {
    return store::UnreadableError(record.saga_id(), absl::StrCat("it is pinned to revision ", record.revision()));
  }
  if (resident->recipe == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "saga ", record.saga_id(), " is pinned to revision ", record.revision(), " of definition ", record.definition(),
        ", which the store does not have: files of two times were put together; restore a backup as a whole"));
  }
  if (absl::Status fits = saga::CheckRecord(*resident->recipe, record); !fits.ok()) {
    return store::UnreadableError(record.saga_id(), fits.message());
  }
  resident->stored = {.state = record.state(), .parked = saga::IsParked(record)};
  std::string saga_id = record.saga_id();
  resident->record = std::move(record);
  CountBytes(resident.get());
  return sagas_.emplace(std::move(saga_id), std::move(resident)).first->second.get();
}

void ShardCore::StepOver(const std::string& saga_id, absl::Status why) {
  context_.observer->OnUnreadable(saga_id, why);
  unreadable_.insert_or_assign(saga_id, std::move(why));
}

absl::Status ShardCore::Step(const std::string& saga_id, Resident* resident, decltype(saga::Event::body) body,
                             int64_t now_ms, Batch* batch) {
  const saga::Event event{.saga_id = saga_id, .now_ms = now_ms, .random = random_(), .body = std::move(body)};
  saga::Decision decision = context_.machine->Step(*resident->recipe, event, &resident->record);
  if (!decision.record_changed) {
    TUTTI_CHECK(decision.effects.empty() && decision.history.empty(), "nothing follows from what changed nothing");
    return decision.answer.ok() ? decision.answer : WithReason(decision.answer, decision.reason);
  }
  std::vector<v1::HistoryEvent>& history = Touch(saga_id, batch)->history;
  std::move(decision.history.begin(), decision.history.end(), std::back_inserter(history));
  std::move(decision.effects.begin(), decision.effects.end(), std::back_inserter(batch->effects));
  return absl::OkStatus();
}

store::SagaWrite* ShardCore::Touch(const std::string& saga_id, Batch* batch) {
  std::vector<store::SagaWrite>& writes = batch->write_set.sagas;
  const auto [it, added] = touched_index_.emplace(saga_id, writes.size());
  if (added) {
    writes.emplace_back();
    batch->saga_ids.push_back(saga_id);
    ++sagas_.at(saga_id)->writes_in_flight;  // pins it in memory
  }
  return &writes[it->second];
}

void ShardCore::CarryOutDrops(Batch* batch) {
  // A copy: withdrawing takes effects out of the batch.
  std::vector<saga::DropCommand> drops;
  for (const saga::Effect& effect : batch->effects) {
    if (const auto* drop = std::get_if<saga::DropCommand>(&effect)) drops.push_back(*drop);
  }
  for (const saga::DropCommand& drop : drops) {
    bool withdrawn = Withdraw(drop, batch);
    for (Batch& earlier : in_flight_) withdrawn = withdrawn || Withdraw(drop, &earlier);
    if (!withdrawn) {
      context_.sender->Drop(drop);
      continue;
    }
    post_(saga::Event{.saga_id = drop.saga_id,
                      .saga_uid = drop.saga_uid,
                      .body = saga::NotSent{.attempt = drop.attempt, .message = "dropped before it was sent"}});
  }
}

bool ShardCore::Withdraw(const saga::DropCommand& drop, Batch* batch) {
  const auto send = std::find_if(batch->effects.begin(), batch->effects.end(), [&](const saga::Effect& effect) {
    const auto* command = std::get_if<saga::SendCommand>(&effect);
    return command != nullptr && command->saga_id == drop.saga_id && command->attempt == drop.attempt;
  });
  if (send == batch->effects.end()) return false;
  batch->effects.erase(send);
  return true;
}

void ShardCore::Commit(Batch batch) {
  for (size_t i = 0; i < batch.saga_ids.size(); ++i) {
    Resident* resident = sagas_.at(batch.saga_ids[i]).get();
    store::SagaWrite& write = batch.write_set.sagas[i];
    write.record = resident->record;
    CountBytes(resident);
    write.previous = resident->stored;
    resident->stored = {.state = write.record.state(), .parked = saga::IsParked(write.record)};
  }
  in_flight_.push_back(std::move(batch));
  context_.store->Commit(in_flight_.back().write_set,
                         [post = post_](store::CommitResult result, const absl::Status& detail) {
                           post(CommitFinished{.result = result, .detail = detail});
                         });
}

void ShardCore::Release(Batch batch) {
  for (saga::Effect& effect : batch.effects) {
    if (auto* send = std::get_if<saga::SendCommand>(&effect)) context_.sender->Send(std::move(*send));
    if (auto* timer = std::get_if<saga::SetTimer>(&effect)) context_.timers->Set(std::move(*timer));
  }
  for (size_t i = 0; i < batch.saga_ids.size(); ++i) {
    const store::SagaWrite& write = batch.write_set.sagas[i];
    context_.observer->OnHistory(write.record, write.history);
    for (const v1::HistoryEvent& event : write.history) LogIfOutsideHelpIsNeeded(write.record, event);
    context_.publisher->Publish(write.record, write.history);
    --sagas_.at(batch.saga_ids[i])->writes_in_flight;
    EvictIfDone(batch.saga_ids[i]);
  }
  for (const SagaRecord& record : batch.write_set.expired) {
    expiring_.erase(record.saga_id());
    context_.observer->OnExpired(record);
  }
  for (const auto& reply : batch.replies) reply(true);
}

void ShardCore::EvictIfDone(const std::string& saga_id) {
  const auto it = sagas_.find(saga_id);
  if (it == sagas_.end()) return;
  if (it->second->writes_in_flight == 0 && !saga::IsActive(it->second->record)) Evict(saga_id);
}

void ShardCore::Evict(const std::string& saga_id) {
  const auto it = sagas_.find(saga_id);
  resident_bytes_ -= it->second->bytes;
  sagas_.erase(it);
}

void ShardCore::CountBytes(Resident* resident) {
  const size_t bytes = resident->record.ByteSizeLong();
  resident_bytes_ += bytes - resident->bytes;
  resident->bytes = bytes;
}

bool ShardCore::HasAwaitedAttempts() const {
  return std::any_of(sagas_.begin(), sagas_.end(), [](const auto& entry) {
    const auto& steps = entry.second->record.steps();
    return std::any_of(steps.begin(), steps.end(), [](const storage::v1::StepRecord& step) {
      return saga::HasAwaitedAttempt(step.action()) || saga::HasAwaitedAttempt(step.compensation());
    });
  });
}

std::string ShardCore::MintUid() {
  return absl::StrFormat("%016x%016x", random_(), random_());
}

}  // namespace tutti::shard
