#include "orchestrator/server/participants_file.h"

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/read_file.h"
#include "orchestrator/definition/scalar.h"
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
             {"concurrency", Count(&endpoint.max_in_flight, limits::kConcurrencyMax)},
             {"load_balancing", Text(&endpoint.load_balancing)},
             {"bearer_token_file", File(&endpoint.bearer_token_file)},
             {"tls", [this, &endpoint](const std::string& at, const Node& value) { ReadTls(at, value, &endpoint); }}});
    Check(path, node, endpoint);
    return participant;
  }

 private:
  using Setter = std::function<void(const std::string& path, const Node& value)>;

  // What the settings mean together, and what their files hold. A setting that could not be read was told of already.
  void Check(const std::string& path, const Node& node, const effects::ParticipantEndpoint& endpoint) {
    if (!node.IsMap()) return;
    for (const effects::EndpointMistake& mistake : effects::MistakesOf(endpoint)) {
      const std::string at = ChildPath(path, mistake.setting);
      if (refused_.insert(at).second) violations_->Add(at, LineOf(node, mistake.setting), mistake.what);
    }
  }

  // Of "tls.ca_file" where it stands, else of what it would stand in.
  static int LineOf(const Node& node, absl::string_view setting) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(setting, absl::MaxSplits('.', 1));
    const Node* value = node.Find(parts.first);
    if (value == nullptr) return node.line;
    return parts.second.empty() ? value->line : LineOf(*value, parts.second);
  }

  void Refuse(const std::string& path, int line, std::string what) {
    refused_.insert(path);
    violations_->Add(path, line, std::move(what));
  }

  void ReadMap(const std::string& path, const Node& node, const std::map<std::string, Setter>& setters) {
    if (!node.IsMap()) {
      return Refuse(path, node.line, absl::StrCat("must be a map of settings, not ", node.Describe()));
    }
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
    if (!node.IsMap()) {
      return Refuse(
          path, node.line,
          absl::StrCat("must be true or a map of its files, not ", node.Describe(), "; for plaintext leave it out"));
    }
    ReadMap(path, node,
            {{"ca_file", File(&endpoint->ca_file)},
             {"certificate_file", File(&endpoint->certificate_file)},
             {"private_key_file", File(&endpoint->private_key_file)},
             {"server_name", Text(&endpoint->server_name)}});
  }

  Setter Text(std::string* out) {
    return [this, out](const std::string& path, const Node& value) {
      if (!value.IsScalar() || value.text.empty()) {
        return Refuse(path, value.line, absl::StrCat("must be text, not ", value.Describe()));
      }
      if (!value.quoted && definition::IsTypedWord(value.text)) {
        return Refuse(path, value.line,
                      absl::StrCat("must be text, not `", value.text, "`; if it is meant so, put it in quotes"));
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

  Setter Bool(bool* out) { return OneOf(out, "false", "true"); }

  Setter Refusals(bool* open) { return OneOf(open, "final", "open"); }

  Setter OneOf(bool* out, const char* no, const char* yes) {
    return [=, this](const std::string& path, const Node& value) {
      if (!value.IsScalar() || (value.text != no && value.text != yes)) {
        return Refuse(path, value.line, absl::StrCat("must be ", yes, " or ", no));
      }
      *out = value.text == yes;
    };
  }

  Setter Count(int* out, int most) {
    return [=, this](const std::string& path, const Node& value) {
      int number = 0;
      if (!value.IsScalar() || value.quoted || !absl::SimpleAtoi(value.text, &number) || number < 1 || number > most) {
        return Refuse(path, value.line, absl::StrCat("must be a whole number from 1 to ", most));
      }
      *out = number;
    };
  }

  const std::string folder_;
  Violations* const violations_;
  std::set<std::string> refused_;  // paths
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
    participants.push_back(reader.Read(entry.key, entry.value));
  }
  if (!violations.empty()) return violations.ToStatus();
  return participants;
}

absl::StatusOr<std::vector<Participant>> ReadParticipants(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadRegularFile(path, limits::kDefinitionBytesMax);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::vector<Participant>> participants =
      ParseParticipants(*text, std::filesystem::absolute(path).parent_path().string());
  if (!participants.ok()) {
    return absl::Status(participants.status().code(), absl::StrCat(path, ": ", participants.status().message()));
  }
  return participants;
}

}  // namespace tutti::server
