// What a command does when it lands at a participant. Barrier participants decide by the shipped barrier; the storing
// around it follows participants/sdk/inbox.cc.
#ifndef TUTTI_TESTS_MODEL_SERVICE_H_
#define TUTTI_TESTS_MODEL_SERVICE_H_

#include <cstdint>
#include <vector>

#include "tests/model/machine.h"

namespace tutti::model {

// A participant's whole memory of one step of one saga.
struct Service {
  uint8_t row = 0;    // barrier: RowState, and which key undid it; plain: what was applied and undone
  int8_t effect = 0;  // what is left of the step out there: 0 or 1, anything else is wrong
};

// One way in which a landing can go.
struct Landing {
  Service after;
  Answer answer = Answer::kOk;
  bool fault = false;  // costs one of the run's faults
};

// All ways. Never empty, and the first is the one without trouble.
std::vector<Landing> Landings(const StepSpec& step, bool undo, bool first_key, const Service& service);

// Whether a command may land after its grace is over.
bool LandsAtAnyTime(ServiceKind kind);

// Whether I1 is promised of such a participant.
bool KeepsContract(ServiceKind kind);

// Whether something between orchestrator and participant may duplicate a call, or refuse it by itself.
bool HasMeddlers(const StepSpec& step);

}  // namespace tutti::model

#endif  // TUTTI_TESTS_MODEL_SERVICE_H_
