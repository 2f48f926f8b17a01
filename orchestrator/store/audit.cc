#include "orchestrator/store/audit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "orchestrator/saga/record_query.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::store {
namespace {

using storage::v1::SagaRecord;

constexpr size_t kHistoryKeyBytesMin = 2 + 1 + 1 + 8;

class StoreAudit {
 public:
  StoreAudit(const View& view, const RecordCheck& check, const FlawSink& flaw)
      : view_(view), check_(check), flaw_(flaw) {}

  AuditCounts Run() {
    Sagas();
    Active();
    Index();
    History();
    return counts_;
  }

  std::optional<AuditCounts> RunFor(absl::string_view saga_id) {
    const std::string key = SagaKey(saga_id);
    std::string raw;
    const auto found = view_.Show(Column::kSaga, key, [&](absl::string_view value) { raw = std::string(value); });
    const bool readable = found.ok() && *found;
    counts_.sagas = found.ok() && !*found ? 0 : 1;
    counts_.active = Has(Column::kActive, key) ? 1 : 0;
    absl::StatusOr<SagaRecord> record = found.ok() ? absl::NotFoundError("has no record") : found.status();
    if (readable) record = ParseSaga(raw, saga_id, Extent::kWhole);
    if (readable && record.ok()) {
      Record(key, *record);
    } else if (counts_.sagas > 0) {
      SayOfSaga(saga_id, std::string(record.status().message()));
    } else if (counts_.active > 0) {
      SayUnread(std::string(saga_id), "among the active ones");
    }
    IndexOf(saga_id, readable && record.ok() ? IndexKeysOf(*record) : std::vector<std::string>());
    if (counts_.sagas == 0) OrphanedHistoryOf(saga_id);
    const bool told_of = counts_.sagas + counts_.active + counts_.index_entries + counts_.events > 0;
    return told_of ? std::optional<AuditCounts>(counts_) : std::nullopt;
  }

 private:
  void Say(std::string where, std::string what) { flaw_({std::move(where), std::move(what)}); }
  void SayOfSaga(absl::string_view saga_id, std::string what) { Say(absl::StrCat("saga ", saga_id), std::move(what)); }

  void SayOfKey(Column column, absl::string_view key) {
    Say(absl::StrCat("column ", kColumnNames[static_cast<size_t>(column)]),
        absl::StrCat("a key cannot be understood: ", absl::BytesToHexString(key)));
  }

  // Visits every key of the column; tells when it cannot be read to its end.
  void Each(Column column, const std::function<void(Walk*)>& visit) {
    const auto walk = view_.Range(column, "", "");
    std::string last;
    while (walk->Valid()) {
      last = std::string(walk->key());
      visit(walk.get());
    }
    if (walk->status().ok()) return;
    Say(absl::StrCat("column ", kColumnNames[static_cast<size_t>(column)]),
        absl::StrCat("cannot be read behind key ", absl::BytesToHexString(last), ": ", walk->status().message()));
  }

  bool Has(Column column, const std::string& key) {
    const auto found = view_.Show(column, key, [](absl::string_view) {});
    return found.ok() && *found;
  }

  void Sagas() {
    Each(Column::kSaga, [this](Walk* walk) {
      ++counts_.sagas;
      const std::string key(walk->key());
      const std::string saga_id(SagaIdOfKey(key));
      const auto record = ParseSaga(walk->value(), saga_id, Extent::kWhole);
      walk->Next();
      if (saga_id.empty()) return SayOfKey(Column::kSaga, key);
      if (key != SagaKey(saga_id)) return SayOfSaga(saga_id, "lies in a slot that is not its own");
      if (!record.ok()) return SayOfSaga(saga_id, std::string(record.status().message()));
      Record(key, *record);
    });
  }

  void Record(const std::string& key, const SagaRecord& record) {
    for (const std::string& entry : IndexKeysOf(record)) {
      if (Has(Column::kIndex, entry)) continue;
      SayOfSaga(record.saga_id(), absl::StrCat("is missing in the index by ", ParseIndexKey(entry)->by));
    }
    const bool active = saga::IsActive(record);
    if (active != Has(Column::kActive, key)) {
      SayOfSaga(record.saga_id(),
                active ? "is active, but not among the active ones" : "is active no more, but kept so");
    }
    HistoryOf(record);
    if (const absl::Status fits = check_ ? check_(record) : absl::OkStatus(); !fits.ok()) {
      SayOfSaga(record.saga_id(), std::string(fits.message()));
    }
  }

