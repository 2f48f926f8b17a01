// participants.yaml: which services there are, how to reach them, and what they promise.
//
//   participants:
//     payment:
//       target: "payment.shop.svc:7601"     # gRPC's target syntax
//       barrier: true                       # default false: a plain service
//       refusals: final                     # or open: something on the way re-sends calls by itself
//       descriptor_set: payment.binpb       # left out: ask the service's own reflection
//       concurrency: 1024                   # commands under way at once
//       load_balancing: pick_first          # or round_robin
//       tls: {ca_file: ca.pem, certificate_file: me.pem, private_key_file: me.key, server_name: payment}
//       bearer_token_file: token
//
// Relative paths start at the file's own folder.
#ifndef TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_FILE_H_
#define TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "orchestrator/effects/participant_endpoint.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::server {

struct Participant {
  effects::ParticipantEndpoint endpoint;
  saga::ParticipantTraits traits;
  std::string descriptor_set;  // a file; empty: reflection
};

// `folder` is where relative paths start. INVALID_ARGUMENT names path, line and remedy of every mistake.
absl::StatusOr<std::vector<Participant>> ParseParticipants(const std::string& text, const std::string& folder);

// NOT_FOUND when the file cannot be read.
absl::StatusOr<std::vector<Participant>> ReadParticipants(const std::string& path);

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_FILE_H_
