// Pages of sagas by index. Every index has its entries in one order, that of positions, so the sagas that satisfy
// several terms are where all their indexes meet: each leaps to the furthest of the others, and the rarest sets the
// pace.
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/limits.h"
#include "orchestrator/saga/record_query.h"
#include "orchestrator/store/key_codec.h"
#include "orchestrator/store/unreadable.h"
#include "orchestrator/store/view.h"

namespace tutti::store {
namespace {

using storage::v1::SagaRecord;

// The entries of one prefix from one position on, up to another; both may be empty.
class IndexWalk {
 public:
  IndexWalk(const View& view, std::string prefix, absl::string_view from, absl::string_view to)
      : prefix_(std::move(prefix)),
        walk_(view.Range(Column::kIndex, absl::StrCat(prefix_, from),
                         to.empty() ? PrefixEnd(prefix_) : absl::StrCat(prefix_, to))) {}

  bool Valid() const { return walk_->Valid(); }
  absl::string_view position() const { return walk_->key().substr(prefix_.size()); }
  absl::Status status() const { return walk_->status(); }
  void Next() { walk_->Next(); }

  // To the first entry that is not before this position. How many steps that took.
  int LeapTo(absl::string_view position) {
    walk_->Next();  // where indexes overlap a lot, the next one is it
    if (!Valid() || this->position() >= position) return 1;
    walk_->Seek(absl::StrCat(prefix_, position));
    return 2;
  }

 private:
  const std::string prefix_;
  const std::unique_ptr<Walk> walk_;
};

// Where several walks meet. At least one.
class Meeting {
 public:
  explicit Meeting(std::vector<std::unique_ptr<IndexWalk>> walks)
      : walks_(std::move(walks)), steps_(static_cast<int>(walks_.size())) {
    for (const auto& walk : walks_) over_ = over_ || !walk->Valid();
    if (!over_) Aim(0);
  }

  bool over() const { return over_; }  // or the store failed: see status()
  bool met() const { return met_ == walks_.size(); }
  // Where they meet, or the furthest that any of them has come to.
  const std::string& position() const { return position_; }
  // Everything up to here was met or is not in all of them. Empty at first.
  const std::string& passed() const { return passed_; }
  int steps() const { return steps_; }

  absl::Status status() const {
    for (const auto& walk : walks_) {
      if (!walk->status().ok()) return walk->status();
    }
    return absl::OkStatus();
  }

  // Brings one more of them to the position, or finds that it is not there. Not when they have met.
  void Step() {
    const size_t next = (ahead_ + met_) % walks_.size();
    IndexWalk& walk = *walks_[next];
    if (walk.position() < position_) steps_ += walk.LeapTo(position_);
    over_ = !walk.Valid();
    if (over_) return;
    if (walk.position() == position_) {
      ++met_;
    } else {
      passed_ = position_;
      Aim(next);
    }
  }

  // Past the position where they have met.
  void Pass() {
    passed_ = position_;
    walks_[ahead_]->Next();
    ++steps_;
    over_ = !walks_[ahead_]->Valid();
    if (!over_) Aim(ahead_);
  }

 private:
  void Aim(size_t walk) {
    ahead_ = walk;
    met_ = 1;
    position_ = std::string(walks_[walk]->position());
  }

