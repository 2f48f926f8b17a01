// Where a participant is and how to talk to it: the part of participants.yaml that the invoker needs.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_ENDPOINT_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_ENDPOINT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/held_certificates.h"
#include "common/limits.h"

namespace grpc {
class Channel;
}

namespace tutti::effects {

struct ParticipantEndpoint {
  std::string name;
  std::string target;  // as target.h has it

  bool tls = false;              // implied by any of the files below
  std::string ca_file;           // PEM; empty: the system's roots
  std::string certificate_file;  // PEM, with private_key_file: who we are to the participant
  std::string private_key_file;
  std::string server_name;        // what the participant's certificate must say; empty: the target's host
  std::string bearer_token_file;  // sent as `authorization: Bearer ...`; re-read as it changes; needs TLS

  int max_in_flight = 1024;  // calls whose attempt timeout has not passed; beyond it commands wait in our queue
  int max_queued = 100'000;  // beyond it commands end NotSent at once
  // Servers that nobody told about keepalive end connections that are pinged more often than every five minutes.
  int64_t keepalive_ms = 300'000;
  std::string load_balancing = "pick_first";  // or "round_robin", for a target that resolves to every replica

  bool UsesTls() const { return tls || !ca_file.empty() || !certificate_file.empty(); }
  friend bool operator==(const ParticipantEndpoint&, const ParticipantEndpoint&) = default;
};

struct EndpointMistake {
  std::string setting;  // as participants.yaml calls it: "target", "tls.ca_file"
  std::string what;     // what is wrong with it, and the remedy
};

// Everything that would keep the participant from being called. Reads its files.
std::vector<EndpointMistake> MistakesOf(const ParticipantEndpoint& endpoint);

// INVALID_ARGUMENT names the participant and the first setting that is wrong.
absl::Status CheckEndpoint(const ParticipantEndpoint& endpoint);

// The certificates that the endpoint names; null when it names none. INVALID_ARGUMENT: what is wrong with them.
absl::StatusOr<std::shared_ptr<HeldCertificates>> HoldCertificates(const ParticipantEndpoint& endpoint);

// A channel of its own, that never re-sends a call by itself and never looks for a service config. `certificates` are
// the endpoint's and must outlive it. A connection has 20 s to come about; one that is lost or refused is tried again
// after 0.1 s, and after up to 2 s when it goes on. Replies above `reply_bytes_max` end their call with
// RESOURCE_EXHAUSTED.
//
// What a participant sends ends its own call at most, with one exception: headers or trailers above
// limits::kReplyMetadataBytesMax end the connection with all calls on it, because gRPC 1.51 takes them for a fault of
// the connection. Peers are told of that limit; servers that heed it (gRPC's own do) answer that call alone with an
// error. Compressed replies are not inflated: see call_answer.h.
std::shared_ptr<grpc::Channel> MakeChannel(const ParticipantEndpoint& endpoint, const HeldCertificates* certificates,
                                           size_t reply_bytes_max = limits::kReplyBytesMax);

// The content of the bearer token file without surrounding white space; empty when the endpoint has none.
absl::StatusOr<std::string> ReadBearerToken(const ParticipantEndpoint& endpoint);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_PARTICIPANT_ENDPOINT_H_
