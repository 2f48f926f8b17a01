// Holds a whole store against itself: every record against its reader, every index against one rebuilt from the
// records, the active sagas, the history. Reads all there is.
#ifndef TUTTI_ORCHESTRATOR_STORE_AUDIT_H_
#define TUTTI_ORCHESTRATOR_STORE_AUDIT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "orchestrator/store/view.h"

namespace tutti::store {

// One thing that is not as it should be.
struct Flaw {
  std::string where;  // "saga order-7", "history of saga order-7"
  std::string what;   // "is missing in the index by time"
};

struct AuditCounts {
  int64_t sagas = 0;  // records, readable or not
  int64_t active = 0;
  int64_t events = 0;
  int64_t index_entries = 0;
};

// Further demands on each record that can be read.
using RecordCheck = std::function<absl::Status(const storage::v1::SagaRecord&)>;
using FlawSink = std::function<void(const Flaw&)>;

// Goes on after each flaw. A column that cannot be read to its end is a flaw as well.
AuditCounts Audit(const View& view, const RecordCheck& check, const FlawSink& flaw);

// All that concerns one saga. Unset when nothing in the store tells of it.
std::optional<AuditCounts> AuditSaga(const View& view, absl::string_view saga_id, const RecordCheck& check,
                                     const FlawSink& flaw);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_AUDIT_H_
