#include "tools/tuttictl/completion.h"

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tutti::ctl {
namespace {

// The shell's own completion of file names takes over where there are no candidates.
constexpr char kBash[] = R"sh(_tuttictl() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _tuttictl tuttictl
)sh";
constexpr char kZsh[] = R"sh(#compdef tuttictl
_tuttictl() {
  local -a candidates
  candidates=(${(f)"$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ${#candidates} )); then
    compadd -- "${candidates[@]}"
  else
    _files
  fi
}
compdef _tuttictl tuttictl
)sh";
constexpr char kFish[] = R"sh(function __tuttictl_candidates
  tuttictl complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c tuttictl -n 'count (__tuttictl_candidates) >/dev/null' -f -k -a '(__tuttictl_candidates)'
)sh";

const CLI::App* FindCommand(const CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&](const CLI::App* command) { return command->check_name(name); });
  return found.empty() ? nullptr : found.front();
}

// An option may stand behind any of its command's subcommands.
const CLI::Option* FindOption(const CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    if (const CLI::Option* option = app->get_option_no_throw(name); option != nullptr) return option;
  }
  return nullptr;
}

// The check that restricts an option describes its set as "{a,b}".
std::vector<std::string> ValuesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return absl::StrSplit(type.substr(open + 1, close - open - 1), ',');
}

std::vector<std::string> OptionNames(const CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      if (option->get_lnames().empty()) {
        for (const std::string& name : option->get_snames()) names.push_back("-" + name);
      }
    }
  }
  return names;
}

std::vector<std::string> CommandsOrArguments(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    for (std::string& value : ValuesOf(*option)) names.push_back(std::move(value));
  }
  return names;
}

// Where the words before the last one lead.
struct Place {
  const CLI::App* app;
  const CLI::Option* awaits_value = nullptr;
};

Place Follow(const CLI::App& app, const std::vector<std::string>& words) {
  Place place{&app};
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (place.awaits_value != nullptr) {
      place.awaits_value = nullptr;
    } else if (absl::StartsWith(words[i], "-")) {
      const CLI::Option* option = FindOption(place.app, words[i]);
      if (option != nullptr && option->get_items_expected_max() > 0) place.awaits_value = option;
    } else if (const CLI::App* command = FindCommand(*place.app, words[i]); command != nullptr) {
      place.app = command;
    }
  }
  return place;
}

}  // namespace

std::vector<std::string> Candidates(const CLI::App& app, const std::vector<std::string>& words) {
  const std::string typed = words.empty() ? "" : words.back();
  const Place place = Follow(app, words);
  std::vector<std::string> all;
  if (place.awaits_value != nullptr) {
    all = ValuesOf(*place.awaits_value);
  } else if (absl::StartsWith(typed, "-")) {
    all = OptionNames(place.app);
  } else {
    all = CommandsOrArguments(*place.app);
  }
  std::vector<std::string> fitting;
  for (std::string& candidate : all) {
    if (absl::StartsWith(candidate, typed)) fitting.push_back(std::move(candidate));
  }
  return fitting;
}

std::string CompletionScript(absl::string_view shell) {
  if (shell == "zsh") return kZsh;
  return shell == "fish" ? kFish : kBash;
}

}  // namespace tutti::ctl
