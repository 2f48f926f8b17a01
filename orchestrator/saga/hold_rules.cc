// What a store that was restored from a backup begins with: everything that is open is parked. Since the backup it may
// have gone on in any way, which only the participants' books can tell; so nothing is sent and nothing aborts, until an
// operator's word on each parking.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/mutation.h"
#include "orchestrator/saga/transition.h"

namespace tutti::saga {

using storage::v1::StepRecord;

// A step that is parked already stays so by its own cause: a word for many steps must not answer that one, too.
void Transition::ParkRestored(CommandRef ref, const Hold& hold) {
  if (TUTTI_MUTATE(kRestoredGoesOn, StepAt(ref.step).has_parking(), true)) return;
  Park(ref, v1::PARKING_CAUSE_RESTORED,
       absl::StrCat(hold.what, "; look at the participant's books for what became of it since then"));
}

// Before its attempts are given up: silence would end in a retry or an abort.
void Transition::HoldWhatIsUnderWay(const Hold& hold) {
  record_->set_hold_id(hold.id);
  // Time that passed beside the backup is nobody's fault, and an abort could undo what was carried through since.
  record_->set_timeout_at_ms(TUTTI_MUTATE(kHeldTimesOut, 0, record_->timeout_at_ms()));
  for (int step = 0; step < step_count(); ++step) {
    const bool forward = record_->state() == v1::SAGA_STATE_RUNNING && StepAt(step).state() == v1::STEP_STATE_RUNNING;
    if (forward) ParkRestored({step, v1::OPERATION_ACTION}, hold);
    if (StepAt(step).state() == v1::STEP_STATE_COMPENSATING) ParkRestored({step, v1::OPERATION_COMPENSATION}, hold);
  }
}

// What would begin by itself, now or once an attempt is settled.
void Transition::HoldWhatIsNext(const Hold& hold) {
  for (int step = 0; step < step_count(); ++step) {
    if (record_->state() == v1::SAGA_STATE_RUNNING) {
      if (ReadyToStart(step)) ParkRestored({step, v1::OPERATION_ACTION}, hold);
    } else if (NeedsCompensation(step)) {
      ParkRestored({step, v1::OPERATION_COMPENSATION}, hold);
    }
  }
}

bool Transition::IsHeld() const {
  return std::any_of(record_->steps().begin(), record_->steps().end(),
                     [](const StepRecord& step) { return step.parking().cause() == v1::PARKING_CAUSE_RESTORED; });
}

// By an operator's word, when it leaves nothing held: the configured length anew, as a retry gives a step's deadline.
void Transition::ResumeTimeout() {
  const bool stands_still = recipe_.timeout_ms > 0 && record_->timeout_at_ms() == 0;
  if (!stands_still || IsHeld()) return;
  if (record_->state() != v1::SAGA_STATE_RUNNING || record_->committed_ms() != 0) return;
  record_->set_timeout_at_ms(event_.now_ms + recipe_.timeout_ms);
  SetTimer(TimerKind::kSagaTimeout, {}, recipe_.timeout_ms);
}

}  // namespace tutti::saga
