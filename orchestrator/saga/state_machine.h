// The heart: one saga's state machine. Pure: no I/O, no threads, no clock, no randomness. Given a record and an event
// it changes the record and says which history to append and which effects to carry out once that is durable.
#ifndef TUTTI_ORCHESTRATOR_SAGA_STATE_MACHINE_H_
#define TUTTI_ORCHESTRATOR_SAGA_STATE_MACHINE_H_

#include <vector>

#include "absl/status/status.h"
#include "orchestrator/saga/effect.h"
#include "orchestrator/saga/event.h"
#include "orchestrator/saga/recipe.h"
#include "orchestrator/saga/record_query.h"

namespace tutti::saga {

// The version this binary writes; it refuses records of a newer one.
inline constexpr uint32_t kRecordVersion = 1;

struct Settings {
  int64_t late_reply_grace_ms = 10'000;
  int64_t command_horizon_ms = 7LL * 24 * 3600 * 1000;  // older keys are never sent again
  int64_t pushback_ms_max = 60'000;
};

// What one event led to. `record_changed` is false for events that were stale or refused; then nothing need be written.
struct Decision {
  absl::Status answer;      // for requests: why they were refused. FAILED_PRECONDITION
  const char* reason = "";  // of a refusal, stable: SAGA_NOT_CANCELLABLE, PARKING_STALE, …
  bool record_changed = false;
  std::vector<v1::HistoryEvent> history;
  std::vector<Effect> effects;
};

class StateMachine {
 public:
  // The sources must outlive the machine.
  StateMachine(Settings settings, const ParticipantTraitsSource* traits) : settings_(settings), traits_(traits) {}

  // `record` is empty for StartRequested and was made by earlier calls with the same recipe otherwise.
  Decision Step(const Recipe& recipe, const Event& event, storage::v1::SagaRecord* record) const;

 private:
  const Settings settings_;
  const ParticipantTraitsSource* const traits_;
};

}  // namespace tutti::saga

#endif  // TUTTI_ORCHESTRATOR_SAGA_STATE_MACHINE_H_
