// Shell completion. The shells ask tuttictl itself, which answers out of its own command tree, so that the two cannot
// drift apart.
#ifndef TUTTI_TOOLS_TUTTICTL_COMPLETION_H_
#define TUTTI_TOOLS_TUTTICTL_COMPLETION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace CLI {
class App;
}

namespace tutti::ctl {

// The shells call `tuttictl complete WORD...`.
inline constexpr absl::string_view kCompleteCommand = "complete";

// What may stand for the last of `words`, the one being typed. Commands and their options, and the values of options
// that have a fixed set; nothing where files or ids belong.
std::vector<std::string> Candidates(const CLI::App& app, const std::vector<std::string>& words);

// To be sourced. `shell` is bash, zsh or fish.
std::string CompletionScript(absl::string_view shell);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_COMPLETION_H_
