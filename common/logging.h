// Structured logs: one JSON object a line on stderr, over spdlog. Fields are key=value pairs of strings.
#ifndef TUTTI_COMMON_LOGGING_H_
#define TUTTI_COMMON_LOGGING_H_

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace tutti {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogFields = std::initializer_list<std::pair<absl::string_view, absl::string_view>>;

// Call once at the start of main. `component` stands in every line, e.g. "orchestrator".
void InitLogging(absl::string_view component, LogLevel min_level);
// Thread-safe.
void SetLogLevel(LogLevel min_level);
LogLevel CurrentLogLevel();
absl::string_view ToString(LogLevel level);
bool ParseLogLevel(absl::string_view text, LogLevel* level);  // debug, info, warning, error

// Thread-safe. Saga ids go in as the field "saga_id".
void Log(LogLevel level, absl::string_view message, LogFields fields = {});
bool LogEnabled(LogLevel level);

}  // namespace tutti

#endif  // TUTTI_COMMON_LOGGING_H_
