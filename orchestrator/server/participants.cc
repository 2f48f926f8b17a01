#include "orchestrator/server/participants.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/channel.h"
#include "orchestrator/effects/reflection/descriptor_file.h"
#include "orchestrator/effects/reflection/reflection_client.h"

namespace tutti::server {

void Participants::Replace(const std::vector<Participant>& participants) {
  std::map<std::string, Participant, std::less<>> table;
  for (const Participant& participant : participants) table[participant.endpoint.name] = participant;
  MutexLock lock(&mu_);
  participants_ = std::move(table);
}

saga::ParticipantTraits Participants::TraitsOf(absl::string_view participant) const {
  const std::optional<Participant> found = Find(participant);
  return found.has_value() ? found->traits : saga::ParticipantTraits{.barrier = false, .refusals_open = true};
}

bool Participants::KnowsParticipant(absl::string_view participant) const {
  return Find(participant).has_value();
}

absl::StatusOr<google::protobuf::FileDescriptorSet> Participants::FindSymbol(absl::string_view participant,
                                                                             absl::string_view symbol) {
  const std::optional<Participant> found = Find(participant);
  if (!found.has_value()) return absl::NotFoundError(absl::StrCat("unknown participant ", participant));
  if (found->descriptor_set.empty()) return effects::FetchSymbol(effects::MakeChannel(found->endpoint), symbol);
  const auto files = effects::LoadDescriptorSet(found->descriptor_set);
  if (!files.ok()) return files.status();
  return effects::FindSymbolIn(*files, symbol);
}

std::optional<Participant> Participants::Find(absl::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = participants_.find(name);
  return found == participants_.end() ? std::nullopt : std::optional<Participant>(found->second);
}

}  // namespace tutti::server
