#include "orchestrator/store/layout.h"

#include "common/check.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::store {
namespace {

using storage::v1::SagaRecord;

std::string IndexKey(std::string prefix, const SagaRecord& record) {
  AppendPosition(record.started_ms(), record.saga_id(), &prefix);
  return prefix;
}

void EncodeIndexes(const SagaWrite& write, Changes* changes) {
  const SagaRecord& record = write.record;
  if (!write.previous.has_value()) {
    for (const std::string& key : IndexKeysOf(record)) changes->Put(Column::kIndex, key, "");
    return;
  }
  const bool parked = saga::IsParked(record);
  const auto put = [&](std::string prefix) { changes->Put(Column::kIndex, IndexKey(std::move(prefix), record), ""); };
  const auto remove = [&](std::string prefix) { changes->Delete(Column::kIndex, IndexKey(std::move(prefix), record)); };
  if (write.previous->state != record.state()) {
    remove(StateIndexPrefix(write.previous->state));
    put(StateIndexPrefix(record.state()));
  }
  if (write.previous->parked && !parked) remove(ParkedIndexPrefix());
  if (!write.previous->parked && parked) put(ParkedIndexPrefix());
}

void EncodeSaga(const SagaWrite& write, Changes* changes) {
  const SagaRecord& record = write.record;
  TUTTI_CHECK(!record.saga_id().empty() && record.version() > 0, "a saga record needs an id and a version");
  const std::string key = SagaKey(record.saga_id());
  changes->Put(Column::kSaga, key, record);
  changes->NoteSaga(record.version());
  for (const auto& event : write.history) {
    changes->Put(Column::kHistory, HistoryKey(record.saga_id(), event.sequence()), event);
  }
  // A saga is active from its start on and, once it is not, never again: two writes in its whole life.
  const bool active = saga::IsActive(record);
  if (active && !write.previous.has_value()) changes->Put(Column::kActive, key, "");
  if (!active && write.previous.has_value()) changes->Delete(Column::kActive, key);
  EncodeIndexes(write, changes);
}

// One deletion for each entry: sequences have no gaps, and range deletions in great number would slow down every read
// of the column. The active column forgot the saga when it ceased to be active.
void EncodeExpiry(const SagaRecord& record, Changes* changes) {
  TUTTI_CHECK(!record.saga_id().empty() && !saga::IsActive(record), "only what is over for good expires");
  changes->Delete(Column::kSaga, SagaKey(record.saga_id()));
  for (int64_t sequence = 1; sequence <= record.last_sequence(); ++sequence) {
    changes->Delete(Column::kHistory, HistoryKey(record.saga_id(), sequence));
  }
  for (const std::string& key : IndexKeysOf(record)) changes->Delete(Column::kIndex, key);
}

}  // namespace

void Changes::Put(Column column, absl::string_view key, absl::string_view value) {
  bytes_.append(key.data(), key.size()).append(value.data(), value.size());
  changes_.push_back({column, /*is_delete=*/false, key.size(), value.size()});
}

void Changes::Put(Column column, absl::string_view key, const google::protobuf::MessageLite& value) {
  bytes_.append(key.data(), key.size());
  const size_t start = bytes_.size();
  TUTTI_CHECK(value.AppendToString(&bytes_), "a record beyond two gigabytes");
  changes_.push_back({column, /*is_delete=*/false, key.size(), bytes_.size() - start});
}

void Changes::Delete(Column column, absl::string_view key) {
  bytes_.append(key.data(), key.size());
  changes_.push_back({column, /*is_delete=*/true, key.size(), 0});
}

std::vector<std::string> IndexKeysOf(const SagaRecord& record) {
  std::vector<std::string> keys = {IndexKey(TimeIndexPrefix(), record),
                                   IndexKey(StateIndexPrefix(record.state()), record),
                                   IndexKey(DefinitionIndexPrefix(record.definition()), record)};
  for (const auto& [key, value] : record.labels()) keys.push_back(IndexKey(LabelIndexPrefix(key, value), record));
  if (saga::IsParked(record)) keys.push_back(IndexKey(ParkedIndexPrefix(), record));
  return keys;
}

Changes EncodeWriteSet(const WriteSet& write_set) {
  Changes changes;
  for (const SagaWrite& saga : write_set.sagas) EncodeSaga(saga, &changes);
  for (const SagaRecord& record : write_set.expired) EncodeExpiry(record, &changes);
  for (const auto& definition : write_set.definitions) {
    TUTTI_CHECK(!definition.name().empty() && definition.version() > 0, "a definition needs a name and a version");
    changes.Put(Column::kDefinition, DefinitionKey(definition.name(), definition.revision()), definition);
    changes.NoteDefinition(definition.version());
  }
  if (write_set.hold.has_value()) changes.Put(Column::kMeta, kHoldKey, *write_set.hold);
  return changes;
}

}  // namespace tutti::store
