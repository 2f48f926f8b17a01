#include "common/log_level_file.h"

#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/read_file.h"

namespace tutti {
namespace {

constexpr size_t kBytesMax = 64;

void Change(LogLevel level) {
  const LogLevel former = CurrentLogLevel();
  if (level == former) return;
  // The line is there whether the log becomes louder or quieter.
  const bool heard = LogEnabled(LogLevel::kInfo);
  const auto tell = [&] { Log(LogLevel::kInfo, "log level", {{"is", ToString(level)}, {"was", ToString(former)}}); };
  if (heard) tell();
  SetLogLevel(level);
  if (!heard) tell();
}

}  // namespace

void ReadLogLevel(const std::string& folder, LogLevel standard) {
  const std::string path = (std::filesystem::path(folder) / "log-level").string();
  const absl::StatusOr<std::string> content = ReadRegularFile(path, kBytesMax);
  if (absl::IsNotFound(content.status())) return Change(standard);
  LogLevel level = standard;
  if (content.ok() && ParseLogLevel(absl::StripAsciiWhitespace(*content), &level)) return Change(level);
  const std::string reason = content.ok() ? absl::StrCat(path, ": must be debug, info, warning or error")
                                          : std::string(content.status().message());
  Log(LogLevel::kError, "the log level was not read; the former one holds", {{"reason", reason}});
}

}  // namespace tutti
