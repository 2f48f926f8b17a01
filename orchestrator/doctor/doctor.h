// Looks a store through without changing anything in it: what `tuttictl doctor` does.
#ifndef TUTTI_ORCHESTRATOR_DOCTOR_DOCTOR_H_
#define TUTTI_ORCHESTRATOR_DOCTOR_DOCTOR_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tutti::doctor {

// Says whether anything that was acknowledged is missing, and checks every record against its reader and its
// definition, every definition by compiling it again, every index, the active sagas and every history. Writes a line
// for each flaw as it is found, and a summary; gives the number of flaws. `folder` is an orchestrator's --data-dir, or
// the store in it. Errors as store::ReadOnlyStore::Open.
absl::StatusOr<int64_t> Examine(const std::string& folder, std::ostream& out);

// Writes one saga's record as it lies there: as text when it can be read, else as the bytes that it is. NOT_FOUND when
// there is none.
absl::Status ShowRaw(const std::string& folder, absl::string_view saga_id, std::ostream& out);

}  // namespace tutti::doctor

#endif  // TUTTI_ORCHESTRATOR_DOCTOR_DOCTOR_H_
