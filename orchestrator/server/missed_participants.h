// What would be without its participant if a file of participants held.
#ifndef TUTTI_ORCHESTRATOR_SERVER_MISSED_PARTICIPANTS_H_
#define TUTTI_ORCHESTRATOR_SERVER_MISSED_PARTICIPANTS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "orchestrator/catalog/catalog.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::server {

struct MissedParticipant {
  std::string participant;
  std::string by;  // "definition pay", or "saga s1 of definition pay, revision 2": one of those who call it
};

// Of the participants that `known` lacks, each that the newest revision of an enabled definition calls, or the one that
// an open saga is pinned to. Looks through open sagas only when something else is missing. Errors as the reader's.
absl::StatusOr<std::vector<MissedParticipant>> FindMissed(const catalog::Catalog& catalog,
                                                          const store::SagaReader& reader,
                                                          const std::set<std::string>& known);

// Who is missed right now. Thread-safe.
class MissedParticipants {
 public:
  // Logs a warning for each that was not missed before.
  void Set(const std::vector<MissedParticipant>& missed);
  std::set<std::string> names() const;

 private:
  mutable Mutex mu_;
  std::set<std::string> names_ ABSL_GUARDED_BY(mu_);
};

// "payment (definition pay), seats (…)".
std::string Describe(const std::vector<MissedParticipant>& missed);

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_MISSED_PARTICIPANTS_H_
