#include "tests/sim/auditor.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/record_query.h"
#include "tests/sim/luck.h"

namespace tutti::sim {
namespace {

using storage::v1::SagaRecord;

int StepIndex(const saga::Recipe& recipe, absl::string_view name) {
  for (size_t i = 0; i < recipe.steps.size(); ++i) {
    if (recipe.steps[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

bool EffectFree(const saga::StepRecipe& step) {
  return step.kind == v1::STEP_KIND_COMPENSATABLE && !step.compensation.has_value();
}

bool Aborted(const SagaRecord& record) {
  return record.state() == v1::SAGA_STATE_COMPENSATING || record.state() == v1::SAGA_STATE_COMPENSATED;
}

int Attempts(const SagaRecord& record, int step, v1::Operation operation) {
  const storage::v1::StepRecord& of = record.steps(step);
  return operation == v1::OPERATION_COMPENSATION ? of.compensation().attempts() : of.action().attempts();
}

// What participants that keep their contract never cause.
bool IsAlarm(const v1::HistoryEvent& event) {
  return event.type() == v1::EVENT_TYPE_EFFECT_AFTER_TERMINAL ||
         event.parking_cause() == v1::PARKING_CAUSE_UNMARKED_SUCCESS ||
         event.parking_cause() == v1::PARKING_CAUSE_EMPTY_AFTER_SUCCESS ||
         event.parking_cause() == v1::PARKING_CAUSE_LATE_SUCCESS ||
         event.parking_cause() == v1::PARKING_CAUSE_MAPPING || event.type() == v1::EVENT_TYPE_OUTPUT_FAILED;
}

std::string Of(const Auditor::Saga& saga, int step) {
  return absl::StrCat(saga.id, " step ", saga.recipe->steps[step].name, " at ", saga.recipe->steps[step].participant);
}

}  // namespace

void Auditor::Violated(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

const Auditor::Saga* Auditor::Find(const std::string& saga_id) const {
  const auto found = sagas_.find(saga_id);
  return found == sagas_.end() ? nullptr : &found->second;
}

Auditor::Saga* Auditor::ByUid(const std::string& uid, const std::string& step, int* index) {
  if (const auto expired = expired_.find(uid); expired != expired_.end()) {
    *index = StepIndex(*expired->second.recipe, step);
    return &expired->second;
  }
  const auto id = id_by_uid_.find(uid);
  if (id == id_by_uid_.end()) return nullptr;
  Saga* saga = &sagas_[id->second];
  *index = StepIndex(*saga->recipe, step);
  return saga;
}

void Auditor::OnDurable(const store::WriteSet& write_set) {
  for (const store::SagaWrite& write : write_set.sagas) {
    const SagaRecord& record = write.record;
    Saga* saga = &sagas_[record.saga_id()];
    if (saga->uid.empty()) {
      saga->id = record.saga_id();
      saga->uid = record.uid();
      saga->recipe = Library::Get().Find(record.definition(), record.revision()).get();
      saga->effects.resize(saga->recipe->steps.size());
      saga->undo_sent.resize(saga->recipe->steps.size());
      id_by_uid_[saga->uid] = saga->id;
    }
    if (saga->damaged) Violated(absl::StrCat("the damaged record of ", saga->id, " is written over"));
    if (saga->uid != record.uid()) Violated(absl::StrCat("I7: ", saga->id, " was started twice"));
    CheckHistory(saga, write);
    CheckTransition(*saga, record);
    saga->durable = record;
    digest_ = Hash(Hash(digest_, record.saga_id()), static_cast<uint64_t>(record.last_sequence()));
    CheckSteps(*saga);
  }
  for (const SagaRecord& record : write_set.expired) Forget(record);
}

// Within its retention an id is one saga; only what is over for good may be forgotten.
void Auditor::Forget(const SagaRecord& record) {
  const auto found = sagas_.find(record.saga_id());
  if (found == sagas_.end() || found->second.uid != record.uid() ||
      found->second.durable.last_sequence() != record.last_sequence()) {
    return Violated(absl::StrCat("I7: what expires as ", record.saga_id(), " is not what is durable"));
  }
  if (found->second.damaged) Violated(absl::StrCat("the damaged record of ", record.saga_id(), " is forgotten"));
  if (saga::IsActive(record)) Violated(absl::StrCat("I7: ", record.saga_id(), " is forgotten while it is active"));
  if (record.finished_ms() > forgettable_until_ms_) {
    Violated(absl::StrCat("I7: ", record.saga_id(), " is forgotten before its retention is over"));
  }
  digest_ = Hash(Hash(digest_, "expired"), record.uid());
  expired_.emplace(record.uid(), std::move(found->second));
  sagas_.erase(found);
}

Auditor::Saga* Auditor::SagaOf(const SagaRecord& record) {
  const auto expired = expired_.find(record.uid());
  return expired != expired_.end() ? &expired->second : &sagas_[record.saga_id()];
}

void Auditor::CheckHistory(Saga* saga, const store::SagaWrite& write) {
  int64_t sequence = saga->durable.last_sequence();
  for (const v1::HistoryEvent& event : write.history) {
    if (event.sequence() != ++sequence) {
      return Violated(
          absl::StrCat("history of ", saga->id, ": ", event.sequence(), " stands where ", sequence, " belongs"));
    }
    const int64_t time_ms = event.time().seconds() * 1000 + event.time().nanos() / 1'000'000;
    if (time_ms < saga->last_event_ms || event.duration_ms() < 0) {
      return Violated(absl::StrCat("history of ", saga->id, " runs backwards at ", event.sequence()));
    }
    saga->last_event_ms = time_ms;
    digest_ = Hash(digest_, static_cast<uint64_t>(event.type()));
    if (IsAlarm(event)) Violated(absl::StrCat("false alarm for ", saga->id, ": ", saga::Describe(event)));
  }
  if (write.record.last_sequence() != sequence) {
    Violated(absl::StrCat("history of ", saga->id, " ends at ", sequence, ", its record says ",
                          write.record.last_sequence()));
  }
}

void Auditor::CheckTransition(const Saga& saga, const SagaRecord& next) {
  const SagaRecord& last = saga.durable;
  if (saga::IsTerminal(last.state()) && next.state() != last.state()) {
    Violated(absl::StrCat("I4: ", saga.id, " left ", saga::ShortName(last.state())));
  }
  if (last.state() == v1::SAGA_STATE_COMPENSATING && !Aborted(next)) {
    Violated(absl::StrCat("I4: ", saga.id, " went forward after its abort"));
  }
  if ((last.committed_ms() != 0 && next.committed_ms() == 0) || (next.committed_ms() != 0 && Aborted(next))) {
    Violated(absl::StrCat("I4: ", saga.id, " turned round after its commit point"));
  }
}

// What the record now says about its steps must be true of the participants' databases.
void Auditor::CheckSteps(const Saga& saga) {
  const SagaRecord& record = saga.durable;
  for (int step = 0; step < record.steps_size(); ++step) {
    const saga::StepRecipe& recipe = saga.recipe->steps[step];
    const Effect& effect = saga.effects[step];
    const v1::StepState state = record.steps(step).state();
    if (EffectFree(recipe)) continue;
    if (state == v1::STEP_STATE_SUCCEEDED && !Aborted(record) && (!effect.present || effect.applied != 1)) {
      Violated(
          absl::StrCat("I1: ", Of(saga, step), " is SUCCEEDED, its effect was applied ", effect.applied, " times"));
    }
    if (state == v1::STEP_STATE_COMPENSATED && effect.present) {
      Violated(absl::StrCat("I1: ", Of(saga, step), " is COMPENSATED, its effect is still there"));
    }
    if (state == v1::STEP_STATE_SKIPPED && effect.applied > 0) {
      Violated(absl::StrCat("I1: ", Of(saga, step), " is SKIPPED but had an effect"));
    }
    if (record.state() == v1::SAGA_STATE_COMPENSATED && effect.present) {
      Violated(absl::StrCat("I1: ", saga.id, " is COMPENSATED, the effect of ", recipe.name, " remains"));
    }
    if (record.state() == v1::SAGA_STATE_SUCCEEDED && effect.undone > 0) {
      Violated(absl::StrCat("I1: ", saga.id, " is SUCCEEDED, the effect of ", recipe.name, " was undone"));
    }
  }
}

void Auditor::OnSend(const saga::SendCommand& command) {
  if (expired_.contains(command.saga_uid)) Violated(absl::StrCat("I7: ", command.saga_id, " sends after it expired"));
  const Saga* saga = Find(command.saga_id);
  if (saga != nullptr && saga->damaged) Violated(absl::StrCat(saga->id, " sends, and its record is damaged"));
  const int step = saga == nullptr ? -1 : StepIndex(*saga->recipe, command.attempt.step);
  if (saga == nullptr || Attempts(saga->durable, step, command.attempt.operation) < command.attempt.number) {
    Violated(absl::StrCat("I5: ", command.saga_id, " sends ", saga::Describe(command.attempt),
                          " before its intent is durable"));
  }
}

void Auditor::OnHandOver(const saga::SendCommand& command) {
  int step = -1;
  Saga* saga = ByUid(command.saga_uid, command.attempt.step, &step);
  if (saga == nullptr) return;
  digest_ = Hash(Hash(digest_, command.key), static_cast<uint64_t>(command.attempt.number));
  const auto [request, fresh] = saga->requests.emplace(command.key, command.request);
  if (!fresh && request->second != command.request) {
    Violated(absl::StrCat(Of(*saga, step), ": the same key with other request bytes"));
  }
  if (command.attempt.operation == v1::OPERATION_COMPENSATION) {
    CheckUndoOrder(*saga, step);
    saga->undo_sent[step] = true;
    return;
  }
  if (Aborted(saga->durable)) {
    Violated(absl::StrCat("I3: ", Of(*saga, step), ": ", saga::Describe(command.attempt),
                          " is handed over after the abort"));
  }
  CheckForwardOrder(*saga, step);
}

void Auditor::CheckUndoOrder(const Saga& saga, int step) {
  if (!Aborted(saga.durable)) Violated(absl::StrCat("I5: ", Of(saga, step), " is undone before the abort is durable"));
  for (const int later : saga.recipe->steps[step].transitive_dependents) {
    if (saga.recipe->steps[later].compensation.has_value() && saga.effects[later].present) {
      Violated(absl::StrCat("I2: ", Of(saga, step), " is undone while the effect of ", saga.recipe->steps[later].name,
                            " stands"));
    }
  }
}

void Auditor::CheckForwardOrder(const Saga& saga, int step) {
  for (const int before : saga.recipe->steps[step].dependencies) {
    if (EffectFree(saga.recipe->steps[before]) || saga.effects[before].present) continue;
    Violated(absl::StrCat(Of(saga, step), " starts without the effect of ", saga.recipe->steps[before].name));
  }
  if (saga.recipe->steps[step].kind == v1::STEP_KIND_RETRIABLE && saga.durable.committed_ms() == 0) {
    Violated(absl::StrCat(Of(saga, step), " is retriable and starts before the commit point"));
  }
}

void Auditor::OnApplied(const std::string& uid, const std::string& step_name) {
  int step = -1;
  Saga* saga = ByUid(uid, step_name, &step);
  if (saga == nullptr) return Violated(absl::StrCat("I5: an effect of a saga that is not durable, uid ", uid));
  digest_ = Hash(Hash(digest_, uid), step_name);
  Effect& effect = saga->effects[step];
  effect.present = true;
  ++effect.applied;
  if (EffectFree(saga->recipe->steps[step])) return;
  if (effect.applied > 1) Violated(absl::StrCat("I1: ", Of(*saga, step), " was applied ", effect.applied, " times"));
  if (saga->undo_sent[step] && !Library::Get().TraitsOf(saga->recipe->steps[step].participant).barrier) {
    Violated(absl::StrCat("I1: ", Of(*saga, step), " lands after its compensation was sent"));
  }
  if (saga->durable.state() == v1::SAGA_STATE_COMPENSATED) {
    Violated(absl::StrCat("I1: ", Of(*saga, step), " lands although the saga is COMPENSATED"));
  }
  for (size_t before = 0; before < saga->undo_sent.size(); ++before) {
    const auto& later = saga->recipe->steps[before].transitive_dependents;
    if (saga->undo_sent[before] && saga->recipe->steps[step].compensation.has_value() &&
        std::find(later.begin(), later.end(), step) != later.end()) {
      Violated(absl::StrCat("I2: ", Of(*saga, step), " lands after ", saga->recipe->steps[before].name, " was undone"));
    }
  }
}

void Auditor::OnUndone(const std::string& uid, const std::string& step_name) {
  int step = -1;
  Saga* saga = ByUid(uid, step_name, &step);
  if (saga == nullptr) return;
  saga->effects[step].present = false;
  ++saga->effects[step].undone;
  if (saga->effects[step].undone > 1) Violated(absl::StrCat("I1: ", Of(*saga, step), " was undone twice"));
}

void Auditor::OnTold(const SagaRecord& record) {
  Saga* saga = SagaOf(record);
  if (saga->damaged) Violated(absl::StrCat("outsiders hear of ", saga->id, ", whose record is damaged"));
  if (saga->uid != record.uid() || saga->durable.last_sequence() < record.last_sequence()) {
    Violated(absl::StrCat("I5: outsiders hear of ", record.saga_id(), "#", record.last_sequence(), ", durable is ",
                          saga->durable.last_sequence()));
  }
  saga->seen_sequence = std::max(saga->seen_sequence, record.last_sequence());
}

void Auditor::OnStartAcknowledged(const SagaRecord& record, const std::string& fingerprint) {
  OnTold(record);
  acknowledged_ids_.insert(record.saga_id());
  Saga* saga = SagaOf(record);
  if (record.start_fingerprint() != fingerprint) {
    Violated(absl::StrCat("I7: ", record.saga_id(), " acknowledges another start than was sent"));
  }
  if (saga->acknowledged.has_value() && *saga->acknowledged != fingerprint) {
    Violated(absl::StrCat("I7: ", record.saga_id(), " acknowledges two different starts"));
  }
  saga->acknowledged = fingerprint;
}

void Auditor::OnStartRefused(const std::string& saga_id, const std::string& fingerprint) {
  const Saga* saga = Find(saga_id);
  if (saga != nullptr && saga->acknowledged == fingerprint) {
    Violated(absl::StrCat("I7: the same start of ", saga_id, " is refused as another one"));
  }
}

void Auditor::OnCancelAcknowledged(const SagaRecord& record) {
  OnTold(record);
  if (!Aborted(record)) Violated(absl::StrCat("a cancel of ", record.saga_id(), " is acknowledged, and it goes on"));
  SagaOf(record)->cancel_acknowledged = true;
}

void Auditor::OnRecovered(const Disk& disk) {
  for (const auto& [id, saga] : sagas_) {
    if (saga.seen_sequence == 0 || saga.damaged) continue;
    const auto record = disk.Peek(id);
    if (!record.ok() || record->last_sequence() < saga.seen_sequence || record->uid() != saga.uid) {
      Violated(absl::StrCat("I5: outsiders saw ", id, "#", saga.seen_sequence, ", after the crash there is ",
                            record.ok() ? absl::StrCat("#", record->last_sequence()) : "nothing"));
    }
  }
}

// Neither record, nor history, nor an entry in a listing.
void Auditor::CheckForgotten(const Disk& disk) {
  for (const auto& [uid, saga] : expired_) {
    const auto record = disk.Peek(saga.id);
    if (record.ok() && record->uid() == uid) Violated(absl::StrCat("I7: ", saga.id, " expired and is there again"));
    const auto history = disk.GetHistory(saga.id, 0, std::numeric_limits<int>::max());
    if (!sagas_.contains(saga.id) && (!history.ok() || !history->empty())) {
      Violated(absl::StrCat("history of ", saga.id, " is left although it expired"));
    }
  }
  const auto count = [&](const store::ListQuery& query) {
    const auto page = disk.ListSagas(query);
    if (!page.ok()) Violated(absl::StrCat("a listing fails: ", page.status().ToString()));
    return page.ok() ? page->sagas.size() + page->unreadable.size() : 0;
  };
  const size_t all = count({});
  size_t by_state = 0;
  for (int state = v1::SAGA_STATE_RUNNING; state <= v1::SAGA_STATE_COMPENSATED; ++state) {
    store::ListQuery query;
    query.state = static_cast<v1::SagaState>(state);
    by_state += count(query);
  }
  const auto known = static_cast<size_t>(
      std::count_if(sagas_.begin(), sagas_.end(), [](const auto& entry) { return !entry.second.uid.empty(); }));
  if (all != known || by_state != all) {
    Violated(absl::StrCat("listings hold ", all, " sagas, ", by_state, " by state; there are ", known));
  }
}

void Auditor::OnQuiet(const Disk& disk) {
  OnRecovered(disk);
  CheckForgotten(disk);
  for (const auto& [id, saga] : sagas_) {
    if (!saga.uid.empty()) CheckEnded(disk, saga);
  }
  CheckActive(disk);
  disk.Audit([this](const store::Flaw& flaw) {
    const bool expected = std::any_of(sagas_.begin(), sagas_.end(), [&](const auto& entry) {
      return entry.second.damaged && absl::EndsWith(flaw.where, absl::StrCat("saga ", entry.first));
    });
    if (!expected) Violated(absl::StrCat("the store: ", flaw.where, " ", flaw.what));
  });
}

void Auditor::CheckEnded(const Disk& disk, const Saga& saga) {
  const auto history = disk.GetHistory(saga.id, 1, std::numeric_limits<int>::max());
  if (!history.ok() || static_cast<int64_t>(history->size()) != saga.durable.last_sequence()) {
    Violated(absl::StrCat("the stored history of ", saga.id, " has gaps"));
  }
  if (saga.damaged) return;
  if (!saga::IsTerminal(saga.durable.state()) && !saga::IsParked(saga.durable)) {
    Violated(absl::StrCat("I6: ", saga.id, " neither ended nor says why: ", saga::Describe(saga.durable)));
  }
  if (saga::IsTerminal(saga.durable.state()) && saga::IsSettling(saga.durable)) {
    Violated(absl::StrCat("I6: ", saga.id, " never stops settling: ", saga::Describe(saga.durable)));
  }
}

void Auditor::CheckActive(const Disk& disk) {
  std::set<std::string> active;
  const auto visit = [&](const SagaRecord& record) {
    active.insert(record.saga_id());
    return absl::OkStatus();
  };
  const absl::Status scanned = disk.ForEachActive(
      0, limits::kSlots, visit, [&](const store::UnreadableRecord& record) { active.insert(record.saga_id); });
  if (!scanned.ok()) Violated(absl::StrCat("active sagas cannot be read: ", scanned.ToString()));
  for (const auto& [id, saga] : sagas_) {
    if (saga.uid.empty() || saga::IsActive(saga.durable) == active.contains(id)) continue;
    Violated(absl::StrCat(id, active.contains(id) ? " is kept as active" : " is not kept as active"));
  }
}

}  // namespace tutti::sim
