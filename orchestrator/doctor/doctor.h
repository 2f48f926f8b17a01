// Looks a store through without changing anything in it: what `tuttictl doctor` does.
#ifndef TUTTI_ORCHESTRATOR_DOCTOR_DOCTOR_H_
#define TUTTI_ORCHESTRATOR_DOCTOR_DOCTOR_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tutti::doctor {

// One thing that is not as it should be.
struct Flaw {
  std::string where;  // "saga order-7", "history of saga order-7", "store"
  std::string what;
};
using FlawSink = std::function<void(const Flaw&)>;

struct Findings {
  int64_t flaws = 0;
  // What was looked at.
  int64_t sagas = 0;
  int64_t active = 0;
  int64_t events = 0;
  int64_t index_entries = 0;
  int64_t revisions = 0;
};

// Says whether anything that was acknowledged is missing, and checks every record against its reader and its
// definition, every definition by compiling it again, every index, the active sagas and every history; or, where a saga
// is named, what concerns that one. Tells each flaw as it is found. `folder` is an orchestrator's --data-dir, or the
// store in it. Errors as store::ReadOnlyStore::Open; NOT_FOUND when nothing in the store tells of the saga.
absl::StatusOr<Findings> Examine(const std::string& folder, absl::string_view saga_id, const FlawSink& flaw);

// The same of the whole store in text: a line for each flaw, and a summary. Gives the number of flaws.
absl::StatusOr<int64_t> Examine(const std::string& folder, std::ostream& out);
std::string Summary(const Findings& findings);

// Writes one saga's record as it lies there: as text when it can be read, else as the bytes that it is. NOT_FOUND when
// there is none.
absl::Status ShowRaw(const std::string& folder, absl::string_view saga_id, std::ostream& out);

}  // namespace tutti::doctor

#endif  // TUTTI_ORCHESTRATOR_DOCTOR_DOCTOR_H_
