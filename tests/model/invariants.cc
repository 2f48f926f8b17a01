// What must hold, judged by the participants' truth and not by what the orchestrator believes of them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/describe.h"
#include "tests/model/world.h"

namespace tutti::model {

Stage StageOf(const Facts& facts) {
  switch (facts.state) {
    case v1::SAGA_STATE_RUNNING:
      return facts.committed ? kCommitted : kStarted;
    case v1::SAGA_STATE_SUCCEEDED:
      return kSucceeded;
    case v1::SAGA_STATE_COMPENSATING:
      return kCompensating;
    case v1::SAGA_STATE_COMPENSATED:
      return kCompensated;
    default:
      return kUnheard;
  }
}

bool NoOlderThan(Stage later, Stage seen) {
  if (seen <= kStarted) return later >= seen;
  const bool forward = seen == kCommitted || seen == kSucceeded;
  const bool later_forward = later == kCommitted || later == kSucceeded;
  return forward == later_forward && later >= seen;
}

void Universe::Violate(const char* invariant, std::string what) {
  if (!violation_->has_value()) *violation_ = Violation{invariant, std::move(what)};
}

// One decision: I4, the commit point, the guard, and what an answer without a mark may do.
void Universe::CheckStep(const World& before, const World& after, const EventName& event, const Outcome& outcome) {
  const Facts& was = machine_.facts(before.memory);
  const Facts& is = machine_.facts(after.memory);
  if (was.terminal() && was.state != is.state) Violate("I4", "the saga left a state that absorbs");
  if (was.terminal() && !outcome.sends.empty()) Violate("I4", "a command is sent though the saga has ended");
  if (was.committed && is.aborted()) Violate("I4", "the saga aborted after its commit point");
  CheckHold(was, is, event, outcome);
  if (event.kind != EventKind::kReply) return;
  const int step = event.attempt.step;
  const bool barrier = scenario_.steps[step].service == ServiceKind::kBarrier ||
                       scenario_.steps[step].service == ServiceKind::kOldReplica;
  const bool undo_begun = was.steps[step].command[1].exists;
  if (event.answer == Answer::kOk && !event.attempt.undo && undo_begun) {
    const bool alarmed = (outcome.alarmed_steps >> step & 1) != 0;
    if (!alarmed || (!is.terminal() && !is.steps[step].parked)) {
      Violate("guard", "a success that came after its compensation was sent raised no alarm");
    }
  }
  const v1::StepState state = is.steps[step].state;
  const bool settled = state == v1::STEP_STATE_SUCCEEDED || state == v1::STEP_STATE_COMPENSATED;
  if (barrier && event.answer == Answer::kOk && settled && was.steps[step].state != state) {
    Violate("mark", "a barrier participant's OK without a mark settled the step");
  }
}

// What comes from a backup waits for an operator: nothing is sent at once, and no time that passes turns the saga
// round.
void Universe::CheckHold(const Facts& was, const Facts& is, const EventName& event, const Outcome& outcome) {
  const bool first = event.kind == EventKind::kRecoveredHeld && !was.was_held;
  if (first && !is.terminal() && (!outcome.sends.empty() || !is.parked)) {
    Violate("hold", "a saga from a backup goes on without an operator's word");
  }
  const bool by_time = event.kind == EventKind::kSagaTimeout || event.kind == EventKind::kStepDeadline;
  if (was.held && by_time && was.state != is.state) Violate("hold", "a saga from a backup aborts while it is held");
}

void Universe::CheckHandOver(const World& world, const Traffic& traffic) {
  const AttemptName& name = traffic.name;
  if (!name.undo && machine_.facts(world.memory).aborted()) {
    Violate("I3", "an action is handed to the transport after the abort");
  }
  if (machine_.facts(world.durable).steps[name.step].command[name.undo].attempts < name.number) {
    Violate("I5", "a command leaves before its intent is durable");
  }
}

void Universe::CheckState(const World& world) {
  if (violation_->has_value()) return;
  for (size_t step = 0; step < scenario_.steps.size(); ++step) {
    if (!KeepsContract(scenario_.steps[step].service)) continue;
    const int effect = world.services[step].effect;
    if (effect != 0 && effect != 1) {
      Violate("I1",
              absl::StrCat("step ", scenario_.steps[step].name, " was ", effect < 0 ? "undone" : "applied", " twice"));
    }
  }
  CheckEnd(world, world.memory);
  if (world.durable != world.memory) CheckEnd(world, world.durable);
  CheckOrder(world);
}

void Universe::CheckEnd(const World& world, RecordId record) {
  const Facts& facts = machine_.facts(record);
  if (!facts.terminal()) return;
  const bool succeeded = facts.state == v1::SAGA_STATE_SUCCEEDED;
  for (size_t step = 0; step < scenario_.steps.size(); ++step) {
    const StepSpec& spec = scenario_.steps[step];
    // `compensation: none` says that there is no effect worth undoing.
    const bool effect_free = !succeeded && spec.kind == v1::STEP_KIND_COMPENSATABLE && !spec.undo;
    if (!KeepsContract(spec.service) || effect_free || world.services[step].effect == (succeeded ? 1 : 0)) continue;
    Violate("I1", absl::StrCat(saga::ShortName(facts.state), ", but the effect of step ", spec.name,
                               succeeded ? " is not there" : " remains"));
  }
}

void Universe::CheckOrder(const World& world) {
  if (machine_.facts(world.memory).state == v1::SAGA_STATE_SUCCEEDED) return;
  for (size_t step = 0; step < scenario_.steps.size(); ++step) {
    if ((world.undo_sent >> step & 1) == 0) continue;
    for (const int later : machine_.recipe().steps[step].transitive_dependents) {
      const StepSpec& spec = scenario_.steps[later];
      const bool undoable = spec.kind == v1::STEP_KIND_COMPENSATABLE && spec.undo;
      if (!undoable || !KeepsContract(spec.service) || world.services[later].effect == 0) continue;
      Violate("I2", absl::StrCat("the compensation of step ", scenario_.steps[step].name,
                                 " is out while the effect of step ", spec.name, ", which depends on it, stands"));
    }
  }
}

std::optional<Violation> Universe::CheckRest(const World& world, const std::vector<Move>& moves) const {
  const Facts& facts = machine_.facts(world.memory);
  const bool moved = std::any_of(moves.begin(), moves.end(), [](const Move& move) { return move.progress; });
  if (world.memory == 0 || facts.terminal() || facts.parked || moved) return std::nullopt;
  return Violation{"I6", "the saga neither ends nor is parked, and nothing moves it"};
}

}  // namespace tutti::model
