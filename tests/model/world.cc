#include "tests/model/world.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "orchestrator/saga/describe.h"

namespace tutti::model {
namespace {

uint64_t BitOf(const AttemptName& name) {
  return 1ull << ((name.step * 2 + name.undo) * kAttemptsMax + (name.number - 1) % kAttemptsMax);
}

AttemptName NameOfBit(int bit) {
  const int command = bit / kAttemptsMax;
  return {.step = static_cast<uint8_t>(command / 2),
          .undo = static_cast<uint8_t>(command % 2),
          .number = static_cast<uint8_t>(bit % kAttemptsMax + 1)};
}

uint64_t Rotated(uint64_t value, int by) {
  return value << by | value >> (64 - by);
}

const Traffic* FindTraffic(const World& world, const AttemptName& name) {
  const Traffic* found = std::find_if(std::begin(world.traffic), std::end(world.traffic),
                                      [&](const Traffic& traffic) { return traffic.name == name; });
  return found == std::end(world.traffic) ? nullptr : found;
}

void Answered(Traffic* traffic, Answer answer) {
  if (!traffic->call) return;  // nobody listens
  uint8_t* place = traffic->replies[0] == 0 ? &traffic->replies[0] : &traffic->replies[1];
  *place = static_cast<uint8_t>(static_cast<uint8_t>(answer) + 1);
}

void RemoveReply(Traffic* traffic, int index) {
  if (index == 0) traffic->replies[0] = traffic->replies[1];
  traffic->replies[1] = 0;
}

}  // namespace

Fingerprint FingerprintOf(const World& world) {
  static_assert(sizeof(World) % sizeof(uint64_t) == 0);
  uint64_t words[sizeof(World) / sizeof(uint64_t)];
  std::memcpy(words, &world, sizeof(World));
  uint64_t a = 0x243F6A8885A308D3ull;
  uint64_t b = 0x13198A2E03707344ull;
  for (const uint64_t word : words) {
    a = Rotated((a ^ word) * 0x9E3779B97F4A7C15ull, 29) + b;
    b = Rotated((b + word) * 0xC2B2AE3D27D4EB4Full, 31) ^ a;
  }
  a = (a ^ a >> 32) * 0xD6E8FEB86659FD93ull;
  b = (b ^ b >> 29) * 0xBF58476D1CE4E5B9ull;
  return {a ^ a >> 32, b ^ b >> 32};
}

Universe::Universe(const Scenario& scenario) : scenario_(scenario), machine_(scenario) {}

World Universe::Initial() {
  World world;
  world.faults = static_cast<uint8_t>(scenario_.bounds.faults);
  world.crashes = static_cast<uint8_t>(scenario_.bounds.crashes);
  world.cancels = static_cast<uint8_t>(scenario_.bounds.cancels);
  world.words = static_cast<uint8_t>(scenario_.bounds.words);
  world.restores = static_cast<uint8_t>(scenario_.bounds.restores);
  std::optional<Violation> none;
  violation_ = &none;
  Decide(&world, {.kind = EventKind::kStart});
  Tidy(&world);
  return world;
}

void Universe::Moves(const World& world, std::vector<Move>* moves) {
  moves->clear();
  if (world.memory == 0 && !world.unreadable) return;  // the start was lost, and nobody had heard of it
  if (world.pending[0] != 0) moves->push_back({.kind = MoveKind::kCommit, .progress = true});
  for (const Traffic& traffic : world.traffic) {
    if (traffic.name.number != 0) TrafficMoves(world, traffic, moves);
  }
  if (world.unreadable) return;  // nobody is there who would do more
  TimerMoves(world, moves);
  OutsideMoves(world, moves);
}

// Whether the event changes anything; what does not is left out, as it stays possible for later.
bool Universe::Listens(const World& world, const EventName& event) {
  if (world.pending[kPendingMax - 1] != 0) return false;
  return machine_.outcome(machine_.Step(world.memory, event)).changed;
}

void Universe::TrafficMoves(const World& world, const Traffic& traffic, std::vector<Move>* moves) {
  const StepSpec& step = scenario_.steps[traffic.name.step];
  const bool room = world.pending[kPendingMax - 1] == 0;
  const bool faults = world.faults > 0;
  const auto add = [&](MoveKind kind, bool fault, int choice = 0) {
    if (fault && !faults) return;
    moves->push_back({kind, traffic.name, static_cast<uint8_t>(choice), fault, !fault});
  };
  if (traffic.queued) {
    add(MoveKind::kHandOver, false);
    add(MoveKind::kNotSent, true);
  }
  if (traffic.not_sent && room) add(MoveKind::kHearNotSent, false);
  if (traffic.copies > 0) {
    const std::vector<Landing> landings =
        Landings(step, traffic.name.undo != 0, traffic.second_key == 0, world.services[traffic.name.step]);
    for (size_t i = 0; i < landings.size(); ++i) add(MoveKind::kLand, landings[i].fault, static_cast<int>(i));
    add(MoveKind::kLose, true);
    if (HasMeddlers(step)) {
      if (traffic.copies == 1) add(MoveKind::kDuplicate, true);
      add(MoveKind::kMeddle, true);
    }
  }
  for (int i = 0; i < 2 && traffic.replies[i] != 0; ++i) {
    if (i == 1 && traffic.replies[0] == traffic.replies[1]) break;
    if (room) add(MoveKind::kReply, false, i);
    add(MoveKind::kLoseReply, true, i);
    if (traffic.replies[i] != static_cast<uint8_t>(Answer::kUnavailable) + 1) add(MoveKind::kSpoilReply, true, i);
  }
  const bool awaited = (machine_.facts(world.memory).steps[traffic.name.step].command[traffic.name.undo].awaited >>
                            (traffic.name.number - 1) &
                        1) != 0;
  if (traffic.call && awaited && room) {
    // Lost for good: nothing but the timeout is left. Otherwise the answer is merely late.
    add(MoveKind::kTimeOut, traffic.copies > 0 || traffic.replies[0] != 0);
  }
}

bool Universe::GraceMayEnd(const World& world, const AttemptName& name) const {
  if (LandsAtAnyTime(scenario_.steps[name.step].service)) return true;
  const Traffic* traffic = FindTraffic(world, name);
  return traffic == nullptr || (traffic->copies == 0 && !traffic->queued);
}

void Universe::TimerMoves(const World& world, std::vector<Move>* moves) {
  for (uint64_t left = world.grace_armed; left != 0; left &= left - 1) {
    const AttemptName name = NameOfBit(__builtin_ctzll(left));
    if (!GraceMayEnd(world, name) || !Listens(world, {EventKind::kGraceOver, name})) continue;
    moves->push_back({.kind = MoveKind::kGraceOver, .attempt = name, .progress = true});
  }
  for (uint64_t left = world.backoff_armed; left != 0; left &= left - 1) {
    const AttemptName name = NameOfBit(__builtin_ctzll(left));
    if (!Listens(world, {EventKind::kBackoffOver, name})) continue;
    moves->push_back({.kind = MoveKind::kBackoffOver, .attempt = name, .progress = true});
  }
  for (uint8_t step = 0; step < scenario_.steps.size(); ++step) {
    for (uint8_t number = 0; number <= kDeadlinesMax; ++number) {
      if ((world.deadline_armed & DeadlineBit(step, number)) == 0) continue;
      const AttemptName name{.step = step, .number = number};
      if (!Listens(world, {EventKind::kStepDeadline, name})) continue;
      moves->push_back({.kind = MoveKind::kDeadline, .attempt = name});
    }
  }
  if (world.saga_timeout_armed && Listens(world, {EventKind::kSagaTimeout})) {
    moves->push_back({.kind = MoveKind::kSagaTimeout});
  }
}

void Universe::OutsideMoves(const World& world, std::vector<Move>* moves) {
  if (world.cancels > 0 && Listens(world, {EventKind::kCancel})) moves->push_back({.kind = MoveKind::kCancel});
  if (world.words > 0) OperatorMoves(world, moves);
  if (world.crashes > 0) moves->push_back({.kind = MoveKind::kCrash});
  if (world.crashes > 0 && world.durable != 0) moves->push_back({.kind = MoveKind::kDamage});
  if (world.restores > 0 && world.durable != 0) moves->push_back({.kind = MoveKind::kRestore});
}

// Operators look before they speak, and what they saw stays true: nothing of the step is still on its way.
void Universe::OperatorMoves(const World& world, std::vector<Move>* moves) {
  for (uint8_t step = 0; step < scenario_.steps.size(); ++step) {
    if (!machine_.facts(world.memory).steps[step].parked) continue;
    const AttemptName name{.step = step};
    const bool under_way = std::any_of(std::begin(world.traffic), std::end(world.traffic), [&](const Traffic& traffic) {
      return traffic.name.step == step && traffic.copies > 0;
    });
    const bool done = world.services[step].effect == 1;
    if (Listens(world, {EventKind::kRetryStep, name})) moves->push_back({MoveKind::kRetryStep, name});
    if (under_way) continue;
    if (done && Listens(world, {EventKind::kResolveDone, name})) moves->push_back({MoveKind::kResolveDone, name});
    if (!done && Listens(world, {EventKind::kResolveUndone, name})) moves->push_back({MoveKind::kResolveUndone, name});
  }
}

EventName Universe::EventOf(const World& world, const Move& move) const {
  switch (move.kind) {
    case MoveKind::kReply:
      return {EventKind::kReply, move.attempt,
              static_cast<Answer>(FindTraffic(world, move.attempt)->replies[move.choice] - 1)};
    case MoveKind::kHearNotSent:
      return {EventKind::kNotSent, move.attempt};
    case MoveKind::kTimeOut:
      return {EventKind::kTimedOut, move.attempt};
    case MoveKind::kGraceOver:
      return {EventKind::kGraceOver, move.attempt};
    case MoveKind::kBackoffOver:
      return {EventKind::kBackoffOver, move.attempt};
    case MoveKind::kDeadline:
      return {EventKind::kStepDeadline, move.attempt};
    case MoveKind::kSagaTimeout:
      return {EventKind::kSagaTimeout};
    case MoveKind::kCancel:
      return {EventKind::kCancel};
    case MoveKind::kRetryStep:
      return {EventKind::kRetryStep, move.attempt};
    case MoveKind::kResolveDone:
      return {EventKind::kResolveDone, move.attempt};
    case MoveKind::kResolveUndone:
      return {EventKind::kResolveUndone, move.attempt};
    default:
      return {EventKind::kRecovered};
  }
}

World Universe::After(const World& before, const Move& move, std::optional<Violation>* violation) {
  World world = before;
  violation_ = violation;
  if (move.fault) --world.faults;
  Traffic* traffic = const_cast<Traffic*>(FindTraffic(world, move.attempt));
  switch (move.kind) {
    case MoveKind::kCommit: {
      const OutcomeId id = world.pending[0] - 1;
      world.pending[0] = world.pending[1];
      world.pending[1] = 0;
      world.durable = machine_.outcome(id).record;
      if (scenario_.flaw != ShardFlaw::kEffectsBeforeDurable) Release(&world, id);
      break;
    }
    case MoveKind::kHandOver:
      HandOver(&world, traffic);
      break;
    case MoveKind::kNotSent:
      traffic->queued = 0;
      traffic->not_sent = 1;
      break;
    case MoveKind::kLand:
      Land(&world, traffic, move.choice);
      break;
    case MoveKind::kLose:
      --traffic->copies;
      break;
    case MoveKind::kDuplicate:
      ++traffic->copies;
      break;
    case MoveKind::kMeddle:
      --traffic->copies;
      Answered(traffic, Answer::kRefused);
      break;
    case MoveKind::kLoseReply:
      RemoveReply(traffic, move.choice);
      break;
    case MoveKind::kSpoilReply:
      traffic->replies[move.choice] = static_cast<uint8_t>(Answer::kUnavailable) + 1;
      break;
    case MoveKind::kCrash:
    case MoveKind::kDamage:
    case MoveKind::kRestore:
      Crash(&world, move.kind);
      break;
    default: {
      const EventName event = EventOf(before, move);
      if (move.kind == MoveKind::kReply) std::fill_n(traffic->replies, 2, 0), traffic->call = 0;
      if (move.kind == MoveKind::kHearNotSent) traffic->not_sent = 0;
      if (move.kind == MoveKind::kCancel) --world.cancels;
      if (move.kind >= MoveKind::kRetryStep && move.kind <= MoveKind::kResolveUndone) --world.words;
      if (move.kind == MoveKind::kGraceOver) world.grace_armed &= ~BitOf(move.attempt);
      if (move.kind == MoveKind::kBackoffOver) world.backoff_armed &= ~BitOf(move.attempt);
      if (move.kind == MoveKind::kSagaTimeout) world.saga_timeout_armed = 0;
      Decide(&world, event);
    }
  }
  Tidy(&world);
  CheckState(world);
  return world;
}

void Universe::Decide(World* world, const EventName& event) {
  const World before = *world;
  const OutcomeId id = machine_.Step(world->memory, event);
  const Outcome& outcome = machine_.outcome(id);
  world->memory = outcome.record;
  if (!outcome.changed) return;
  if (outcome.endless) Violate("I6", "a command is sent again and again although nothing goes wrong any more");
  for (const AttemptName& name : outcome.drops) Drop(world, name, outcome);
  if (scenario_.flaw == ShardFlaw::kEffectsBeforeDurable) Release(world, id);
  // Without a crash to come nobody can tell a commit that took its time from one that did not.
  if (world->crashes == 0 && world->pending[0] == 0 && scenario_.flaw == ShardFlaw::kNone) {
    world->durable = outcome.record;
    Release(world, id);
  } else {
    world->pending[world->pending[0] == 0 ? 0 : 1] = id + 1;
  }
  CheckStep(before, *world, event, outcome);
}

// Carried out at once. What waits for its commit is found there too: it must not leave after it.
void Universe::Drop(World* world, const AttemptName& name, const Outcome& outcome) {
  Traffic* traffic = const_cast<Traffic*>(FindTraffic(*world, name));
  if (traffic != nullptr && traffic->queued) {
    traffic->queued = 0;
    traffic->not_sent = 1;
    return;
  }
  if (scenario_.flaw == ShardFlaw::kDropMissesUncommittedSends) return;
  const auto sends = [&](const Outcome& waiting) {
    return std::any_of(waiting.sends.begin(), waiting.sends.end(),
                       [&](const SentCommand& send) { return send.attempt == name; });
  };
  bool waits = sends(outcome);
  for (const uint32_t pending : world->pending) waits |= pending != 0 && sends(machine_.outcome(pending - 1));
  if (waits) FindOrAdd(world, name)->dropped = 1;
}

void Universe::Release(World* world, OutcomeId id) {
  const Outcome& outcome = machine_.outcome(id);
  for (const SentCommand& send : outcome.sends) Queue(world, send);
  for (const ArmedTimer& timer : outcome.timers) {
    switch (timer.kind) {
      case saga::TimerKind::kGraceOver:
        world->grace_armed |= BitOf(timer.attempt);
        break;
      case saga::TimerKind::kBackoffOver:
        world->backoff_armed |= BitOf(timer.attempt);
        break;
      case saga::TimerKind::kStepDeadline:
        TUTTI_CHECK(timer.attempt.number <= kDeadlinesMax, "an operator's word renews a deadline once");
        world->deadline_armed |= DeadlineBit(timer.attempt.step, timer.attempt.number);
        break;
      case saga::TimerKind::kSagaTimeout:
        world->saga_timeout_armed = 1;
        break;
    }
  }
  Tell(world, outcome.record);
}

void Universe::Queue(World* world, const SentCommand& send) {
  Traffic* traffic = FindOrAdd(world, send.attempt);
  traffic->second_key = send.first_key ? 0 : 1;
  if (traffic->dropped) {
    traffic->dropped = 0;
    traffic->not_sent = 1;
  } else {
    traffic->queued = 1;
  }
}

void Universe::Tell(World* world, RecordId record) {
  const Stage stage = StageOf(machine_.facts(record));
  if (NoOlderThan(stage, static_cast<Stage>(world->told))) world->told = stage;
}

void Universe::HandOver(World* world, Traffic* traffic) {
  CheckHandOver(*world, *traffic);
  traffic->queued = 0;
  traffic->copies = 1;
  traffic->call = 1;
  if (traffic->name.undo) world->undo_sent |= static_cast<uint8_t>(1u << traffic->name.step);
}

void Universe::Land(World* world, Traffic* traffic, int choice) {
  Service& service = world->services[traffic->name.step];
  const Landing landing =
      Landings(scenario_.steps[traffic->name.step], traffic->name.undo != 0, traffic->second_key == 0, service)[choice];
  service = landing.after;
  --traffic->copies;
  Answered(traffic, landing.answer);
}

void Universe::Crash(World* world, MoveKind kind) {
  --(kind == MoveKind::kRestore ? world->restores : world->crashes);
  world->memory = world->durable;
  std::fill_n(world->pending, kPendingMax, 0);
  world->grace_armed = world->backoff_armed = 0;
  world->deadline_armed = world->saga_timeout_armed = 0;
  for (Traffic& traffic : world->traffic) {
    traffic.queued = traffic.dropped = traffic.not_sent = traffic.call = 0;
    std::fill_n(traffic.replies, 2, 0);
  }
  if (kind == MoveKind::kDamage) {
    world->unreadable = 1;
    world->memory = 0;
    return;
  }
  const Stage stage = StageOf(machine_.facts(world->durable));
  if (!NoOlderThan(stage, static_cast<Stage>(world->told))) {
    Violate("I5", "after a crash the saga is older than what somebody had been told");
  }
  // Until an operator releases it, which here nobody does, the store is held at each start.
  const bool held = world->restores < scenario_.bounds.restores;
  if (machine_.facts(world->durable).active) {
    Decide(world, {.kind = held ? EventKind::kRecoveredHeld : EventKind::kRecovered});
  }
}

// Takes out what can make no difference any more, so that states which behave alike are one.
void Universe::Tidy(World* world) const {
  const Facts& facts = machine_.facts(world->memory);
  for (Traffic& traffic : world->traffic) {
    if (traffic.name.number == 0) continue;
    const CommandFacts& command = facts.steps[traffic.name.step].command[traffic.name.undo];
    const bool awaited = (command.awaited >> (traffic.name.number - 1) & 1) != 0;
    if (traffic.copies == 0 && traffic.replies[0] == 0 && !awaited) traffic.call = 0;
    if (traffic.copies + traffic.replies[0] + traffic.queued + traffic.dropped + traffic.not_sent + traffic.call == 0) {
      traffic = Traffic();
    }
    if (traffic.replies[1] != 0 && traffic.replies[1] < traffic.replies[0]) {
      std::swap(traffic.replies[0], traffic.replies[1]);
    }
  }
  std::sort(std::begin(world->traffic), std::end(world->traffic), [](const Traffic& a, const Traffic& b) {
    const auto rank = [](const Traffic& t) {
      return t.name.number == 0 ? 1 << 20 : t.name.step << 9 | t.name.undo << 8 | t.name.number;
    };
    return rank(a) < rank(b);
  });
  for (uint64_t left = world->grace_armed; left != 0; left &= left - 1) {
    const AttemptName name = NameOfBit(__builtin_ctzll(left));
    const CommandFacts& command = facts.steps[name.step].command[name.undo];
    if (((command.lingering | command.awaited) >> (name.number - 1) & 1) == 0) world->grace_armed &= ~BitOf(name);
  }
  for (uint64_t left = world->backoff_armed; left != 0; left &= left - 1) {
    const AttemptName name = NameOfBit(__builtin_ctzll(left));
    if (facts.steps[name.step].command[name.undo].backoffs > name.number || facts.terminal()) {
      world->backoff_armed &= ~BitOf(name);
    }
  }
  for (uint8_t step = 0; step < scenario_.steps.size(); ++step) {
    if (facts.steps[step].state == v1::STEP_STATE_RUNNING) continue;
    for (uint8_t number = 0; number <= kDeadlinesMax; ++number) {
      world->deadline_armed &= static_cast<uint8_t>(~DeadlineBit(step, number));
    }
  }
  if (facts.state != v1::SAGA_STATE_RUNNING || facts.committed) world->saga_timeout_armed = 0;
}

Traffic* Universe::FindOrAdd(World* world, const AttemptName& name) {
  Traffic* traffic = const_cast<Traffic*>(FindTraffic(*world, name));
  if (traffic != nullptr) return traffic;
  traffic = const_cast<Traffic*>(FindTraffic(*world, AttemptName()));
  TUTTI_CHECK(traffic != nullptr, "more attempts are under way than kOpenMax");
  traffic->name = name;
  return traffic;
}

std::string Universe::Describe(const World& world, const Move& move) {
  const std::string name = move.attempt.number != 0 ? saga::Describe(machine_.IdOf(move.attempt)) : "";
  switch (move.kind) {
    case MoveKind::kCommit:
      return "commit";
    case MoveKind::kHandOver:
      return absl::StrCat("hand over ", name);
    case MoveKind::kNotSent:
      return absl::StrCat("no channel for ", name);
    case MoveKind::kLand: {
      const Traffic& traffic = *FindTraffic(world, move.attempt);
      const Service& service = world.services[move.attempt.step];
      const Landing landing = Landings(scenario_.steps[move.attempt.step], move.attempt.undo != 0,
                                       traffic.second_key == 0, service)[move.choice];
      const saga::Event event = machine_.MakeEvent({EventKind::kReply, move.attempt, landing.answer});
      const std::string answer = saga::Describe(event).substr(std::string("reply ").size() + name.size() + 1);
      const int change = landing.after.effect - service.effect;
      return absl::StrCat("land ", name, ": ", answer, change > 0 ? ", applied" : change < 0 ? ", undone" : "");
    }
    case MoveKind::kLose:
      return absl::StrCat("lose ", name);
    case MoveKind::kDuplicate:
      return absl::StrCat("duplicate ", name);
    case MoveKind::kMeddle:
      return absl::StrCat("refused on the way ", name);
    case MoveKind::kLoseReply:
      return absl::StrCat("lose reply of ", name);
    case MoveKind::kSpoilReply:
      return absl::StrCat("reply becomes UNAVAILABLE ", name);
    case MoveKind::kCrash:
      return "crash and recover";
    case MoveKind::kDamage:
      return "crash, and the record cannot be read";
    case MoveKind::kRestore:
      return "crash, and restore a backup of this moment";
    default:
      return saga::Describe(machine_.MakeEvent(EventOf(world, move)));
  }
}

std::string Universe::Describe(const World& world) const {
  std::string line = world.memory == 0 ? "no saga" : saga::Describe(machine_.record(world.memory));
  if (world.durable != world.memory) absl::StrAppend(&line, " (not durable)");
  absl::StrAppend(&line, " | effects");
  for (size_t step = 0; step < scenario_.steps.size(); ++step) {
    absl::StrAppend(&line, " ", scenario_.steps[step].name, "=", static_cast<int>(world.services[step].effect));
  }
  return line;
}

}  // namespace tutti::model
