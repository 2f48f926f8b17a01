// Turns write sets into key-value changes. Both stores keep exactly these, so they cannot differ in what they index.
#ifndef TUTTI_ORCHESTRATOR_STORE_LAYOUT_H_
#define TUTTI_ORCHESTRATOR_STORE_LAYOUT_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::store {

// Of the layout of keys, not of the records, which carry versions of their own.
inline constexpr uint64_t kLayoutVersion = 1;
inline constexpr absl::string_view kLayoutKey = "layout";  // in kMeta; the version, eight bytes
// In kMeta, eight bytes: there is a watermark file, and a store without it has lost it.
inline constexpr absl::string_view kWatermarkKey = "watermark";
// In kMeta, this and the kind of record: the newest version of which any was ever written, eight bytes. An older binary
// need not meet such a record to know that it must not begin.
inline constexpr absl::string_view kNewestRecordPrefix = "newest record ";
inline constexpr absl::string_view kNewestSaga = "saga";
inline constexpr absl::string_view kNewestDefinition = "definition";
inline constexpr absl::string_view kNewestHold = "hold";
// In kMeta: a StoreRecord, and a HoldRecord in stores that were restored.
inline constexpr absl::string_view kStoreKey = "store";
inline constexpr absl::string_view kHoldKey = "hold";
inline constexpr uint32_t kStoreRecordVersion = 1;
inline constexpr uint32_t kHoldRecordVersion = 1;

enum class Column { kSaga, kHistory, kActive, kIndex, kDefinition, kMeta };
inline constexpr std::array<const char*, 6> kColumnNames = {"saga", "history", "active", "index", "definition", "meta"};

// A list of changes in one buffer, cheap to fill on a shard's thread and to hand to the committer. Not thread-safe.
class Changes {
 public:
  void Put(Column column, absl::string_view key, absl::string_view value);
  void Put(Column column, absl::string_view key, const google::protobuf::MessageLite& value);
  void Delete(Column column, absl::string_view key);

  // Of the records among them; 0: there is none.
  uint32_t newest_saga() const { return newest_saga_; }
  uint32_t newest_definition() const { return newest_definition_; }
  void NoteSaga(uint32_t version) { newest_saga_ = std::max(newest_saga_, version); }
  void NoteDefinition(uint32_t version) { newest_definition_ = std::max(newest_definition_, version); }

  // visit(Column, bool is_delete, absl::string_view key, absl::string_view value), in the order they were made.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    const absl::string_view bytes = bytes_;
    size_t at = 0;
    for (const Change& change : changes_) {
      visit(change.column, change.is_delete, bytes.substr(at, change.key_bytes),
            bytes.substr(at + change.key_bytes, change.value_bytes));
      at += change.key_bytes + change.value_bytes;
    }
  }

 private:
  struct Change {
    Column column;
    bool is_delete;
    size_t key_bytes;
    size_t value_bytes;
  };
  std::string bytes_;
  std::vector<Change> changes_;
  uint32_t newest_saga_ = 0;
  uint32_t newest_definition_ = 0;
};

// Every index entry that a record calls for.
std::vector<std::string> IndexKeysOf(const storage::v1::SagaRecord& record);

// Aborts on records that could not be read back: no id, no version.
Changes EncodeWriteSet(const WriteSet& write_set);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_LAYOUT_H_
