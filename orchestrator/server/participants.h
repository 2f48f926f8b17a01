// The participants this server knows, as of the last good participants.yaml.
#ifndef TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_H_
#define TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "orchestrator/definition/compiler.h"
#include "orchestrator/saga/recipe.h"
#include "orchestrator/server/participants_file.h"

namespace grpc {
class Channel;
}

namespace tutti::server {

// Thread-safe.
class Participants final : public saga::ParticipantTraitsSource, public definition::DescriptorSource {
 public:
  void Replace(const std::vector<Participant>& participants);

  // A participant that was taken out of the file is plain, with open refusals: the least that can be assumed.
  saga::ParticipantTraits TraitsOf(absl::string_view participant) const override;
  bool KnowsParticipant(absl::string_view participant) const override;
  // From the descriptor set where the file names one, else from the service's own reflection, which is asked as
  // commands are sent: same address, credentials and token. NOT_FOUND: no such symbol; UNAVAILABLE: passing;
  // FAILED_PRECONDITION: it will not pass by itself, and the message says what to do. Blocks for at most
  // effects::kReflectionTimeoutMs.
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view participant,
                                                                 absl::string_view symbol) override;

 private:
  struct Reflection {
    std::shared_ptr<HeldCertificates> certificates;  // the channel's, or null
    std::shared_ptr<grpc::Channel> channel;          // its limits are other than those of commands, so it is its own
  };
  struct Entry {
    Participant participant;
    Reflection reflection;  // made when it is first asked; a slow set-up is paid once
  };

  std::optional<Participant> Find(absl::string_view name) const;
  // INVALID_ARGUMENT: certificates that cannot be used.
  absl::StatusOr<Reflection> ReflectionOf(const effects::ParticipantEndpoint& endpoint);

  mutable Mutex mu_;
  std::map<std::string, Entry, std::less<>> participants_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_H_
