#include "orchestrator/server/participants_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "orchestrator/definition/violations.h"
#include "orchestrator/definition/yaml_tree.h"

namespace tutti::server {
namespace {

using definition::ChildPath;
using definition::Node;
using definition::Violations;

// Reads one participant's settings, collecting what is wrong with them.
class ParticipantReader {
 public:
  ParticipantReader(std::string folder, Violations* violations) : folder_(std::move(folder)), violations_(violations) {}

  Participant Read(const std::string& name, const Node& node) {
    Participant participant;
    effects::ParticipantEndpoint& endpoint = participant.endpoint;
    endpoint.name = name;
    const std::string path = absl::StrCat("participants.", name);
    ReadMap(path, node,
            {{"target", Text(&endpoint.target)},
             {"barrier", Bool(&participant.traits.barrier)},
             {"refusals", Refusals(&participant.traits.refusals_open)},
             {"descriptor_set", File(&participant.descriptor_set)},
             {"concurrency", Count(&endpoint.max_in_flight)},
             {"load_balancing", Text(&endpoint.load_balancing)},
             {"bearer_token_file", File(&endpoint.bearer_token_file)},
             {"tls", [this, &endpoint](const std::string& at, const Node& value) { ReadTls(at, value, &endpoint); }}});
    if (endpoint.target.empty()) {
      violations_->Add(ChildPath(path, "target"), node.line,
                       "is missing; write where the service listens, e.g. \"host:7601\"");
    }
    return participant;
  }

 private:
  using Setter = std::function<void(const std::string& path, const Node& value)>;

  void ReadMap(const std::string& path, const Node& node, const std::map<std::string, Setter>& setters) {
    if (!node.IsMap()) return violations_->Add(path, node.line, absl::StrCat("must be a map, not ", node.Describe()));
    std::vector<std::string> known;
    for (const auto& [key, setter] : setters) known.push_back(key);
    for (const definition::Entry& entry : node.entries) {
      const auto setter = setters.find(entry.key);
      if (setter == setters.end()) {
        violations_->Add(
            ChildPath(path, entry.key), entry.line,
            absl::StrCat("is not a setting of a participant", violations_->suggester()->For(entry.key, known)));
      } else {
        setter->second(ChildPath(path, entry.key), entry.value);
      }
    }
  }

  void ReadTls(const std::string& path, const Node& node, effects::ParticipantEndpoint* endpoint) {
    endpoint->tls = true;
    if (node.IsScalar() && node.text == "true") return;
    ReadMap(path, node,
            {{"ca_file", File(&endpoint->ca_file)},
             {"certificate_file", File(&endpoint->certificate_file)},
             {"private_key_file", File(&endpoint->private_key_file)},
             {"server_name", Text(&endpoint->server_name)}});
  }

  Setter Text(std::string* out) {
    return [this, out](const std::string& path, const Node& value) {
      if (!value.IsScalar() || value.text.empty()) {
        return violations_->Add(path, value.line, absl::StrCat("must be text, not ", value.Describe()));
      }
      *out = value.text;
    };
  }

  Setter File(std::string* out) {
    return [this, out](const std::string& path, const Node& value) {
      Text(out)(path, value);
      if (!out->empty()) *out = (std::filesystem::path(folder_) / *out).lexically_normal().string();
    };
  }

  Setter Bool(bool* out) {
    return [this, out](const std::string& path, const Node& value) {
      if (value.text != "true" && value.text != "false") {
        return violations_->Add(path, value.line, "must be true or false");
      }
      *out = value.text == "true";
    };
  }

  Setter Refusals(bool* open) {
    return [this, open](const std::string& path, const Node& value) {
      if (value.text != "final" && value.text != "open") {
        return violations_->Add(path, value.line, "must be final or open");
      }
      *open = value.text == "open";
    };
  }

  Setter Count(int* out) {
    return [this, out](const std::string& path, const Node& value) {
      if (!absl::SimpleAtoi(value.text, out) || *out < 1) {
        violations_->Add(path, value.line, "must be a whole number of at least 1");
      }
    };
  }

  const std::string folder_;
  Violations* const violations_;
};

}  // namespace

absl::StatusOr<std::vector<Participant>> ParseParticipants(const std::string& text, const std::string& folder) {
  Violations violations;
  const std::optional<Node> tree = definition::ParseTree(text, &violations);
  if (!tree.has_value()) return violations.ToStatus();
  std::vector<Participant> participants;
  const Node* list = tree->Find("participants");
  if (!tree->IsMap() || list == nullptr || !list->IsMap()) {
    violations.Add("participants", tree->line, "must be a map from each participant's name to its settings");
    return violations.ToStatus();
  }
  for (const definition::Entry& entry : tree->entries) {
    if (entry.key != "participants")
      violations.Add(entry.key, entry.line, "is not known here; the file has one key, participants");
  }
  ParticipantReader reader(folder, &violations);
  for (const definition::Entry& entry : list->entries) {
    const std::string path = absl::StrCat("participants.", entry.key);
    if (absl::Status name = ValidateName(entry.key, path); !name.ok()) {
      violations.Add(path, entry.line, std::string(name.message()));
    }
    Participant participant = reader.Read(entry.key, entry.value);
    if (absl::Status endpoint = effects::CheckEndpoint(participant.endpoint);
        !participant.endpoint.target.empty() && !endpoint.ok()) {
      violations.Add(path, entry.line, std::string(endpoint.message()));
    }
    participants.push_back(std::move(participant));
  }
  if (!violations.empty()) return violations.ToStatus();
  return participants;
}

absl::StatusOr<std::vector<Participant>> ReadParticipants(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(errno)));
  absl::StatusOr<std::vector<Participant>> participants =
      ParseParticipants(text.str(), std::filesystem::absolute(path).parent_path().string());
  if (!participants.ok()) {
    return absl::Status(participants.status().code(), absl::StrCat(path, ": ", participants.status().message()));
  }
  return participants;
}

}  // namespace tutti::server
