#include "orchestrator/store/view.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::store {
namespace {

using storage::v1::DefinitionRecord;
using storage::v1::SagaRecord;

template <typename Record>
absl::StatusOr<Record> ParseRecord(absl::string_view bytes, const std::string& what) {
  constexpr uint32_t kNewest =
      std::is_same_v<Record, DefinitionRecord> ? kWholeDefinitionVersion : saga::kRecordVersion;
  Record record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat(what, " cannot be read: its stored bytes are damaged"));
  }
  if (record.version() > kNewest) {
    return absl::FailedPreconditionError(absl::StrCat(what, " was written by a newer version: record version ",
                                                      record.version(), ", this binary knows up to ", kNewest));
  }
  return record;
}

// The index that is likely to hold the fewest sagas beside those asked for.
std::string BestIndex(const ListQuery& query) {
  if (query.parked.value_or(false)) return ParkedIndexPrefix();
  if (!query.labels.empty()) return LabelIndexPrefix(query.labels.front().first, query.labels.front().second);
  if (query.state.has_value() && !saga::IsTerminal(*query.state)) return StateIndexPrefix(*query.state);
  if (!query.definition.empty()) return DefinitionIndexPrefix(query.definition);
  if (query.state.has_value()) return StateIndexPrefix(*query.state);
  return TimeIndexPrefix();
}

bool Matches(const ListQuery& query, const SagaRecord& record) {
  if (query.state.has_value() && record.state() != *query.state) return false;
  if (query.parked.has_value() && saga::IsParked(record) != *query.parked) return false;
  if (!query.definition.empty() && record.definition() != query.definition) return false;
  return std::all_of(query.labels.begin(), query.labels.end(), [&](const auto& label) {
    const auto found = record.labels().find(label.first);
    return found != record.labels().end() && found->second == label.second;
  });
}

// What a cursor is bound to: everything but the page size.
uint64_t Fingerprint(const ListQuery& query) {
  std::string text = absl::StrCat(query.state.has_value() ? static_cast<int>(*query.state) : -1, "|",
                                  query.parked.has_value() ? static_cast<int>(*query.parked) : -1, "|");
  for (const auto& bound : {query.started_from_ms, query.started_to_ms}) {
    absl::StrAppend(&text, bound.has_value() ? absl::StrCat(*bound) : "-", "|");
  }
  absl::StrAppend(&text, query.definition.size(), ":", query.definition);
  for (const auto& [key, value] : query.labels) {
    absl::StrAppend(&text, "|", key.size(), ":", key, value.size(), ":", value);
  }
  return Fnv1a64(text);
}

// The fingerprint, and the position of the last saga looked at.
std::string EncodeCursor(const ListQuery& query, absl::string_view position) {
  std::string bytes;
  AppendBigEndian64(Fingerprint(query), &bytes);
  bytes.append(position.data(), position.size());
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<std::string> DecodeCursor(const ListQuery& query) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(query.cursor, &bytes) || bytes.size() < 16 ||
      ReadBigEndian64(bytes) != Fingerprint(query)) {
    return InvalidArgumentError("PAGE_TOKEN_INVALID",
                                {{"page_token", "is not from an earlier answer to the same query; start without one"}});
  }
  return bytes.substr(8);
}

}  // namespace

absl::StatusOr<SagaRecord> ReadSaga(const View& view, absl::string_view saga_id) {
  auto bytes = view.Get(Column::kSaga, SagaKey(saga_id));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::NotFoundError(absl::StrCat("there is no saga ", saga_id));
  auto record = ParseRecord<SagaRecord>(**bytes, absl::StrCat("saga ", saga_id));
  if (record.ok() && record->saga_id() != saga_id) {
    return absl::DataLossError(absl::StrCat("saga ", saga_id, " cannot be read: its key holds the record of another"));
  }
  return record;
}

absl::StatusOr<std::string> ReadRaw(const View& view, absl::string_view saga_id) {
  auto bytes = view.Get(Column::kSaga, SagaKey(saga_id));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::NotFoundError(absl::StrCat("there is no saga ", saga_id));
  return **std::move(bytes);
}

absl::StatusOr<std::vector<v1::HistoryEvent>> ReadHistory(const View& view, absl::string_view saga_id,
                                                          int64_t from_sequence, int limit) {
  std::vector<v1::HistoryEvent> events;
  if (limit <= 0) return events;
  const auto walk = view.Range(Column::kHistory, HistoryKey(saga_id, std::max<int64_t>(from_sequence, 0)),
                               PrefixEnd(SagaKey(saga_id) + '\0'));
  for (; walk->Valid() && static_cast<int>(events.size()) < limit; walk->Next()) {
    if (!events.emplace_back().ParseFromArray(walk->value().data(), static_cast<int>(walk->value().size()))) {
      return absl::DataLossError(absl::StrCat("history of saga ", saga_id, " cannot be read"));
    }
  }
  if (!walk->status().ok()) return walk->status();
  return events;
}

