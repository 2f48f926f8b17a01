#include "orchestrator/server/participants.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "grpcpp/channel.h"
#include "orchestrator/effects/reflection/descriptor_file.h"
#include "orchestrator/effects/reflection/reflection_client.h"

namespace tutti::server {

void Participants::Replace(const std::vector<Participant>& participants) {
  std::map<std::string, Entry, std::less<>> table;
  for (const Participant& participant : participants) table[participant.endpoint.name].participant = participant;
  MutexLock lock(&mu_);
  for (auto& [name, entry] : table) {
    const auto former = participants_.find(name);
    if (former != participants_.end() && former->second.participant.endpoint == entry.participant.endpoint) {
      entry.reflection = former->second.reflection;
    }
  }
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
  if (!found->descriptor_set.empty()) {
    const auto files = effects::LoadDescriptorSet(found->descriptor_set);
    if (!files.ok()) return files.status();
    return effects::FindSymbolIn(*files, symbol);
  }
  const auto token = effects::ReadBearerToken(found->endpoint);
  if (!token.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("bearer_token_file: ", token.status().message()));
  }
  const auto reflection = ReflectionOf(found->endpoint);
  if (!reflection.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("tls: ", reflection.status().message()));
  }
  return effects::FetchSymbol(reflection->channel, symbol, *token);
}

absl::StatusOr<Participants::Reflection> Participants::ReflectionOf(const effects::ParticipantEndpoint& endpoint) {
  MutexLock lock(&mu_);
  const auto found = participants_.find(endpoint.name);
  const bool known = found != participants_.end() && found->second.participant.endpoint == endpoint;
  if (known && found->second.reflection.channel != nullptr) return found->second.reflection;
  auto certificates = effects::HoldCertificates(endpoint);
  if (!certificates.ok()) return certificates.status();
  Reflection reflection{.certificates = *certificates,
                        .channel = effects::MakeChannel(endpoint, certificates->get(), limits::kDescriptorBytesMax)};
  if (known) found->second.reflection = reflection;
  return reflection;
}

std::optional<Participant> Participants::Find(absl::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = participants_.find(name);
  return found == participants_.end() ? std::nullopt : std::optional<Participant>(found->second.participant);
}

}  // namespace tutti::server