  void HistoryOf(const SagaRecord& record) {
    const std::string where = absl::StrCat("history of saga ", record.saga_id());
    const auto walk =
        view_.Range(Column::kHistory, HistoryKey(record.saga_id(), 0), PrefixEnd(SagaKey(record.saga_id()) + '\0'));
    int64_t last = 0;
    for (; walk->Valid(); walk->Next()) {
      ++counts_.events;
      const int64_t sequence = SequenceOfHistoryKey(walk->key());
      if (sequence != last + 1) Say(where, absl::StrCat("event ", last + 1, " is missing"));
      last = sequence;
      v1::HistoryEvent event;
      if (!event.ParseFromArray(walk->value().data(), static_cast<int>(walk->value().size()))) {
        Say(where, absl::StrCat("the stored bytes of event ", sequence, " are damaged"));
      } else if (event.sequence() != sequence) {
        Say(where, absl::StrCat("event ", event.sequence(), " is stored as event ", sequence));
      }
    }
    if (!walk->status().ok()) return Say(where, std::string(walk->status().message()));
    if (last != record.last_sequence()) {
      Say(where, absl::StrCat("ends with event ", last, ", but its record knows of ", record.last_sequence()));
    }
  }

  void Active() {
    Each(Column::kActive, [this](Walk* walk) {
      ++counts_.active;
      const std::string key(walk->key());
      walk->Next();
      if (SagaIdOfKey(key).empty()) return SayOfKey(Column::kActive, key);
      // One that is unreadable or not active was told of with its record.
      if (!Has(Column::kSaga, key)) SayUnread(std::string(SagaIdOfKey(key)), "among the active ones");
    });
  }

  void Index() {
    Each(Column::kIndex, [this](Walk* walk) {
      ++counts_.index_entries;
      const std::string key(walk->key());
      walk->Next();
      const auto entry = ParseIndexKey(key);
      if (!entry.has_value()) return Say("index", absl::StrCat("cannot be understood: ", absl::BytesToHexString(key)));
      const std::string& saga_id = entry->position.saga_id;
      const std::string where = absl::StrCat("in the index by ", entry->by);
      if (!Has(Column::kSaga, SagaKey(saga_id))) return SayUnread(saga_id, where);
      const auto record = ReadSaga(view_, saga_id, Extent::kHeader);
      if (!record.ok()) return;
      const std::vector<std::string> keys = IndexKeysOf(*record);
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        SayOfSaga(saga_id, absl::StrCat("is ", where, ", where it does not belong"));
      }
    });
  }

  // `keys`: where it belongs. Any other entry of it is one too many.
  void IndexOf(absl::string_view saga_id, const std::vector<std::string>& keys) {
    Each(Column::kIndex, [&](Walk* walk) {
      const std::string key(walk->key());
      walk->Next();
      const auto entry = ParseIndexKey(key);
      if (!entry.has_value() || entry->position.saga_id != saga_id) return;
      ++counts_.index_entries;
      const std::string where = absl::StrCat("in the index by ", entry->by);
      if (counts_.sagas == 0) return SayUnread(std::string(saga_id), where);
      if (!keys.empty() && std::find(keys.begin(), keys.end(), key) == keys.end()) {
        SayOfSaga(saga_id, absl::StrCat("is ", where, ", where it does not belong"));
      }
    });
  }

  void OrphanedHistoryOf(absl::string_view saga_id) {
    const auto walk = view_.Range(Column::kHistory, HistoryKey(saga_id, 0), PrefixEnd(SagaKey(saga_id) + '\0'));
    for (; walk->Valid(); walk->Next()) ++counts_.events;
    if (counts_.events > 0) SayUnread(std::string(saga_id), "told of in the history");
  }

  // No record can be had, be it that there is none or that its block is damaged.
  void SayUnread(const std::string& saga_id, absl::string_view where) {
    const auto raw = ReadRaw(view_, saga_id);
    SayOfSaga(saga_id, absl::StrCat("is ", where, ", but ",
                                    absl::IsNotFound(raw.status()) ? "has no record" : raw.status().message()));
  }

  // Those of sagas with a record were looked at with it.
  void History() {
    Each(Column::kHistory, [this](Walk* walk) {
      if (walk->key().size() < kHistoryKeyBytesMin) {
        SayOfKey(Column::kHistory, walk->key());
        return walk->Next();
      }
      const std::string saga_id(SagaIdOfHistoryKey(walk->key()));
      if (!Has(Column::kSaga, SagaKey(saga_id))) SayUnread(saga_id, "told of in the history");
      // Not SagaKey: the slot in the key may be a wrong one.
      walk->Seek(PrefixEnd(std::string(walk->key().substr(0, walk->key().size() - 8))));
    });
  }

  const View& view_;
  const RecordCheck& check_;
  const FlawSink& flaw_;
  AuditCounts counts_;
};

}  // namespace

AuditCounts Audit(const View& view, const RecordCheck& check, const FlawSink& flaw) {
  return StoreAudit(view, check, flaw).Run();
}

std::optional<AuditCounts> AuditSaga(const View& view, absl::string_view saga_id, const RecordCheck& check,
                                     const FlawSink& flaw) {
  return StoreAudit(view, check, flaw).RunFor(saga_id);
}

}  // namespace tutti::store