absl::StatusOr<ListPage> ReadPage(const View& view, const ListQuery& query) {
  const std::string prefix = BestIndex(query);
  std::string begin = prefix;
  if (!query.cursor.empty()) {
    auto position = DecodeCursor(query);
    if (!position.ok()) return position.status();
    begin.append(*position).push_back('\0');  // the smallest key after the cursor's
  } else {
    AppendPosition(query.started_to_ms.value_or(std::numeric_limits<int64_t>::max()), "", &begin);
  }
  const size_t page_size = static_cast<size_t>(std::clamp(query.page_size, 1, limits::kPageSizeMax));
  const int budget = std::max(query.scan_budget, 1);
  ListPage page;
  std::string last;  // position
  const auto walk = view.Range(Column::kIndex, std::move(begin), PrefixEnd(prefix));
  for (; walk->Valid(); walk->Next()) {
    const absl::string_view position = walk->key().substr(prefix.size());
    const auto parsed = ParsePosition(position);
    if (!parsed.has_value()) return absl::DataLossError("an index entry cannot be read");
    if (query.started_from_ms.has_value() && parsed->started_ms < *query.started_from_ms) return page;
    if (page.sagas.size() + page.unreadable.size() == page_size || page.scanned >= budget) {
      page.next_cursor = EncodeCursor(query, last);
      return page;
    }
    last = std::string(position);
    ++page.scanned;
    auto record = ReadSaga(view, parsed->saga_id);
    if (absl::IsInternal(record.status())) return record.status();
    if (!record.ok()) {
      page.unreadable.push_back({parsed->saga_id, std::string(record.status().message())});
    } else if (Matches(query, *record)) {
      page.sagas.push_back(*std::move(record));
    }
  }
  if (!walk->status().ok()) return walk->status();
  return page;
}

absl::StatusOr<EndedPage> ReadEnded(const View& view, const EndedQuery& query) {
  const std::string prefix = TimeIndexPrefix();
  std::string begin = prefix;
  if (query.cursor.empty()) {
    AppendPosition(query.ended_by_ms, "", &begin);
  } else {
    begin.append(query.cursor).push_back('\0');  // the smallest key after the cursor's
  }
  const size_t page_size = static_cast<size_t>(std::clamp(query.page_size, 1, limits::kPageSizeMax));
  EndedPage page;
  std::string last;  // position
  const auto walk = view.Range(Column::kIndex, std::move(begin), PrefixEnd(prefix));
  for (size_t scanned = 0; walk->Valid(); walk->Next(), ++scanned) {
    if (page.saga_ids.size() == page_size || scanned == limits::kEndedScanMax) {
      page.next_cursor = std::move(last);
      return page;
    }
    last = std::string(walk->key().substr(prefix.size()));
    const auto parsed = ParsePosition(last);
    auto record = parsed.has_value() ? ReadSaga(view, parsed->saga_id) : absl::DataLossError("no position");
    // What cannot be read must not keep everything behind it; what the store itself cannot read ends the page.
    if (absl::IsInternal(record.status())) return record.status();
    if (!record.ok()) {
      ++page.unreadable;
    } else if (!saga::IsActive(*record) && record->finished_ms() <= query.ended_by_ms) {
      page.saga_ids.push_back(record->saga_id());
    }
  }
  if (!walk->status().ok()) return walk->status();
  return page;
}

absl::Status ReadActive(const View& view, uint32_t first_slot, uint32_t end_slot,
                        const std::function<absl::Status(SagaRecord)>& visitor) {
  const auto walk = view.Range(Column::kActive, SlotPrefix(first_slot), SlotPrefix(end_slot));
  for (; walk->Valid(); walk->Next()) {
    const absl::string_view saga_id = SagaIdOfKey(walk->key());
    auto record = ReadSaga(view, saga_id);
    if (absl::IsNotFound(record.status())) {
      return absl::DataLossError(absl::StrCat("saga ", saga_id, " is active, but has no record"));
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
    auto record = ParseRecord<DefinitionRecord>(
        walk->value(), absl::StrCat("definition ", walk->key().substr(0, walk->key().find('\0'))));
    if (!record.ok()) return record.status();
    if (walk->key() != DefinitionKey(record->name(), record->revision())) {
      return absl::DataLossError(absl::StrCat("definition ", record->name(), " is stored under the key of another"));
    }
    definitions.push_back(*std::move(record));
  }
  if (!walk->status().ok()) return walk->status();
  return definitions;
}

}  // namespace tutti::store
