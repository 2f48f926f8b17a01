// One participant's line: its channel, the commands that wait for it and the calls on it. Internal to the invoker.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_LINE_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_LINE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "orchestrator/effects/participant_endpoint.h"
#include "orchestrator/saga/effect.h"

namespace tutti::effects {

class ParticipantLine;

// One attempt, from Send to the end of its call.
struct Call {
  explicit Call(saga::SendCommand sent) : command(std::move(sent)) {}

  saga::SendCommand command;
  std::weak_ptr<ParticipantLine> line;  // set at hand-over
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer reply;
  std::atomic<int64_t> handed_over_ms{-1};  // monotonic; written once, after `line`
  std::atomic<bool> started{false};         // gRPC knows the call
  bool queued = false;                      // came out of TakeReady
  std::atomic<bool> over{false};            // replied, or its timeout was told: AttemptTimedOut must not follow
  std::atomic<bool> holds_slot{true};       // counts against max_in_flight
  std::list<std::shared_ptr<Call>>::iterator place;  // in its line's waiting or under_way list; guarded by the line
};

using CallPtr = std::shared_ptr<Call>;

inline constexpr std::chrono::milliseconds kConnectPause(100);

// Thread-safe. Every list of calls that a method returns is the caller's to act on, outside the line's lock: gRPC may
// run callbacks inside the functions that start and cancel calls.
class ParticipantLine {
 public:
  // `certificates` are the channel's, or null.
  ParticipantLine(ParticipantEndpoint endpoint, std::shared_ptr<HeldCertificates> certificates,
                  std::shared_ptr<grpc::Channel> channel);

  const ParticipantEndpoint& endpoint() const { return endpoint_; }
  grpc::Channel& channel() { return *channel_; }
  grpc::GenericStub& stub() { return stub_; }

  enum class Admission { kHandOver, kWaits, kQueueFull, kClosed };
  // kHandOver: the caller must start the call now.
  Admission Admit(const CallPtr& call);

  // Lets a call wait without asking whether it could go. False when the queue is full.
  bool Adopt(const CallPtr& call);

  // Takes a waiting call out for ever; null when it no longer waits.
  CallPtr TakeWaiting(const std::string& saga_id, const saga::AttemptId& attempt);
  bool TakeWaiting(const CallPtr& call);

  // What may be handed over now; the caller must start each and say so with Begun.
  std::vector<CallPtr> TakeReady();
  void Begun(const CallPtr& call);
  // Returns once no thread is between TakeReady and Begun with this attempt.
  void AwaitBegun(const std::string& saga_id, const saga::AttemptId& attempt);

  void ReleaseSlot(Call* call);
  // The last thing a call's own thread does. The line keeps the call, and whoever owns the line keeps that as long as a
  // call is under way, so neither dies on that thread: gRPC's callback threads must not end the last channel, because
  // that waits for these threads.
  void Ended(Call* call);

  // No call is admitted any more; returns those that wait. Those on their way from the queue to gRPC have arrived when
  // it returns: a Drop that comes later looks for them in another line. Not from within a hand-over.
  std::list<CallPtr> Close();
  std::vector<CallPtr> UnderWay() const;
  void WaitUntilNothingIsUnderWay();

  // The channel's state. Asks for a connection where there is none, but not at once when the last one was asked for
  // less than kConnectPause ago: a peer that accepts and hangs up is a success to gRPC's own backoff, and would be
  // called again as fast as the processor can. (With round_robin gRPC asks by itself, and no such pause can be had.)
  grpc_connectivity_state Connect() const;

  std::string StateName() const;
  size_t waiting() const;
  size_t under_way() const;
  std::vector<CertificateStatus> certificates() const;

  void SetBearerToken(std::string token);
  std::string bearer_token() const;

 private:
  static std::string KeyOf(const std::string& saga_id, const saga::AttemptId& attempt);
  bool Enqueue(const CallPtr& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayHandOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ParticipantEndpoint endpoint_;
  const std::shared_ptr<HeldCertificates> certificates_;
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;

  mutable std::atomic<int64_t> connect_not_before_{0};  // in ticks of the steady clock

  mutable Mutex mu_;
  CondVar idle_;
  CondVar begun_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int slots_used_ ABSL_GUARDED_BY(mu_) = 0;
  std::list<CallPtr> waiting_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<std::string, CallPtr> waiting_by_key_ ABSL_GUARDED_BY(mu_);
  std::unordered_set<std::string> beginning_ ABSL_GUARDED_BY(mu_);  // taken to be handed over, not yet with gRPC
  std::list<CallPtr> under_way_ ABSL_GUARDED_BY(mu_);
  std::list<CallPtr> ended_ ABSL_GUARDED_BY(mu_);  // since the last look for commands to hand over
  std::string bearer_token_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_LINE_H_
