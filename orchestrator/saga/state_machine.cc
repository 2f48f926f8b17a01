#include "orchestrator/saga/state_machine.h"

#include "common/check.h"
#include "orchestrator/saga/transition.h"

namespace tutti::saga {

Decision StateMachine::Step(const Recipe& recipe, const Event& event, storage::v1::SagaRecord* record) const {
  const bool starts = std::holds_alternative<StartRequested>(event.body);
  TUTTI_CHECK(starts == record->uid().empty(), "a saga starts once, and nothing happens to it before");
  TUTTI_CHECK(starts || record->steps_size() == static_cast<int>(recipe.steps.size()),
              "a saga is stepped with the recipe it is pinned to");
  const bool was_terminal = !starts && IsTerminal(record->state());
  const v1::SagaState before = record->state();
  Decision decision = Transition(settings_, *traits_, recipe, event, record).Run();
  TUTTI_CHECK(!was_terminal || record->state() == before, "terminal states absorb");
  return decision;
}

}  // namespace tutti::saga
