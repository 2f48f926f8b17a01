#include "common/logging.h"

#include <atomic>
#include <cstdio>
#include <memory>

#include "common/utf8.h"
#include "spdlog/logger.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace tutti {
namespace {

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : ToUtf8(text)) {
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escaped[8];
          std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned char>(c));
          out->append(escaped);
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

struct Logger {
  explicit Logger(absl::string_view component_name) : spd("tutti", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    AppendJsonString(component_name, &component);
    spd.set_formatter(std::make_unique<spdlog::pattern_formatter>(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})",
                                                                  spdlog::pattern_time_type::utc));
  }
  std::string component;  // as JSON
  spdlog::logger spd;
  Logger* replaced = nullptr;  // keeps it reachable for leak checkers
};

// None is ever freed: threads may log until the process ends.
std::atomic<Logger*>& Current() {
  static std::atomic<Logger*> current{new Logger("tutti")};
  return current;
}

}  // namespace

void InitLogging(absl::string_view component, LogLevel min_level) {
  auto* logger = new Logger(component);
  logger->spd.set_level(ToSpdlog(min_level));
  logger->replaced = Current().exchange(logger);
}

void SetLogLevel(LogLevel min_level) {
  Current().load()->spd.set_level(ToSpdlog(min_level));
}

LogLevel CurrentLogLevel() {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning}) {
    if (LogEnabled(level)) return level;
  }
  return LogLevel::kError;
}

absl::string_view ToString(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

bool ParseLogLevel(absl::string_view text, LogLevel* level) {
  for (const LogLevel candidate : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == ToString(candidate)) {
      *level = candidate;
      return true;
    }
  }
  return false;
}

void Log(LogLevel level, absl::string_view message, LogFields fields) {
  Logger* const logger = Current().load();
  if (!logger->spd.should_log(ToSpdlog(level))) return;
  std::string line = "\"level\":";
  AppendJsonString(ToString(level), &line);
  line.append(",\"component\":").append(logger->component).append(",\"message\":");
  AppendJsonString(message, &line);
  for (const auto& [key, value] : fields) {
    line.push_back(',');
    AppendJsonString(key, &line);
    line.push_back(':');
    AppendJsonString(value, &line);
  }
  logger->spd.log(ToSpdlog(level), spdlog::string_view_t(line));
}

bool LogEnabled(LogLevel level) {
  return Current().load()->spd.should_log(ToSpdlog(level));
}

}  // namespace tutti
