// The services that sagas call: three ways to keep the contract, one database each, and processes that die.
#ifndef TUTTI_TESTS_SIM_PARTICIPANTS_H_
#define TUTTI_TESTS_SIM_PARTICIPANTS_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "orchestrator/saga/effect.h"
#include "participants/sdk/barrier.h"
#include "tests/sim/auditor.h"
#include "tests/sim/luck.h"
#include "tests/sim/scenario.h"

namespace tutti::sim {

// How one command ended at a participant.
struct Answer {
  bool silent = false;  // the process died: the caller sees a broken connection, or nothing at all
  saga::StatusCode code = 0;
  std::string message;
  std::string reply;
  v1::BarrierMark mark = v1::BARRIER_MARK_UNSPECIFIED;
  std::optional<int64_t> pushback_ms;
};

class Participants {
 public:
  Participants(Luck* luck, Auditor* auditor, Sabotage sabotage) : luck_(luck), auditor_(auditor), sabotage_(sabotage) {}

  // One delivery of a command; `occasion` tells deliveries apart.
  Answer Handle(const saga::SendCommand& command, uint64_t occasion);

  void SetUp(int participant, bool up);
  bool up(int participant) const { return up_[participant]; }

 private:
  // The barrier's inbox row, or what a plain service remembers of the step.
  struct Row {
    participant::RowState state = participant::RowState::kNothing;
    std::string action_digest;
    std::string compensation_digest;
    saga::StatusCode code = 0;
    std::string reply;
    bool known = false;    // plain: the action's key was applied once
    bool present = false;  // plain: the effect stands
  };

  Answer HandleBehindBarrier(const saga::SendCommand& command, uint64_t occasion, Row* row);
  Answer ApplyBehindBarrier(const saga::SendCommand& command, uint64_t occasion, Row* row);
  Answer UndoBehindBarrier(const saga::SendCommand& command, uint64_t occasion, Row* row);
  Answer HandlePlain(const saga::SendCommand& command, uint64_t occasion, Guard guard, Row* row);
  std::optional<Answer> Trouble(const saga::SendCommand& command, uint64_t occasion);
  void CheckRequest(const saga::SendCommand& command);

  Luck* const luck_;
  Auditor* const auditor_;
  const Sabotage sabotage_;
  std::array<bool, kParticipantCount> up_ = {true, true, true, true, true};
  std::array<std::map<std::pair<std::string, std::string>, Row>, kParticipantCount> rows_;  // by saga uid and step
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_PARTICIPANTS_H_
