// What the shards write to and everybody reads from. Two implementations: RocksDB and memory.
#ifndef TUTTI_ORCHESTRATOR_STORE_SAGA_STORE_H_
#define TUTTI_ORCHESTRATOR_STORE_SAGA_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "tutti/storage/v1/record.pb.h"

namespace tutti::store {

// One saga's part of a write set: the whole new record and the history that led to it.
struct SagaWrite {
  storage::v1::SagaRecord record;
  std::vector<v1::HistoryEvent> history;
  // The state and parking the store last saw; unset when the saga is new. The store derives its indexes from the pair.
  struct Indexed {
    v1::SagaState state = v1::SAGA_STATE_UNSPECIFIED;
    bool parked = false;
  };
  std::optional<Indexed> previous;
};

// Records and history, never keys: slots, key layout and indexes are the store's own business.
struct WriteSet {
  std::vector<SagaWrite> sagas;
  std::vector<storage::v1::DefinitionRecord> definitions;
  // The last records of sagas whose retention is over: they go, with their history and every index entry. Never active
  // ones, and never beside a write of the same id.
  std::vector<storage::v1::SagaRecord> expired;
  std::optional<storage::v1::HoldRecord> hold;  // what holds from now on
};

// Of DefinitionRecord. What holds for a definition as a whole (revision 0) came with 2: a binary that does not know it
// must not start sagas that it forbids. Types by participant came with 3: without them a revision cannot be compiled.
inline constexpr uint32_t kRevisionVersion = 1;
inline constexpr uint32_t kWholeDefinitionVersion = 2;
inline constexpr uint32_t kParticipantTypesVersion = 3;
inline constexpr uint32_t kDefinitionVersionMax = kParticipantTypesVersion;

enum class CommitResult {
  kDurable,
  kUnknown,  // it may or may not be there: release nothing, forget, recover
  kFenced,   // somebody else owns the log now: same
};

// Called on a thread of the store's; must not block. After anything but kDurable every later commit ends the same way.
using CommitDone = std::function<void(CommitResult, const absl::Status& detail)>;

// Thread-safe. Write sets handed over by one thread become durable in that order; `done` is called in that order too.
// The write set is read before Commit returns.
class SagaStore {
 public:
  virtual ~SagaStore() = default;
  virtual void Commit(const WriteSet& write_set, CommitDone done) = 0;
};

// Equality terms must all hold. Times are milliseconds since the epoch, both ends included.
struct ListQuery {
  std::optional<v1::SagaState> state;
  std::optional<bool> parked;
  std::string definition;  // empty: any
  std::vector<std::pair<std::string, std::string>> labels;
  std::optional<int64_t> started_from_ms;
  std::optional<int64_t> started_to_ms;
  int page_size = 50;
  std::string cursor;  // opaque, from an earlier page of the same query; empty: the first
  // Index steps and records read, at most; then the page ends early. A page of any budget gets further by something.
  int scan_budget = limits::kListScanMax;
};

// A saga whose record was there but could not be read, and was stepped over.
struct UnreadableRecord {
  std::string saga_id;
  std::string error;  // why not
};

// Stops the iteration by returning an error.
using RecordVisitor = std::function<absl::Status(storage::v1::SagaRecord)>;
using UnreadableVisitor = std::function<void(UnreadableRecord)>;

struct ListPage {
  // Newest start first. Without payloads: input, output, replies, requests and their metadata are left out.
  std::vector<storage::v1::SagaRecord> sagas;
  // Stepped over, in that order too; they satisfy the indexed terms, whatever else the query asks. They count towards
  // the page's size.
  std::vector<UnreadableRecord> unreadable;
  std::string next_cursor;  // empty: no more
  int scanned = 0;          // of the query's scan_budget
};

struct EndedQuery {
  int64_t ended_by_ms = 0;  // finished at or before this time, milliseconds since the epoch
  int page_size = 100;
  std::string cursor;  // opaque, from an earlier page of the same query; empty: the first
};

struct EndedPage {
  std::vector<std::string> saga_ids;
  int64_t first_ended_ms = 0;                // when the first of them ended; 0: there is none
  std::string next_cursor;                   // empty: no more
  std::vector<UnreadableRecord> unreadable;  // stepped over; they stay until somebody looks
};

// Reads only what is committed. Thread-safe. NOT_FOUND where there is nothing; DATA_LOSS for a record that cannot be
// read, FAILED_PRECONDITION for one of a newer version.
class SagaReader {
 public:
  virtual ~SagaReader() = default;
  virtual absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view saga_id) const = 0;
  // The stored bytes of its record, whether they can be read or not.
  virtual absl::StatusOr<std::string> GetRaw(absl::string_view saga_id) const = 0;
  // At most `limit` events with sequence >= from_sequence, in order. Empty when there are none.
  virtual absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view saga_id, int64_t from_sequence,
                                                                   int limit) const = 0;
  // INVALID_ARGUMENT for a cursor that is not of this query.
  virtual absl::StatusOr<ListPage> ListSagas(const ListQuery& query) const = 0;
  // Sagas that are not active (saga::IsActive) and ended in time, newest start first; one that seems to have started
  // after ended_by_ms, because a clock was set back, is left for later. A page may be empty and have a cursor.
  virtual absl::StatusOr<EndedPage> FindEnded(const EndedQuery& query) const = 0;
  // Every active saga (saga::IsActive) whose slot is in [first_slot, end_slot). What is damaged is stepped over; a
  // record of a newer version ends it, and so does the visitor's first error.
  virtual absl::Status ForEachActive(uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                                     const UnreadableVisitor& unreadable) const = 0;
  virtual absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const = 0;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_SAGA_STORE_H_
