// The participants this server knows, as of the last good participants.yaml.
#ifndef TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_H_
#define TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_H_

#include <map>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "orchestrator/definition/compiler.h"
#include "orchestrator/saga/recipe.h"
#include "orchestrator/server/participants_file.h"

namespace tutti::server {

// Thread-safe.
class Participants final : public saga::ParticipantTraitsSource, public definition::DescriptorSource {
 public:
  void Replace(const std::vector<Participant>& participants);

  // A participant that was taken out of the file is plain, with open refusals: the least that can be assumed.
  saga::ParticipantTraits TraitsOf(absl::string_view participant) const override;
  bool KnowsParticipant(absl::string_view participant) const override;
  // From the descriptor set where the file names one, else from the service's own reflection.
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view participant,
                                                                 absl::string_view symbol) override;

 private:
  std::optional<Participant> Find(absl::string_view name) const;

  mutable Mutex mu_;
  std::map<std::string, Participant, std::less<>> participants_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::server

#endif  // TUTTI_ORCHESTRATOR_SERVER_PARTICIPANTS_H_
