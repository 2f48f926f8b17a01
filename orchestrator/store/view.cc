#include "orchestrator/store/view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/record_header.h"
#include "orchestrator/store/unreadable.h"

namespace tutti::store {
namespace {

using storage::v1::DefinitionRecord;
using storage::v1::SagaRecord;

absl::Status NewerVersionError(const std::string& what, uint32_t version, uint32_t newest) {
  return absl::FailedPreconditionError(absl::StrCat(what, " was written by a newer version: record version ", version,
                                                    ", this binary knows up to ", newest));
}

absl::Status NoSuchSaga(absl::string_view saga_id) {
  return absl::NotFoundError(absl::StrCat("there is no saga ", saga_id));
}

}  // namespace

absl::StatusOr<SagaRecord> ParseSaga(absl::string_view bytes, absl::string_view saga_id, Extent extent) {
  SagaRecord record;
  const bool parsed = extent == Extent::kHeader ? ParseHeader(bytes, &record)
                                                : record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (!parsed) return absl::DataLossError("its stored bytes are damaged");
  if (record.version() > saga::kRecordVersion) {
    return NewerVersionError(absl::StrCat("saga ", saga_id), record.version(), saga::kRecordVersion);
  }
  if (record.saga_id() != saga_id) return absl::DataLossError("its key holds the record of another");
  if (record.version() < 1) return absl::DataLossError("it has no version");
  return record;
}

absl::StatusOr<SagaRecord> ReadSaga(const View& view, absl::string_view saga_id, Extent extent) {
  absl::StatusOr<SagaRecord> record = NoSuchSaga(saga_id);
  const absl::StatusOr<bool> found = view.Show(
      Column::kSaga, SagaKey(saga_id), [&](absl::string_view bytes) { record = ParseSaga(bytes, saga_id, extent); });
  if (!found.ok()) record = found.status();  // DATA_LOSS: the block that holds it is damaged
  return absl::IsDataLoss(record.status()) ? UnreadableError(saga_id, record.status().message()) : record;
}

absl::StatusOr<std::string> ReadRaw(const View& view, absl::string_view saga_id) {
  std::string raw;
  const absl::StatusOr<bool> found =
      view.Show(Column::kSaga, SagaKey(saga_id), [&](absl::string_view bytes) { raw = std::string(bytes); });
  if (!found.ok()) return found.status();
  if (!*found) return NoSuchSaga(saga_id);
  return raw;
}

absl::StatusOr<std::vector<v1::HistoryEvent>> ReadHistory(const View& view, absl::string_view saga_id,
                                                          int64_t from_sequence, int limit) {
  std::vector<v1::HistoryEvent> events;
  if (limit <= 0) return events;
  const auto walk = view.Range(Column::kHistory, HistoryKey(saga_id, std::max<int64_t>(from_sequence, 0)),
                               PrefixEnd(SagaKey(saga_id) + '\0'));
  for (; walk->Valid() && static_cast<int>(events.size()) < limit; walk->Next()) {
    if (!events.emplace_back().ParseFromArray(walk->value().data(), static_cast<int>(walk->value().size()))) {
      return absl::DataLossError(absl::StrCat("history of saga ", saga_id,
                                              " cannot be read: the stored bytes of event ",
                                              SequenceOfHistoryKey(walk->key()), " are damaged"));
    }
  }
  if (!walk->status().ok()) return walk->status();
  return events;
}

absl::Status ReadActive(const View& view, uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                        const UnreadableVisitor& unreadable) {
  const auto walk = view.Range(Column::kActive, SlotPrefix(first_slot), SlotPrefix(end_slot));
  for (; walk->Valid(); walk->Next()) {
    const std::string saga_id(SagaIdOfKey(walk->key()));
    auto record = ReadSaga(view, saga_id);
    if (absl::IsNotFound(record.status())) record = UnreadableError(saga_id, "it is active, but has no record");
    if (absl::IsDataLoss(record.status())) {
      unreadable({saga_id, std::string(record.status().message())});
      continue;
    }
    if (!record.ok()) return record.status();
    if (absl::Status status = visitor(*std::move(record)); !status.ok()) return status;
  }
  return walk->status();
}

absl::StatusOr<std::vector<DefinitionRecord>> ReadDefinitions(const View& view) {
  std::vector<DefinitionRecord> definitions;
  const auto walk = view.Range(Column::kDefinition, "", "");
  for (; walk->Valid(); walk->Next()) {
    auto record = ParseDefinition(walk->key(), walk->value());
    if (!record.ok()) return record.status();
    definitions.push_back(*std::move(record));
  }
  if (!walk->status().ok()) return walk->status();
  return definitions;
}

absl::StatusOr<DefinitionRecord> ParseDefinition(absl::string_view key, absl::string_view value) {
  const std::string what = absl::StrCat("definition ", key.substr(0, key.find('\0')));
  DefinitionRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return absl::DataLossError(absl::StrCat(what, " cannot be read: its stored bytes are damaged"));
  }
  if (record.version() > kDefinitionVersionMax) {
    return NewerVersionError(what, record.version(), kDefinitionVersionMax);
  }
  if (key != DefinitionKey(record.name(), record.revision())) {
    return absl::DataLossError(absl::StrCat("definition ", record.name(), " is stored under the key of another"));
  }
  return record;
}

}  // namespace tutti::store
