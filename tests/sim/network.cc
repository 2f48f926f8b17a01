#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "orchestrator/saga/describe.h"
#include "orchestrator/saga/outcome.h"

namespace tutti::sim {
namespace {

constexpr saga::StatusCode kPermissionDenied = 7;
constexpr int64_t kBarrierDelayMsMax = 15 * 60 * 1000;

bool IsBarrier(const saga::SendCommand& command) {
  return kParticipants[ParticipantIndex(command.participant)].guard == Guard::kBarrier;
}

bool MayBeDoubled(const saga::SendCommand& command) {
  return IsBarrier(command) || kParticipants[ParticipantIndex(command.participant)].refusals_open;
}

}  // namespace

void Network::Attach(effects::EventSink sink) {
  sink_ = std::move(sink);
}

void Network::Detach() {
  sink_ = nullptr;
  ++epoch_;
  for (Line& line : lines_) line.waiting.clear();
}

void Network::Trace(const Call& call, const std::string& what) {
  if (world_.trace)
    world_.trace(absl::StrCat(call.command.saga_id, " ", saga::Describe(call.command.attempt), " ", what));
}

template <typename Body>
void Network::Post(const Call& call, Body body) {
  if (call.epoch != epoch_ || sink_ == nullptr) return;
  sink_({.saga_id = call.command.saga_id,
         .saga_uid = call.command.saga_uid,
         .now_ms = world_.timeline->WallMs(),
         .body = std::move(body)});
}

void Network::Send(saga::SendCommand command) {
  world_.auditor->OnSend(command);
  const auto call = std::make_shared<Call>();
  call->id = Hash(Hash(Hash(7, command.saga_id), command.attempt.step),
                  static_cast<uint64_t>(command.attempt.number) * 4 + command.attempt.operation);
  call->command = std::move(command);
  call->epoch = epoch_;
  Line& line = LineOf(*call);
  const bool queued = world_.luck->Strikes(Fault::kQueueing, call->id);
  if (line.ready && line.waiting.empty() && !queued) return HandOver(call);
  Trace(*call, "waits for hand-over");
  line.waiting.push_back(call);
  if (line.ready) {
    const int64_t wait_ms = world_.luck->Between("queueing", call->id, 0, call->command.timeout_ms * 5 / 4);
    world_.timeline->After(wait_ms, [this, call] {
      if (LineOf(*call).ready && TakeWaiting(call)) HandOver(call);
    });
  }
  world_.timeline->After(call->command.timeout_ms, [this, call] {
    if (TakeWaiting(call)) TellNotSent(call, "not READY in time");
  });
}

bool Network::TakeWaiting(const CallPtr& call) {
  std::list<CallPtr>& waiting = LineOf(*call).waiting;
  const auto found = std::find(waiting.begin(), waiting.end(), call);
  if (found == waiting.end()) return false;
  waiting.erase(found);
  return true;
}

void Network::Drop(const saga::DropCommand& command) {
  if (world_.sabotage == Sabotage::kIgnoreDrop) return;
  std::list<CallPtr>& waiting = lines_[ParticipantIndex(command.participant)].waiting;
  const auto found = std::find_if(waiting.begin(), waiting.end(), [&](const CallPtr& call) {
    return call->command.saga_id == command.saga_id && call->command.attempt == command.attempt;
  });
  if (found == waiting.end()) return;
  const CallPtr call = *found;
  waiting.erase(found);
  TellNotSent(call, "dropped");
}

void Network::SetReady(int participant, bool ready) {
  Line& line = lines_[participant];
  line.ready = ready;
  while (line.ready && !line.waiting.empty()) {
    const CallPtr call = line.waiting.front();
    line.waiting.pop_front();
    HandOver(call);
  }
}

int64_t Network::LatestLanding(const Call& call) const {
  return call.handed_over_ms + call.command.timeout_ms + world_.grace_ms - 1;
}

void Network::HandOver(const CallPtr& call) {
  Trace(*call, "is handed over");
  Luck& luck = *world_.luck;
  call->handed_over_ms = world_.timeline->MonotonicMs();
  world_.auditor->OnHandOver(call->command);
  const int64_t late_ms = luck.Strikes(Fault::kLateTimer, call->id) ? luck.Between("late", call->id, 1, 900) : 0;
  world_.timeline->After(call->command.timeout_ms + late_ms, [this, call] { TellTimedOut(call); });
  const bool doubled = MayBeDoubled(call->command) && luck.Strikes(Fault::kDuplicate, call->id);
  const bool refused = luck.Strikes(Fault::kMeshRefusal, call->id);
  if (refused) Reply(call, Hash(call->id, 90), {.code = kPermissionDenied, .message = "refused on the way"});
  // Of a doubled call one copy may be refused on the way while the other goes through.
  if (!refused || doubled) Travel(call, 0);
  if (doubled && !refused) Travel(call, 1);
  if (luck.Strikes(Fault::kBreakConnection, call->id)) {
    const int64_t at_ms = luck.Between("break", call->id, 1, call->command.timeout_ms);
    world_.timeline->After(at_ms,
                           [this, call] { Hear(call, {.code = saga::kUnavailable, .message = "connection reset"}); });
  }
}

int64_t Network::TravelTime(const CallPtr& call, uint64_t occasion) {
  Luck& luck = *world_.luck;
  if (!luck.Strikes(Fault::kLongDelay, occasion)) return luck.Between("travel", occasion, 1, 30);
  const int64_t window_ms = call->command.timeout_ms + world_.grace_ms - 1;
  const bool far = IsBarrier(call->command) && luck.Draw("far", occasion) % 2 == 0;
  return luck.Between("delay", occasion, 1, far ? kBarrierDelayMsMax : window_ms);
}

void Network::Travel(const CallPtr& call, int copy) {
  const uint64_t occasion = Hash(call->id, static_cast<uint64_t>(copy));
  if (LineOf(*call).black_hole || world_.luck->Strikes(Fault::kLoseRequest, occasion)) {
    return Trace(*call, "request is lost");
  }
  int64_t arrival_ms = world_.timeline->MonotonicMs() + TravelTime(call, occasion);
  if (!IsBarrier(call->command)) {
    arrival_ms = std::min(arrival_ms, LatestLanding(*call));
  }
  world_.timeline->At(arrival_ms, [this, call, occasion] { Arrive(call, occasion); });
}

void Network::Arrive(const CallPtr& call, uint64_t occasion) {
  const int participant = ParticipantIndex(call->command.participant);
  if (lines_[participant].black_hole) return Trace(*call, "request is lost");
  if (!world_.participants->up(participant)) {
    return Reply(call, occasion, {.code = saga::kUnavailable, .message = "connection refused"});
  }
  Answer answer = world_.participants->Handle(call->command, occasion);
  Trace(*call, answer.silent
                   ? "arrives, and its participant dies"
                   : absl::StrCat("arrives: ", saga::StatusCodeName(answer.code), " ", saga::ShortName(answer.mark)));
  if (answer.silent) {
    if (world_.luck->Draw("silence", occasion) % 2 == 0) return;
    answer = {.code = saga::kUnavailable, .message = "connection reset"};
  }
  Reply(call, occasion, std::move(answer));
}

void Network::Reply(const CallPtr& call, uint64_t occasion, Answer answer) {
  const uint64_t back = Hash(occasion, 50);
  if (world_.luck->Strikes(Fault::kLoseReply, back)) return Trace(*call, "reply is lost");
  if (answer.code == 0 && world_.luck->Strikes(Fault::kGarbleReply, back)) answer.reply = "\xff\xff\xff";
  world_.timeline->After(TravelTime(call, back), [this, call, answer = std::move(answer)]() mutable {
    if (LineOf(*call).black_hole) return Trace(*call, "reply is lost");
    Hear(call, std::move(answer));
  });
}

void Network::Hear(const CallPtr& call, Answer answer) {
  const int64_t now_ms = world_.timeline->MonotonicMs();
  // One answer a call; none after the call's own deadline.
  if (call->replied || now_ms > LatestLanding(*call)) return;
  call->replied = true;
  // The attempt's clock may ring while the reply comes in.
  if (!world_.luck->Strikes(Fault::kTimeoutAfterReply, call->id)) call->told = true;
  Trace(*call, absl::StrCat("is answered ", saga::StatusCodeName(answer.code), " ", saga::ShortName(answer.mark)));
  Post(*call, saga::ReplyReceived{.attempt = call->command.attempt,
                                  .code = answer.code,
                                  .message = std::move(answer.message),
                                  .reply = std::move(answer.reply),
                                  .mark = answer.mark,
                                  .pushback_ms = answer.pushback_ms,
                                  .elapsed_ms = now_ms - call->handed_over_ms});
}

void Network::TellTimedOut(const CallPtr& call) {
  if (std::exchange(call->told, true)) return;
  Post(*call, saga::AttemptTimedOut{call->command.attempt});
}

void Network::TellNotSent(const CallPtr& call, const char* why) {
  Trace(*call, absl::StrCat("is never sent: ", why));
  Post(*call, saga::NotSent{call->command.attempt, why});
}

}  // namespace tutti::sim
