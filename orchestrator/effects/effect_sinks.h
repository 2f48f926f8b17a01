// Where a shard's effects go once they may. Interfaces, so that tests and simulators put their own world behind them.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_EFFECT_SINKS_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_EFFECT_SINKS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "orchestrator/saga/effect.h"
#include "orchestrator/saga/event.h"

namespace tutti::effects {

// Replies and timer firings come back through this; it never blocks, never refuses, and is safe from any thread.
using EventSink = std::function<void(saga::Event)>;

// Sends commands to participants. Thread-safe; never blocks.
class CommandSender {
 public:
  virtual ~CommandSender() = default;
  virtual void Send(saga::SendCommand command) = 0;
  // When this returns, an attempt that was still waiting for its hand-over will never be handed over.
  virtual void Drop(const saga::DropCommand& command) = 0;
};

// Monotonic timers. Thread-safe; never blocks.
class TimerService {
 public:
  virtual ~TimerService() = default;
  virtual void Set(saga::SetTimer timer) = 0;
};

// Tells watchers what became durable. Thread-safe; never blocks. The record is as of the last of the events.
class Publisher {
 public:
  virtual ~Publisher() = default;
  virtual void Publish(const storage::v1::SagaRecord& record, const std::vector<v1::HistoryEvent>& history) = 0;
};

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_EFFECT_SINKS_H_