  const std::vector<std::unique_ptr<IndexWalk>> walks_;
  int steps_;
  bool over_ = false;
  size_t ahead_ = 0;  // the walk that set the position
  size_t met_ = 0;    // walks at the position, counted from that one on
  std::string position_;
  std::string passed_;
};

// One for each term that has an index.
std::vector<std::string> PrefixesOf(const ListQuery& query) {
  std::vector<std::string> prefixes;
  if (query.parked.value_or(false)) prefixes.push_back(ParkedIndexPrefix());
  for (const auto& [key, value] : query.labels) prefixes.push_back(LabelIndexPrefix(key, value));
  if (query.state.has_value()) prefixes.push_back(StateIndexPrefix(*query.state));
  if (!query.definition.empty()) prefixes.push_back(DefinitionIndexPrefix(query.definition));
  if (prefixes.empty()) prefixes.push_back(TimeIndexPrefix());
  return prefixes;
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

// What a cursor is bound to: everything but the page size and the budget.
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

// The fingerprint, and the position that was passed last.
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

// The smallest position of the page.
absl::StatusOr<std::string> BeginOf(const ListQuery& query) {
  std::string begin;
  if (query.cursor.empty()) {
    if (query.started_to_ms.has_value()) AppendPosition(*query.started_to_ms, "", &begin);
    return begin;
  }
  auto passed = DecodeCursor(query);
  if (passed.ok()) passed->push_back('\0');
  return passed;
}

// The smallest position behind the query's time range; empty when it has no such end.
std::string EndOf(const ListQuery& query) {
  std::string end;
  const int64_t from_ms = query.started_from_ms.value_or(std::numeric_limits<int64_t>::min());
  if (from_ms > std::numeric_limits<int64_t>::min()) AppendPosition(from_ms - 1, "", &end);
  return end;
}

// The record of the index entry at this position, without its payloads. Unset, and added to `unreadable`, when it
// cannot be read. Fails when the store itself cannot be.
absl::StatusOr<std::optional<SagaRecord>> ReadAt(const View& view, absl::string_view position,
                                                 std::vector<UnreadableRecord>* unreadable) {
  const auto parsed = ParsePosition(position);
  if (!parsed.has_value()) {
    unreadable->push_back({"", "an index entry is damaged, so nobody can say whose it is"});
    return std::optional<SagaRecord>();
  }
  auto record = ReadSaga(view, parsed->saga_id, Extent::kHeader);
  if (absl::IsNotFound(record.status())) {
    record = UnreadableError(parsed->saga_id, "it is in an index, but has no record");
  }
  if (record.ok()) return std::optional<SagaRecord>(*std::move(record));
  if (!IsUnreadable(record.status())) return record.status();
  unreadable->push_back({parsed->saga_id, std::string(record.status().message())});
  return std::optional<SagaRecord>();
}

}  // namespace

absl::StatusOr<ListPage> ReadPage(const View& view, const ListQuery& query) {
  const auto begin = BeginOf(query);
  if (!begin.ok()) return begin.status();
  std::vector<std::unique_ptr<IndexWalk>> walks;
  for (std::string& prefix : PrefixesOf(query)) {
    walks.push_back(std::make_unique<IndexWalk>(view, std::move(prefix), *begin, EndOf(query)));
  }
  Meeting meeting(std::move(walks));
  const size_t page_size = static_cast<size_t>(std::clamp(query.page_size, 1, limits::kPageSizeMax));
  ListPage page;
  int records = 0;
  while (!meeting.over()) {
    const bool full = meeting.met() && page.sagas.size() + page.unreadable.size() >= page_size;
    const bool spent = meeting.steps() + records >= query.scan_budget;
    if ((full || spent) && !meeting.passed().empty()) {
      page.next_cursor = EncodeCursor(query, meeting.passed());
      break;
    }
    if (!meeting.met()) {
      meeting.Step();
      continue;
    }
    ++records;
    auto record = ReadAt(view, meeting.position(), &page.unreadable);
    if (!record.ok()) return record.status();
    if (record->has_value() && Matches(query, **record)) page.sagas.push_back(**std::move(record));
    meeting.Pass();
  }
  page.scanned = meeting.steps() + records;
  if (absl::Status status = meeting.status(); !status.ok()) return status;
  return page;
}

absl::StatusOr<EndedPage> ReadEnded(const View& view, const EndedQuery& query) {
  std::string begin;
  if (query.cursor.empty()) {
    AppendPosition(query.ended_by_ms, "", &begin);
  } else {
    begin = query.cursor + '\0';  // the smallest position after the cursor's
  }
  const size_t page_size = static_cast<size_t>(std::clamp(query.page_size, 1, limits::kPageSizeMax));
  EndedPage page;
  std::string last;  // position
  IndexWalk walk(view, TimeIndexPrefix(), begin, "");
  for (size_t scanned = 0; walk.Valid(); walk.Next(), ++scanned) {
    if (page.saga_ids.size() == page_size || scanned == limits::kEndedScanMax) {
      page.next_cursor = std::move(last);
      return page;
    }
    last = std::string(walk.position());
    // What cannot be read must not keep everything behind it.
    auto record = ReadAt(view, last, &page.unreadable);
    if (!record.ok()) return record.status();
    if (!record->has_value()) continue;
    if (!saga::IsActive(**record) && (*record)->finished_ms() <= query.ended_by_ms) {
      const int64_t ended_ms = (*record)->finished_ms();
      page.first_ended_ms = page.saga_ids.empty() ? ended_ms : std::min(page.first_ended_ms, ended_ms);
      page.saga_ids.push_back((*record)->saga_id());
    }
  }
  if (!walk.status().ok()) return walk.status();
  return page;
}

}  // namespace tutti::store
