// Sends commands to existing gRPC services: a generic stub, mapped bytes in, reply bytes out.
//
// A command waits in our own queue until its participant's channel is READY and has room, never inside gRPC: from there
// it could leave after the abort of its saga. In the moment between our look and the call's start the connection may
// break; a call that then has not left the client by its attempt timeout is cancelled, so whatever leaves has the whole
// grace to land.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_INVOKER_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_INVOKER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "grpcpp/completion_queue.h"
#include "orchestrator/effects/deadline_queue.h"
#include "orchestrator/effects/effect_sinks.h"
#include "orchestrator/effects/participant_endpoint.h"

namespace tutti::effects {

class ParticipantLine;
struct Call;

// What one participant looks like right now, for metrics and admin pages.
struct ParticipantStatus {
  std::string name;
  std::string channel_state;  // gRPC's name, e.g. "READY"
  size_t waiting = 0;
  size_t under_way = 0;  // lingering calls included
  std::vector<CertificateStatus> certificates;
};

// Moments in which one thread has a command in its hands and another must not miss it.
enum class InvokerSeam {
  kTaking,       // the line it may wait in was found; it is not yet taken out
  kMoving,       // out of a replaced line's queue, not yet in its successor's
  kHandingOver,  // out of the queue for good, not yet with gRPC
};

// Thread-safe.
class ParticipantInvoker final : public CommandSender {
 public:
  struct Options {
    // Per reply, for metrics; must not block. `code` is gRPC's.
    std::function<void(const std::string& participant, saga::StatusCode code, int64_t elapsed_ms)> on_reply;
    // Per command that ends without having been handed over, for metrics; must not block.
    std::function<void(const std::string& participant)> on_not_sent;
    // For tests of interleavings: called in that moment, on the thread that is in it; may block.
    std::function<void(InvokerSeam)> at_seam;
  };

  // `clock` must outlive the invoker.
  ParticipantInvoker(const Clock* clock, EventSink sink, Options options);
  ParticipantInvoker(const Clock* clock, EventSink sink) : ParticipantInvoker(clock, std::move(sink), Options()) {}
  ~ParticipantInvoker() override;

  // Replaces the table; all or nothing. Endpoints that did not change keep their channel; commands that wait for one
  // that did go on waiting for the new one. INVALID_ARGUMENT names the participant and the setting.
  absl::Status SetParticipants(const std::vector<ParticipantEndpoint>& endpoints);

  void Send(saga::SendCommand command) override;
  void Drop(const saga::DropCommand& command) override;

  std::vector<ParticipantStatus> Status() const;

  // Cancels calls under way and forgets waiting commands. Nothing is posted once it has begun, except by a Send that
  // runs at the same time. Blocks until every call has ended. Not from within the sink.
  void Shutdown();

 private:
  struct StateWatch;
  using LinePtr = std::shared_ptr<ParticipantLine>;
  using CallPtr = std::shared_ptr<Call>;

  LinePtr FindLine(const std::string& participant) const;
  LinePtr TakeWaiting(const CallPtr& call);  // its line when it waited, and waits no more
  void HandOver(const LinePtr& line, const CallPtr& call);
  void Pump(const LinePtr& line);
  void Finished(Call* call, const grpc::Status& status);
  void DeadlinePassed(const CallPtr& call);
  void TellTimedOut(Call* call);
  void TellNotSent(const saga::SendCommand& command, absl::string_view message);
  void At(InvokerSeam seam) const;
  template <typename Body>
  void Post(const saga::SendCommand& command, Body body);

  void WatchState(const LinePtr& line);
  void WatchStates();
  void RefreshToken(const LinePtr& line);

  const Clock* const clock_;
  const EventSink sink_;
  const Options options_;
  std::atomic<bool> shut_down_{false};

  Mutex replace_mu_;  // one SetParticipants or Shutdown at a time; taken before mu_
  mutable Mutex mu_;
  std::map<std::string, LinePtr> lines_ ABSL_GUARDED_BY(mu_);
  std::vector<LinePtr> retired_ ABSL_GUARDED_BY(replace_mu_);  // replaced, with calls still under way

  // Two clocks of a call: until hand-over, how long it may wait; from then on, its attempt timeout.
  DeadlineQueue<std::weak_ptr<Call>> deadlines_;
  grpc::CompletionQueue states_;
  std::thread state_thread_;
};

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_INVOKER_H_
