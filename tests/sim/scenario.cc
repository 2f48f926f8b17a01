#include "tests/sim/scenario.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "orchestrator/shard/slot_range.h"
#include "orchestrator/store/key_codec.h"
#include "tests/sim/library.h"

namespace tutti::sim {
namespace {

// A stream, for the plan alone.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(Hash(seed, "plan")) {}
  int64_t Below(int64_t limit) {
    state_ = Hash(state_, 1);
    return static_cast<int64_t>(state_ % static_cast<uint64_t>(limit));
  }
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
  bool Chance(int percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

// Per mille at most: high enough to meet each other, low enough that sagas get somewhere.
struct RateMax {
  Fault fault;
  int per_mille;
};
constexpr RateMax kRateMax[] = {
    {Fault::kLoseRequest, 250},    {Fault::kLoseReply, 250},      {Fault::kDuplicate, 400},
    {Fault::kLongDelay, 300},      {Fault::kMeshRefusal, 80},     {Fault::kBreakConnection, 200},
    {Fault::kQueueing, 300},       {Fault::kGarbleReply, 60},     {Fault::kPushback, 400},
    {Fault::kRefuse, 150},         {Fault::kRefuseUndo, 300},     {Fault::kTransientError, 250},
    {Fault::kDieBeforeCommit, 60}, {Fault::kDieAfterCommit, 100}, {Fault::kTimeoutAfterReply, 200},
    {Fault::kLateTimer, 150},      {Fault::kSlowShard, 40},       {Fault::kReadError, 200},
    {Fault::kWriteError, 8},       {Fault::kFenced, 4},           {Fault::kCrashBeforeWrite, 8},
    {Fault::kCrashAfterWrite, 10}, {Fault::kCrashAfterSync, 10},
};

void PlanSagas(Dice* dice, Scenario* scenario) {
  const int64_t count = dice->Between(1, 10);
  const int64_t span_ms = std::min<int64_t>(scenario->heal_ms, dice->Chance(50) ? 2'000 : 20'000);
  for (int64_t i = 0; i < count; ++i) {
    PlannedSaga saga;
    saga.id = absl::StrCat("saga-", scenario->seed % 1000, "-", i);
    saga.definition = static_cast<int>(dice->Below(kDefinitions));
    saga.start_ms = dice->Below(span_ms);
    if (dice->Chance(30)) saga.repeat_ms = saga.start_ms + dice->Below(15'000);
    if (dice->Chance(15)) saga.rival_ms = saga.start_ms + dice->Between(-200, 3'000);
    if (dice->Chance(30)) saga.cancel_ms = saga.start_ms + dice->Below(dice->Chance(60) ? 300 : 8'000);
    scenario->sagas.push_back(std::move(saga));
  }
}

// The first and the last slot of each shard, for every number of shards there may be.
std::set<uint32_t> BorderSlots() {
  std::set<uint32_t> borders;
  for (const int count : kShardCounts) {
    for (int shard = 0; shard < count; ++shard) {
      const shard::SlotRange range = shard::SlotRangeOf(shard, count);
      borders.insert({range.first, range.end - 1});
    }
  }
  return borders;
}

// Ids scattered by chance would hardly ever meet a border. Dice of its own: what else is planned stays as it was.
void MoveToBorders(Scenario* scenario) {
  static const std::set<uint32_t> borders = BorderSlots();
  Dice dice(Hash(scenario->seed, "borders"));
  for (PlannedSaga& saga : scenario->sagas) {
    if (!dice.Chance(40)) continue;
    auto border = borders.begin();
    std::advance(border, dice.Below(static_cast<int64_t>(borders.size())));
    const std::string id = saga.id;
    for (int i = 0; store::SlotOf(saga.id) != *border; ++i) saga.id = absl::StrCat(id, "-", i);
  }
}

// Records that cannot be read when the orchestrator comes back.
void PlanDamage(Scenario* scenario) {
  Dice dice(Hash(scenario->seed, "damage"));
  if (!dice.Chance(20)) return;
  for (int64_t times = dice.Between(1, 2); times > 0; --times) {
    scenario->faults.push_back({.fault = Fault::kDamagedRecord,
                                .at_ms = dice.Below(scenario->heal_ms),
                                .length_ms = dice.Between(1, 2'000),
                                .target = static_cast<int>(dice.Below(static_cast<int64_t>(scenario->sagas.size())))});
  }
}

// Of the orchestrator's lives, some begin with a store that is held.
void PlanRestores(Scenario* scenario) {
  Dice dice(Hash(scenario->seed, "restores"));
  if (dice.Chance(30)) scenario->rates[static_cast<size_t>(Fault::kRestored)] = static_cast<int>(dice.Between(1, 700));
}

void PlanFaults(Dice* dice, Scenario* scenario) {
  const auto plan = [&](Fault fault, int percent, int64_t times_max, int64_t length_ms_max, int64_t targets) {
    if (!dice->Chance(percent)) return;
    for (int64_t times = dice->Between(1, times_max); times > 0; --times) {
      scenario->faults.push_back({.fault = fault,
                                  .at_ms = dice->Below(scenario->heal_ms),
                                  .length_ms = dice->Between(1, length_ms_max),
                                  .target = static_cast<int>(dice->Below(targets))});
    }
  };
  plan(Fault::kCrash, 60, 5, 4'000, 8);
  plan(Fault::kParticipantDown, 40, 6, 6'000, kParticipantCount);
  plan(Fault::kBlackHole, 40, 4, 8'000, kParticipantCount);
  plan(Fault::kNotReady, 50, 8, 3'000, kParticipantCount);
  plan(Fault::kSlowDisk, 25, 3, 5'000, 1);
  plan(Fault::kClockJump, 25, 4, 3 * 3'600'000, 2);
}

// Ended sagas are forgotten soon, and their ids come back.
void PlanRetention(Dice* dice, Scenario* scenario) {
  scenario->retention_ms = scenario->grace_ms + dice->Between(1, 20'000);
  const int64_t end_ms = scenario->heal_ms + 150'000;
  const int64_t interval_ms = dice->Between(200, 4'000);
  for (int64_t at_ms = interval_ms; at_ms < end_ms; at_ms += interval_ms) scenario->sweeps_ms.push_back(at_ms);
  for (PlannedSaga& saga : scenario->sagas) {
    if (dice->Chance(70)) saga.again_ms = saga.start_ms + scenario->retention_ms + dice->Below(60'000);
    if (saga.rival_ms >= 0 && dice->Chance(50)) saga.rival_ms += scenario->retention_ms + dice->Below(60'000);
  }
}

}  // namespace

const char* Name(Sabotage sabotage) {
  constexpr const char* kNames[] = {"none",
                                    "send-before-durable",
                                    "ack-unsynced",
                                    "lose-synced-writes",
                                    "skip-tombstone",
                                    "forget-inbox",
                                    "ignore-drop",
                                    "no-grace",
                                    "lose-backoff-timers",
                                    "forget-too-early",
                                    "damage-is-absence"};
  static_assert(std::size(kNames) == kSabotages);
  return kNames[static_cast<size_t>(sabotage)];
}

Scenario MakeScenario(uint64_t seed, Sabotage sabotage) {
  Scenario scenario{.seed = seed, .sabotage = sabotage};
  Dice dice(seed);
  scenario.heal_ms = dice.Between(3'000, 40'000);
  scenario.grace_ms = dice.Chance(50) ? 10'000 : dice.Between(200, 4'000);
  scenario.horizon_ms = dice.Chance(85) ? 7LL * 24 * 3'600'000 : 3'600'000;
  scenario.shards = static_cast<int>(dice.Between(1, 5));
  PlanSagas(&dice, &scenario);
  PlanFaults(&dice, &scenario);
  if (dice.Chance(60)) {
    for (int64_t times = dice.Between(1, 12); times > 0; --times) {
      scenario.operator_ms.push_back(dice.Below(scenario.heal_ms));
    }
  }
  // Few kinds at a time dig deeper than all kinds at once.
  const int swarm_percent = static_cast<int>(dice.Between(10, 80));
  for (const RateMax& rate : kRateMax) {
    const int64_t per_mille = dice.Between(1, rate.per_mille);
    if (dice.Chance(swarm_percent)) scenario.rates[static_cast<size_t>(rate.fault)] = static_cast<int>(per_mille);
  }
  if (dice.Chance(35)) PlanRetention(&dice, &scenario);
  MoveToBorders(&scenario);
  PlanDamage(&scenario);
  PlanRestores(&scenario);
  return scenario;
}

}  // namespace tutti::sim
