// What libraries would write to standard error by themselves, as lines of our log.
#ifndef TUTTI_COMMON_LIBRARY_LOGS_H_
#define TUTTI_COMMON_LIBRARY_LOGS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace tutti {

// How many lines each place in a library's sources may write: a peer that comes and goes all the time must not fill the
// disk. Thread-safe.
class LineBudget {
 public:
  static constexpr int kLinesMax = 5;
  static constexpr int64_t kWindowMs = 60'000;

  // Whether the line may be written at this monotonic time, and how many of this place were left out since the last one
  // that was. `file` is a literal: its address counts.
  std::optional<int64_t> Admit(const char* file, int line, int64_t now_ms);

 private:
  struct Place {
    int64_t window_began_ms = 0;
    int lines = 0;
    int64_t left_out = 0;
  };

  Mutex mu_;
  std::map<std::pair<const char*, int>, Place> places_ ABSL_GUARDED_BY(mu_);
};

// gRPC's and protobuf's, from now on. Call it once, after InitLogging. What gRPC says below "error" is asked for with
// its own GRPC_VERBOSITY.
void TakeOverLibraryLogs();

}  // namespace tutti

#endif  // TUTTI_COMMON_LIBRARY_LOGS_H_
