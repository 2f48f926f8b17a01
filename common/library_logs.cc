#include "common/library_logs.h"

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/logging.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"

namespace tutti {
namespace {

struct LibraryLine {
  const char* library;
  const char* file;
  int line;
  absl::string_view message;
};

void Write(LogLevel level, const LibraryLine& line) {
  static auto* const budget = new LineBudget;
  static const SystemClock clock;
  const std::optional<int64_t> left_out = budget->Admit(line.file, line.line, clock.MonotonicMs());
  if (!left_out.has_value()) return;
  const char* slash = std::strrchr(line.file, '/');
  const std::string source = absl::StrCat(slash == nullptr ? line.file : slash + 1, ":", line.line);
  Log(level, line.message, {{"library", line.library}, {"source", source}, {"left_out", absl::StrCat(*left_out)}});
}

void OnGrpc(gpr_log_func_args* args) {
  const LogLevel level = args->severity == GPR_LOG_SEVERITY_ERROR  ? LogLevel::kError
                         : args->severity == GPR_LOG_SEVERITY_INFO ? LogLevel::kInfo
                                                                   : LogLevel::kDebug;
  Write(level, {"grpc", args->file, args->line, args->message});
}

void OnProtobuf(google::protobuf::LogLevel severity, const char* file, int line, const std::string& message) {
  const LogLevel level = severity == google::protobuf::LOGLEVEL_INFO      ? LogLevel::kInfo
                         : severity == google::protobuf::LOGLEVEL_WARNING ? LogLevel::kWarning
                                                                          : LogLevel::kError;
  Write(level, {"protobuf", file, line, message});
}

}  // namespace

std::optional<int64_t> LineBudget::Admit(const char* file, int line, int64_t now_ms) {
  MutexLock lock(&mu_);
  Place& place = places_[{file, line}];
  if (place.lines == 0 || now_ms - place.window_began_ms >= kWindowMs) {
    place.window_began_ms = now_ms;
    place.lines = 0;
  }
  if (place.lines == kLinesMax) {
    ++place.left_out;
    return std::nullopt;
  }
  ++place.lines;
  return std::exchange(place.left_out, 0);
}

void TakeOverLibraryLogs() {
  gpr_set_log_function(&OnGrpc);
  google::protobuf::SetLogHandler(&OnProtobuf);
}

}  // namespace tutti
