// The sender and everything between it and the participants: commands wait for a READY line, are handed over, and then
// get lost, doubled, delayed, refused on the way or answered late. Keeps the contract of effects::CommandSender.
#ifndef TUTTI_TESTS_SIM_NETWORK_H_
#define TUTTI_TESTS_SIM_NETWORK_H_

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "orchestrator/effects/effect_sinks.h"
#include "tests/sim/auditor.h"
#include "tests/sim/luck.h"
#include "tests/sim/participants.h"
#include "tests/sim/timeline.h"

namespace tutti::sim {

// Gets one line per happening; unset unless a trace is wanted.
using TraceSink = std::function<void(const std::string&)>;

class Network final : public effects::CommandSender {
 public:
  struct World {
    Timeline* timeline;
    Luck* luck;
    Auditor* auditor;
    Participants* participants;
    TraceSink trace;
    Sabotage sabotage;
    int64_t grace_ms;  // the true one, whatever the engine believes
  };

  explicit Network(const World& world) : world_(world) {}

  // A new orchestrator process listens; the old one's queue is gone, what it handed over is still under way.
  void Attach(effects::EventSink sink);
  void Detach();

  void Send(saga::SendCommand command) override;
  void Drop(const saga::DropCommand& command) override;

  void SetReady(int participant, bool ready);
  // Nothing gets through either way, and nobody is told.
  void SetBlackHole(int participant, bool on) { lines_[participant].black_hole = on; }

 private:
  struct Call {
    saga::SendCommand command;
    uint64_t id = 0;     // of the attempt: equal in equal runs
    uint64_t epoch = 0;  // the process that waits for it
    int64_t handed_over_ms = -1;
    bool replied = false;
    bool told = false;  // its timeout need not be told any more
  };
  using CallPtr = std::shared_ptr<Call>;

  struct Line {
    bool ready = true;
    bool black_hole = false;
    std::list<CallPtr> waiting;
  };

  Line& LineOf(const Call& call) { return lines_[ParticipantIndex(call.command.participant)]; }
  // What a plain participant's contract allows: nothing lands later.
  int64_t LatestLanding(const Call& call) const;
  bool TakeWaiting(const CallPtr& call);
  void HandOver(const CallPtr& call);
  void Travel(const CallPtr& call, int copy);
  int64_t TravelTime(const CallPtr& call, uint64_t occasion);
  void Arrive(const CallPtr& call, uint64_t occasion);
  void Reply(const CallPtr& call, uint64_t occasion, Answer answer);
  void Hear(const CallPtr& call, Answer answer);
  void TellTimedOut(const CallPtr& call);
  void TellNotSent(const CallPtr& call, const char* why);
  template <typename Body>
  void Post(const Call& call, Body body);
  void Trace(const Call& call, const std::string& what);

  const World world_;
  effects::EventSink sink_;
  uint64_t epoch_ = 0;
  std::array<Line, kParticipantCount> lines_;
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_NETWORK_H_
