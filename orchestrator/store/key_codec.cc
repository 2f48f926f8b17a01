#include "orchestrator/store/key_codec.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/limits.h"

namespace tutti::store {
namespace {

static_assert(limits::kSlots == 1u << 12, "SlotOf folds to twelve bits");

constexpr size_t kSlotBytes = 2;
constexpr size_t kSequenceBytes = 8;

// Zero bytes become 00 FF and the end 00 01, which keeps the order and lets no value run into the next field.
void AppendEscaped(absl::string_view text, std::string* out) {
  for (const char c : text) {
    out->push_back(c);
    if (c == '\0') out->push_back('\xff');
  }
  out->push_back('\0');
  out->push_back('\x01');
}

bool TakeEscaped(absl::string_view* bytes, std::string* text) {
  for (size_t i = 0; i + 1 < bytes->size(); ++i) {
    text->push_back((*bytes)[i]);
    if ((*bytes)[i] != '\0') continue;
    const bool is_end = (*bytes)[++i] == '\x01';
    if (!is_end) continue;
    text->pop_back();
    bytes->remove_prefix(i + 1);
    return true;
  }
  return false;
}

// Later times sort first; the sign bit is flipped so that the order holds for all values.
uint64_t DescendingTime(int64_t ms) {
  return ~(static_cast<uint64_t>(ms) ^ (uint64_t{1} << 63));
}
int64_t FromDescendingTime(uint64_t bits) {
  return static_cast<int64_t>(~bits ^ (uint64_t{1} << 63));
}

}  // namespace

uint64_t Fnv1a64(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

uint32_t SlotOf(absl::string_view saga_id) {
  uint64_t hash = Fnv1a64(saga_id);
  hash ^= hash >> 32;
  hash ^= hash >> 12;
  return static_cast<uint32_t>(hash & (limits::kSlots - 1));
}

void AppendBigEndian16(uint16_t value, std::string* out) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value));
}

void AppendBigEndian64(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t ReadBigEndian64(absl::string_view bytes) {
  TUTTI_CHECK(bytes.size() >= 8, "eight bytes make an integer");
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string SagaKey(absl::string_view saga_id) {
  std::string key = SlotPrefix(SlotOf(saga_id));
  key.append(saga_id.data(), saga_id.size());
  return key;
}

std::string SlotPrefix(uint32_t slot) {
  TUTTI_CHECK(slot <= limits::kSlots, "no such slot");
  std::string key;
  AppendBigEndian16(static_cast<uint16_t>(slot), &key);
  return key;
}

absl::string_view SagaIdOfKey(absl::string_view saga_key) {
  return saga_key.substr(std::min(kSlotBytes, saga_key.size()));
}

std::string HistoryKey(absl::string_view saga_id, int64_t sequence) {
  std::string key = SagaKey(saga_id);
  key.push_back('\0');
  AppendBigEndian64(static_cast<uint64_t>(sequence), &key);
  return key;
}

absl::string_view SagaIdOfHistoryKey(absl::string_view history_key) {
  constexpr size_t kEndBytes = 1 + kSequenceBytes;
  return SagaIdOfKey(history_key.substr(0, history_key.size() - std::min(kEndBytes, history_key.size())));
}

int64_t SequenceOfHistoryKey(absl::string_view history_key) {
  if (history_key.size() < kSequenceBytes) return 0;
  return static_cast<int64_t>(ReadBigEndian64(history_key.substr(history_key.size() - kSequenceBytes)));
}

std::string DefinitionKey(absl::string_view name, int64_t revision) {
  std::string key(name);
  key.push_back('\0');
  AppendBigEndian64(static_cast<uint64_t>(revision), &key);
  return key;
}

std::string TimeIndexPrefix() {
  return "t";
}

std::string StateIndexPrefix(v1::SagaState state) {
  return {'s', static_cast<char>(state)};
}

std::string ParkedIndexPrefix() {
  return "p";
}

std::string DefinitionIndexPrefix(absl::string_view definition) {
  std::string prefix = "d";
  AppendEscaped(definition, &prefix);
  return prefix;
}

std::string LabelIndexPrefix(absl::string_view key, absl::string_view value) {
  std::string prefix = "l";
  AppendEscaped(key, &prefix);
  AppendEscaped(value, &prefix);
  return prefix;
}

void AppendPosition(int64_t started_ms, absl::string_view saga_id, std::string* out) {
  AppendBigEndian64(DescendingTime(started_ms), out);
  out->append(saga_id.data(), saga_id.size());
}

std::optional<Position> ParsePosition(absl::string_view bytes) {
  if (bytes.size() < 8) return std::nullopt;
  return Position{FromDescendingTime(ReadBigEndian64(bytes)), std::string(bytes.substr(8))};
}

std::optional<IndexEntry> ParseIndexKey(absl::string_view key) {
  if (key.empty()) return std::nullopt;
  std::string by;
  absl::string_view rest = key.substr(1);
  if (key[0] == 't') {
    by = "time";
  } else if (key[0] == 'p') {
    by = "parked";
  } else if (key[0] == 's' && !rest.empty()) {
    by = absl::StrCat("state ", static_cast<int>(rest[0]));
    rest.remove_prefix(1);
  } else if (key[0] == 'd') {
    std::string name;
    if (!TakeEscaped(&rest, &name)) return std::nullopt;
    by = absl::StrCat("definition ", name);
  } else if (key[0] == 'l') {
    std::string label, value;
    if (!TakeEscaped(&rest, &label) || !TakeEscaped(&rest, &value)) return std::nullopt;
    by = absl::StrCat("label ", label, " = ", value);
  } else {
    return std::nullopt;
  }
  std::optional<Position> position = ParsePosition(rest);
  if (!position.has_value()) return std::nullopt;
  return IndexEntry{std::move(by), *std::move(position)};
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

}  // namespace tutti::store
