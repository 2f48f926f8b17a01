// What the command lines of all programs have in common.
#ifndef TUTTI_COMMON_PROGRAM_OPTIONS_H_
#define TUTTI_COMMON_PROGRAM_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/version.h"

namespace tutti {

inline void AddVersion(CLI::App* app, const std::string& program) {
  app->set_version_flag("--version", VersionLine(program), "Print the version and end");
}

// "--shards=4 --data-dir=/var/lib/tutti": what was given and is not the default anyway. No option's value is a secret:
// those stand in files.
inline std::string GivenOptions(const CLI::App& app) {
  std::string given;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    const std::string value = absl::StrJoin(option->results(), ",");
    if (!option->get_default_str().empty() && value == option->get_default_str()) continue;
    absl::StrAppend(&given, given.empty() ? "" : " ", option->get_name(), "=", value);
  }
  return given;
}

}  // namespace tutti

#endif  // TUTTI_COMMON_PROGRAM_OPTIONS_H_
