#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "orchestrator/retention/sweeper.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/record_query.h"
#include "tests/sim/clients.h"
#include "tests/sim/operators.h"

namespace tutti::sim {
namespace {

// A healed world ends its sagas within the longest waits there are: delays of a quarter of an hour, graces, backoffs.
constexpr int64_t kHealedMsMax = 2 * 3'600'000;
constexpr int64_t kStepsMax = 200'000;
constexpr int kTidyRounds = 8;

class Simulation {
 public:
  Simulation(const Scenario& scenario, const TraceSink& trace);
  Outcome Run();

 private:
  void Plan(const PlannedFault& fault);
  void Begin(const PlannedFault& fault);
  void End(const PlannedFault& fault);
  void Boot(int shards);
  void Crash(Fault fault, int64_t down_ms, int shards);
  void Damage(int target);  // of the scenario's sagas
  void Sweep();
  void Heal();
  void CountParked();
  void Tidy();
  void RunUntil(int64_t until_ms);
  void Trace(const std::string& line) {
    if (trace_) trace_(line);
  }
  bool Failed() const { return !auditor_.violation().empty(); }
  Outcome Summary() const;

  const Scenario& scenario_;
  Timeline timeline_;
  TraceSink trace_;
  Luck luck_;
  Auditor auditor_;
  Participants participants_;
  Network network_;
  Disk disk_;
  Clients clients_;
  Operators operators_;
  std::unique_ptr<OrchestratorProcess> process_;
  std::unique_ptr<retention::Sweeper> sweeper_;  // of the process
  uint64_t lives_ = 0;
  saga::Hold hold_;
  std::array<int, kParticipantCount> down_{};  // by overlapping faults
  std::array<int, kParticipantCount> black_holes_{};
  std::array<int, kParticipantCount> not_ready_{};
  int parked_once_ = 0;  // when all had healed
};

Simulation::Simulation(const Scenario& scenario, const TraceSink& trace)
    : scenario_(scenario),
      trace_(trace == nullptr ? TraceSink() : [this, trace](const std::string& line) {
        trace(absl::StrFormat("%9.3f %s", static_cast<double>(timeline_.MonotonicMs()) / 1000.0, line));
      }),
      luck_(scenario.seed, scenario.rates, scenario.spared),
      participants_(&luck_, &auditor_, scenario.sabotage),
      network_({.timeline = &timeline_,
                .luck = &luck_,
                .auditor = &auditor_,
                .participants = &participants_,
                .trace = trace_,
                .sabotage = scenario.sabotage,
                .grace_ms = scenario.grace_ms}),
      disk_(&timeline_, &luck_, scenario.sabotage,
            {.on_durable = [this](const store::WriteSet& write_set) { auditor_.OnDurable(write_set); },
             .die = [this](Fault fault) { timeline_.After(0, [this, fault] { Crash(fault, 50, 0); }); }}),
      clients_(&timeline_, &luck_, &auditor_, [this] { return process_.get(); }),
      operators_(&luck_, &auditor_) {}

void Simulation::Plan(const PlannedFault& fault) {
  timeline_.At(fault.at_ms, [this, fault] {
    luck_.Count(fault.fault);
    Trace(absl::StrCat("fault: ", Name(fault.fault), " ", fault.target, " for ", fault.length_ms, " ms"));
    Begin(fault);
  });
  const bool lasts =
      fault.fault != Fault::kCrash && fault.fault != Fault::kClockJump && fault.fault != Fault::kDamagedRecord;
  if (!lasts) return;
  timeline_.At(std::min(fault.at_ms + fault.length_ms, scenario_.heal_ms), [this, fault] {
    Trace(absl::StrCat("fault over: ", Name(fault.fault), " ", fault.target));
    End(fault);
  });
}

void Simulation::Begin(const PlannedFault& fault) {
  switch (fault.fault) {
    case Fault::kCrash:
      return Crash(fault.fault, fault.length_ms, kShardCounts[fault.target]);
    case Fault::kDamagedRecord:
      Crash(fault.fault, fault.length_ms, 0);
      return Damage(fault.target);
    case Fault::kParticipantDown:
      ++down_[fault.target];
      return participants_.SetUp(fault.target, false);
    case Fault::kBlackHole:
      ++black_holes_[fault.target];
      return network_.SetBlackHole(fault.target, true);
    case Fault::kNotReady:
      ++not_ready_[fault.target];
      return network_.SetReady(fault.target, false);
    case Fault::kSlowDisk:
      return disk_.SetSlow(true);
    case Fault::kClockJump:
      return timeline_.JumpWall(fault.target == 0 ? fault.length_ms : -fault.length_ms);
    default:
      return;
  }
}

void Simulation::End(const PlannedFault& fault) {
  switch (fault.fault) {
    case Fault::kParticipantDown:
      if (--down_[fault.target] == 0) participants_.SetUp(fault.target, true);
      return;
    case Fault::kBlackHole:
      if (--black_holes_[fault.target] == 0) network_.SetBlackHole(fault.target, false);
      return;
    case Fault::kNotReady:
      if (--not_ready_[fault.target] == 0) network_.SetReady(fault.target, true);
      return;
    case Fault::kSlowDisk:
      return disk_.SetSlow(false);
    default:
      return;
  }
}

void Simulation::Boot(int shards) {
  ++lives_;
  Trace(absl::StrCat("orchestrator starts with ", shards, " shards"));
  auditor_.OnRecovered(disk_);
  // Nobody releases it, so every later life is held as well; operators retry what it parked.
  if (lives_ > 1 && luck_.Strikes(Fault::kRestored, lives_))
    hold_ = {.id = absl::StrCat("hold-", lives_), .what = "restored"};
  process_ = std::make_unique<OrchestratorProcess>(
      OrchestratorProcess::World{
          .timeline = &timeline_,
          .luck = &luck_,
          .auditor = &auditor_,
          .disk = &disk_,
          .network = &network_,
          .trace = trace_,
          .scenario = &scenario_,
          .die = [this](Fault fault) { timeline_.After(0, [this, fault] { Crash(fault, 30, 0); }); },
          .hold = hold_},
      lives_, shards);
  const int64_t retention_ms = scenario_.sabotage == Sabotage::kForgetTooEarly ? 0 : scenario_.retention_ms;
  sweeper_ = std::make_unique<retention::Sweeper>(
      &disk_,
      [this](const std::string& saga_id, int64_t ended_by_ms, shard::ExpireDone done) {
        Trace(absl::StrCat(saga_id, " is to expire"));
        process_->Request(
            saga_id, shard::ExpireMessage{.saga_id = saga_id, .ended_by_ms = ended_by_ms, .done = std::move(done)});
      },
      retention::Sweeper::Options{.retention_ms = retention_ms, .page_size = 3});
  const absl::Status recovered = process_->Recover();
  if (!recovered.ok()) auditor_.Violated(absl::StrCat("recovery fails: ", recovered.ToString()));
}

// `shards` 0: any number.
void Simulation::Crash(Fault fault, int64_t down_ms, int shards) {
  if (process_ == nullptr) return;
  Trace(absl::StrCat("orchestrator dies: ", Name(fault)));
  process_.reset();
  disk_.Crash();
  if (shards == 0) shards = kShardCounts[luck_.Draw("shards", lives_) % std::size(kShardCounts)];
  timeline_.After(down_ms, [this, shards] {
    if (process_ == nullptr) Boot(shards);
  });
}

void Simulation::Damage(int target) {
  if (scenario_.sagas.empty()) return;
  const std::string& saga_id = scenario_.sagas[static_cast<size_t>(target) % scenario_.sagas.size()].id;
  if (process_ != nullptr || auditor_.IsDamaged(saga_id)) return;
  if (!disk_.Damage(saga_id, luck_.Draw("damage", Hash(lives_, saga_id)))) return;
  auditor_.OnDamaged(saga_id);
  Trace(absl::StrCat(saga_id, " is damaged"));
}

void Simulation::Sweep() {
  if (process_ == nullptr) return;
  auditor_.OnSweep(timeline_.WallMs() - scenario_.retention_ms);
  sweeper_->SweepOnce(timeline_.WallMs());
}

void Simulation::Heal() {
  Trace("everything heals");
  luck_.Heal();
}

void Simulation::CountParked() {
  for (const auto& [id, saga] : auditor_.sagas()) parked_once_ += saga::IsParked(saga.durable);
}

// In a healed world a retry brings everything through but keys that are too old.
void Simulation::Tidy() {
  for (int round = 0; round < kTidyRounds && !Failed() && operators_.Tidy(process_.get()); ++round) {
    RunUntil(timeline_.MonotonicMs() + kHealedMsMax);
    if (!Failed()) auditor_.OnQuiet(disk_);
  }
  for (const auto& [id, saga] : auditor_.sagas()) {
    if (saga.damaged) continue;
    for (const storage::v1::StepRecord& step : saga.durable.steps()) {
      if (!step.has_parking() || step.parking().cause() == v1::PARKING_CAUSE_HORIZON) continue;
      auditor_.Violated(
          absl::StrCat("I6: retrying ", id, " does not bring it through: ", saga::Describe(saga.durable)));
    }
  }
}

void Simulation::RunUntil(int64_t until_ms) {
  while (!Failed() && timeline_.Step(until_ms)) {
    if (timeline_.steps() > kStepsMax) auditor_.Violated("I6: the engine never comes to rest");
  }
}

Outcome Simulation::Run() {
  for (const PlannedSaga& saga : scenario_.sagas) clients_.Plan(saga);
  for (const PlannedFault& fault : scenario_.faults) Plan(fault);
  for (const int64_t at_ms : scenario_.operator_ms) {
    timeline_.At(at_ms, [this] { operators_.Look(process_.get()); });
  }
  for (const int64_t at_ms : scenario_.sweeps_ms) {
    timeline_.At(at_ms, [this] { Sweep(); });
  }
  timeline_.At(scenario_.heal_ms, [this] { Heal(); });
  Boot(scenario_.shards);
  RunUntil(scenario_.heal_ms + kHealedMsMax);
  if (!Failed()) auditor_.OnQuiet(disk_);
  CountParked();
  if (!Failed()) Tidy();
  for (const PlannedSaga& saga : scenario_.sagas) {
    if (!auditor_.WasAcknowledged(saga.id) && !auditor_.IsDamaged(saga.id)) {
      auditor_.Violated(absl::StrCat("I6: the start of ", saga.id, " was never acknowledged"));
    }
  }
  if (Failed()) Trace(absl::StrCat("VIOLATION ", auditor_.violation()));
  return Summary();
}

Outcome Simulation::Summary() const {
  Outcome outcome{.violation = auditor_.violation(),
                  .digest = auditor_.digest(),
                  .virtual_ms = timeline_.MonotonicMs(),
                  .steps = timeline_.steps(),
                  .parked_once = parked_once_,
                  .operator_words = operators_.words(),
                  .lives = static_cast<int>(lives_),
                  .faults = luck_.counts(),
                  .struck = luck_.struck()};
  for (const auto& [id, saga] : auditor_.sagas()) {
    if (saga.uid.empty()) continue;
    ++outcome.sagas;
    outcome.succeeded += saga.durable.state() == v1::SAGA_STATE_SUCCEEDED;
    outcome.compensated += saga.durable.state() == v1::SAGA_STATE_COMPENSATED;
    outcome.parked += saga::IsParked(saga.durable);
  }
  for (const auto& [uid, saga] : auditor_.expired()) {
    ++outcome.sagas;
    ++outcome.expired;
    outcome.succeeded += saga.durable.state() == v1::SAGA_STATE_SUCCEEDED;
    outcome.compensated += saga.durable.state() == v1::SAGA_STATE_COMPENSATED;
  }
  return outcome;
}

}  // namespace

Outcome Simulate(const Scenario& scenario, const TraceSink& trace) {
  return Simulation(scenario, trace).Run();
}

}  // namespace tutti::sim
