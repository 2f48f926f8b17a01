// How keys are laid out on disk: fixed for ever, documented in docs/storage.md. All integers are big-endian, so that
// the order of bytes is the order of values.
#ifndef TUTTI_ORCHESTRATOR_STORE_KEY_CODEC_H_
#define TUTTI_ORCHESTRATOR_STORE_KEY_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::store {

// FNV-1a, 64 bits.
uint64_t Fnv1a64(absl::string_view bytes);

// In [0, limits::kSlots): FNV-1a of the id, folded by h ^ h>>32, then h ^ h>>12, its low 12 bits.
uint32_t SlotOf(absl::string_view saga_id);

void AppendBigEndian16(uint16_t value, std::string* out);
void AppendBigEndian64(uint64_t value, std::string* out);
uint64_t ReadBigEndian64(absl::string_view bytes);  // the first eight

// slot | id: columns saga and active.
std::string SagaKey(absl::string_view saga_id);
// Where the keys of a slot begin; limits::kSlots gives the end of all.
std::string SlotPrefix(uint32_t slot);
// Empty, as SequenceOfHistoryKey is 0, for bytes that are no such key.
absl::string_view SagaIdOfKey(absl::string_view saga_key);

// slot | id | 00 | sequence. Ids hold no zero byte, so no id's range reaches into another's.
std::string HistoryKey(absl::string_view saga_id, int64_t sequence);
absl::string_view SagaIdOfHistoryKey(absl::string_view history_key);
int64_t SequenceOfHistoryKey(absl::string_view history_key);

// name | 00 | revision.
std::string DefinitionKey(absl::string_view name, int64_t revision);

// Index entries are prefix | position; the prefix says by what, the position orders the newest start first, ids
// ascending within a millisecond. It is the same in every index, which is what makes cursors stable.
std::string TimeIndexPrefix();
std::string StateIndexPrefix(v1::SagaState state);
std::string ParkedIndexPrefix();
std::string DefinitionIndexPrefix(absl::string_view definition);
std::string LabelIndexPrefix(absl::string_view key, absl::string_view value);

struct Position {
  int64_t started_ms = 0;
  std::string saga_id;
};
void AppendPosition(int64_t started_ms, absl::string_view saga_id, std::string* out);
std::optional<Position> ParsePosition(absl::string_view bytes);  // unset when the bytes are none

struct IndexEntry {
  std::string by;  // for people: "time", "state 1", "label user = u1"
  Position position;
};
std::optional<IndexEntry> ParseIndexKey(absl::string_view key);  // unset when it is none

// The first key after all keys with this prefix; empty when there is none.
std::string PrefixEnd(std::string prefix);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_KEY_CODEC_H_
