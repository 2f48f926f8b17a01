#include "tests/sim/orchestrator_process.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/store/key_codec.h"

namespace tutti::sim {
namespace {

saga::Settings SettingsOf(const Scenario& scenario) {
  return {.late_reply_grace_ms = scenario.sabotage == Sabotage::kNoGrace ? 0 : scenario.grace_ms,
          .command_horizon_ms = scenario.horizon_ms,
          .pushback_ms_max = 2'000};
}

}  // namespace

OrchestratorProcess::OrchestratorProcess(const World& world, uint64_t life, int shards)
    : world_(world),
      life_(life),
      machine_(SettingsOf(*world.scenario), &Library::Get()),
      timers_(world.timeline, [this](saga::Event event) { PostEvent(std::move(event)); },
              {.mode = effects::TimeMode::kVirtual}) {
  world_.network->Attach([this](saga::Event event) { PostEvent(std::move(event)); });
  const shard::ShardContext context = {.machine = &machine_,
                                       .recipes = &Library::Get(),
                                       .store = world.disk,
                                       .reader = world.disk,
                                       .sender = world.network,
                                       .timers = this,
                                       .publisher = this,
                                       .observer = this,
                                       .clock = world.timeline,
                                       .hold = world.hold};
  for (int i = 0; i < shards; ++i) {
    auto host = std::make_unique<Host>();
    host->index = static_cast<uint64_t>(i);
    host->shard = std::make_unique<shard::Shard>(
        context, shard::SlotRangeOf(i, shards), world.luck->Draw("shard seed", life * 100 + static_cast<uint64_t>(i)),
        [this](const absl::Status& why) { Died(why); }, [this, host = host.get()] { Schedule(host); });
    hosts_.push_back(std::move(host));
  }
}

OrchestratorProcess::~OrchestratorProcess() {
  *alive_ = false;
  world_.network->Detach();
  timers_.Stop();
}

absl::Status OrchestratorProcess::Recover() {
  for (const auto& host : hosts_) {
    if (absl::Status status = host->shard->Recover(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void OrchestratorProcess::After(int64_t delay_ms, std::function<void()> action) {
  world_.timeline->After(delay_ms, [alive = alive_, action = std::move(action)] {
    if (*alive) action();
  });
}

void OrchestratorProcess::Died(const absl::Status& why) {
  if (std::exchange(dying_, true)) return;
  if (world_.trace) world_.trace(absl::StrCat("orchestrator cannot go on: ", why.message()));
  // For a moment the other shards still run.
  After(world_.luck->Between("agony", life_, 0, 20), [this] { world_.die(Fault::kCrash); });
}

OrchestratorProcess::Host* OrchestratorProcess::OwnerOf(const std::string& saga_id) {
  return hosts_[shard::ShardOfSlot(store::SlotOf(saga_id), static_cast<int>(hosts_.size()))].get();
}

void OrchestratorProcess::PostEvent(saga::Event event) {
  if (world_.trace) world_.trace(absl::StrCat(event.saga_id, " event: ", saga::Describe(event)));
  OwnerOf(event.saga_id)->shard->PostEvent(std::move(event));
}

void OrchestratorProcess::Request(const std::string& saga_id, shard::Message message) {
  const absl::Status posted = OwnerOf(saga_id)->shard->PostRequest(std::move(message));
  if (!posted.ok()) world_.auditor->Violated(absl::StrCat("a request is refused: ", posted.ToString()));
}

void OrchestratorProcess::Schedule(Host* host) {
  if (std::exchange(host->scheduled, true)) return;
  const uint64_t occasion = Hash(life_ * 100 + host->index, ++host->runs);
  const bool slow = world_.luck->Strikes(Fault::kSlowShard, occasion);
  After(slow ? world_.luck->Between("shard pause", occasion, 20, 2'000) : world_.luck->Between("shard", occasion, 0, 1),
        [this, host] { Run(host); });
}

void OrchestratorProcess::Run(Host* host) {
  host->scheduled = false;
  const auto limit =
      static_cast<size_t>(world_.luck->Between("batch", Hash(life_ * 100 + host->index, host->runs), 1, 12));
  const bool more = host->shard->Work(limit);
  if (host->scheduled || !more) return;
  host->scheduled = true;
  ++host->runs;
  After(0, [this, host] { Run(host); });
}

void OrchestratorProcess::Set(saga::SetTimer timer) {
  if (world_.scenario->sabotage == Sabotage::kLoseBackoffTimers && timer.timer.kind == saga::TimerKind::kBackoffOver) {
    return;
  }
  const uint64_t occasion =
      Hash(Hash(Hash(static_cast<uint64_t>(timer.timer.kind), timer.saga_id), timer.timer.attempt.step),
           static_cast<uint64_t>(timer.timer.attempt.number));
  const bool late = world_.luck->Strikes(Fault::kLateTimer, occasion);
  const int64_t wake_ms =
      std::max<int64_t>(timer.delay_ms, 0) + (late ? world_.luck->Between("late timer", occasion, 1, 700) : 0);
  timers_.Set(std::move(timer));
  After(wake_ms, [this] { timers_.AdvanceTo(world_.timeline->MonotonicMs()); });
}

void OrchestratorProcess::Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) {
  world_.auditor->OnTold(record);
  if (!world_.trace) return;
  for (const v1::HistoryEvent& event : history) {
    world_.trace(absl::StrCat(record.saga_id(), " history: ", saga::Describe(event)));
  }
}

}  // namespace tutti::sim
