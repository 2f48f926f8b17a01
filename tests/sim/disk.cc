#include "tests/sim/disk.h"

#include <utility>

#include "orchestrator/store/key_codec.h"

namespace tutti::sim {

Disk::Disk(Timeline* timeline, Luck* luck, Sabotage sabotage, Hooks hooks)
    : timeline_(timeline), luck_(luck), sabotage_(sabotage), hooks_(std::move(hooks)) {}

void Disk::Commit(const store::WriteSet& write_set, store::CommitDone done) {
  if (failed_) return done(store::CommitResult::kUnknown, absl::UnavailableError("an earlier write failed"));
  if (sabotage_ == Sabotage::kSendBeforeDurable) {
    done(store::CommitResult::kDurable, absl::OkStatus());
    done = [](store::CommitResult, const absl::Status&) {};
  }
  waiting_.push_back({write_set, store::EncodeWriteSet(write_set), std::move(done)});
  if (stage_ == Stage::kIdle) StartWrite();
}

void Disk::Later(const char* what, int64_t fast_ms, void (Disk::*next)()) {
  const int64_t delay_ms = luck_->Between(what, writes_, 0, slow_ ? 2'500 : fast_ms);
  timeline_->After(delay_ms, [this, next, epoch = epoch_] {
    if (epoch == epoch_) (this->*next)();
  });
}

void Disk::StartWrite() {
  stage_ = Stage::kWriting;
  ++writes_;
  if (luck_->Strikes(Fault::kCrashBeforeWrite, writes_)) return hooks_.die(Fault::kCrashBeforeWrite);
  Later("write", 2, &Disk::Written);
}

void Disk::Written() {
  stage_ = Stage::kWritten;
  batch_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  if (sabotage_ == Sabotage::kAckUnsynced) {
    for (Pending& pending : batch_) {
      pending.done(store::CommitResult::kDurable, absl::OkStatus());
      pending.done = [](store::CommitResult, const absl::Status&) {};
    }
  }
  if (luck_->Strikes(Fault::kCrashAfterWrite, writes_)) return hooks_.die(Fault::kCrashAfterWrite);
  Later("sync", 5, &Disk::Synced);
}

void Disk::Synced() {
  if (luck_->Strikes(Fault::kWriteError, writes_)) return Fail(store::CommitResult::kUnknown, "sync failed");
  if (luck_->Strikes(Fault::kFenced, writes_)) return Fail(store::CommitResult::kFenced, "another owner writes");
  if (sabotage_ == Sabotage::kLoseSyncedWrites) before_last_sync_ = tables_;
  stage_ = Stage::kSynced;
  MakeDurable(batch_.size());
  if (luck_->Strikes(Fault::kCrashAfterSync, writes_)) return hooks_.die(Fault::kCrashAfterSync);
  Later("done", 1, &Disk::Acknowledge);
}

void Disk::Acknowledge() {
  stage_ = Stage::kIdle;
  std::vector<Pending> batch = std::move(batch_);
  batch_.clear();
  for (Pending& pending : batch) pending.done(store::CommitResult::kDurable, absl::OkStatus());
  if (!waiting_.empty()) StartWrite();
}

void Disk::Fail(store::CommitResult result, const char* why) {
  failed_ = true;
  // What a fence kept out is not there; after a failed sync any prefix may be.
  const bool unknown = result == store::CommitResult::kUnknown;
  MakeDurable(unknown ? static_cast<size_t>(luck_->Between("torn", writes_, 0, static_cast<int64_t>(batch_.size())))
                      : 0);
  std::vector<Pending> batch = std::move(batch_);
  batch_.clear();
  std::move(waiting_.begin(), waiting_.end(), std::back_inserter(batch));
  waiting_.clear();
  for (Pending& pending : batch) pending.done(result, absl::UnavailableError(why));
}

void Disk::MakeDurable(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    tables_.Apply(batch_[i].changes);
    hooks_.on_durable(batch_[i].write_set);
  }
}

void Disk::Crash() {
  ++epoch_;
  if (stage_ == Stage::kWritten && !failed_) {
    MakeDurable(static_cast<size_t>(luck_->Between("torn", writes_, 0, static_cast<int64_t>(batch_.size()))));
  }
  if (sabotage_ == Sabotage::kLoseSyncedWrites && writes_ > 0) tables_ = before_last_sync_;
  batch_.clear();
  waiting_.clear();
  stage_ = Stage::kIdle;
  failed_ = false;
}

bool Disk::Damage(const std::string& saga_id, uint64_t kind) {
  store::Tables::Table& sagas = tables_[store::Column::kSaga];
  const std::string key = store::SagaKey(saga_id);
  const auto found = sagas.find(key);
  if (found == sagas.end()) return false;
  const bool active = tables_[store::Column::kActive].contains(key);
  storage::v1::SagaRecord record;
  record.ParseFromString(found->second);
  switch (kind % 4) {
    case 0:
      found->second.pop_back();
      break;
    case 1:
      record.clear_steps();  // can be read, and not be stepped
      found->second = record.SerializeAsString();
      break;
    case 2:
      record.set_saga_id("another");
      found->second = record.SerializeAsString();
      break;
    default:
      // That of an ended saga would be missed by nobody.
      if (!active) return false;
      sagas.erase(found);
  }
  return true;
}

absl::StatusOr<storage::v1::SagaRecord> Disk::GetSaga(absl::string_view saga_id) const {
  absl::StatusOr<storage::v1::SagaRecord> record = Peek(saga_id);
  if (sabotage_ == Sabotage::kDamageIsAbsence && absl::IsDataLoss(record.status())) {
    record = absl::NotFoundError("cannot be read");
  }
  // Only where a client asks for a new id: for stale timers of ended sagas it would change nothing but the log.
  const bool fails = absl::IsNotFound(record.status()) && luck_->Strikes(Fault::kReadError, ++reads_);
  if (fails) return absl::UnavailableError("read error");
  return record;
}

absl::StatusOr<storage::v1::SagaRecord> Disk::Peek(absl::string_view saga_id) const {
  return store::ReadSaga(store::TablesView(&tables_), saga_id);
}

absl::StatusOr<std::string> Disk::GetRaw(absl::string_view saga_id) const {
  return store::ReadRaw(store::TablesView(&tables_), saga_id);
}

absl::StatusOr<std::vector<v1::HistoryEvent>> Disk::GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                               int limit) const {
  return store::ReadHistory(store::TablesView(&tables_), saga_id, from_sequence, limit);
}

absl::StatusOr<store::ListPage> Disk::ListSagas(const store::ListQuery& query) const {
  return store::ReadPage(store::TablesView(&tables_), query);
}

absl::StatusOr<store::EndedPage> Disk::FindEnded(const store::EndedQuery& query) const {
  return store::ReadEnded(store::TablesView(&tables_), query);
}

absl::Status Disk::ForEachActive(uint32_t first_slot, uint32_t end_slot, const store::RecordVisitor& visitor,
                                 const store::UnreadableVisitor& unreadable) const {
  // The visitor may commit, which never changes the tables at once, so no copy is needed.
  return store::ReadActive(store::TablesView(&tables_), first_slot, end_slot, visitor, unreadable);
}

absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> Disk::GetDefinitions() const {
  return store::ReadDefinitions(store::TablesView(&tables_));
}

}  // namespace tutti::sim
