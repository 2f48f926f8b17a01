// One life of the orchestrator: the shipped shards with their mailboxes and the shipped timers, on virtual time. What
// the simulator brings is the shards' pace, in place of their threads. A crash is its destruction.
#ifndef TUTTI_TESTS_SIM_ORCHESTRATOR_PROCESS_H_
#define TUTTI_TESTS_SIM_ORCHESTRATOR_PROCESS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orchestrator/effects/timer_queue.h"
#include "orchestrator/shard/shard.h"
#include "tests/sim/auditor.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"

namespace tutti::sim {

class OrchestratorProcess final : public effects::TimerService, public effects::Publisher, public shard::ShardObserver {
 public:
  struct World {
    Timeline* timeline;
    Luck* luck;
    Auditor* auditor;
    Disk* disk;
    Network* network;
    TraceSink trace;
    const Scenario* scenario;
    std::function<void(Fault)> die;  // after a commit that did not end durable
    saga::Hold hold;
  };

  // `life` numbers the processes of one simulation.
  OrchestratorProcess(const World& world, uint64_t life, int shards);
  ~OrchestratorProcess() override;

  absl::Status Recover();
  // Client requests, to the shard that owns the saga.
  void Request(const std::string& saga_id, shard::Message message);

  void Set(saga::SetTimer timer) override;
  void Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) override;
  void OnHistory(const storage::v1::SagaRecord&, const std::vector<v1::HistoryEvent>&) override {}
  void OnRecovered(const storage::v1::SagaRecord&) override {}
  void OnExpired(const storage::v1::SagaRecord&) override {}
  void OnBatch(size_t) override {}

 private:
  struct Host {
    std::unique_ptr<shard::Shard> shard;
    uint64_t index = 0;
    bool scheduled = false;
    uint64_t runs = 0;
  };

  void PostEvent(saga::Event event);
  Host* OwnerOf(const std::string& saga_id);
  void Schedule(Host* host);
  void Run(Host* host);
  void After(int64_t delay_ms, std::function<void()> action);
  void Died(const absl::Status& why);

  const World world_;
  const uint64_t life_;
  saga::StateMachine machine_;
  effects::TimerQueue timers_;
  std::vector<std::unique_ptr<Host>> hosts_;
  bool dying_ = false;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what is planned for a dead process is void
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_ORCHESTRATOR_PROCESS_H_
