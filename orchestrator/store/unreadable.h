// What is said about a record that cannot be read, wherever somebody meets it.
#ifndef TUTTI_ORCHESTRATOR_STORE_UNREADABLE_H_
#define TUTTI_ORCHESTRATOR_STORE_UNREADABLE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tutti::store {

// DATA_LOSS that names the saga, what is wrong with its record, and the remedy.
absl::Status UnreadableError(absl::string_view saga_id, absl::string_view why);

// The record is there, but damaged or of a newer version. Not so when the store itself cannot be read.
bool IsUnreadable(const absl::Status& status);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_UNREADABLE_H_
