// Told of every call that a gRPC server takes, whatever service it is for.
#ifndef TUTTI_COMMON_CALL_OBSERVER_H_
#define TUTTI_COMMON_CALL_OBSERVER_H_

#include "absl/strings/string_view.h"

namespace tutti {

// Called on gRPC's threads: thread-safe, must not block. `method` is "package.Service/Method", one that is served.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // Once for each method, calls or not.
  virtual void OnServed(absl::string_view method) = 0;
  virtual void OnBegin(absl::string_view method) = 0;
  // `code` is gRPC's number. A call whose client went away, or whose deadline passed, ends CANCELLED.
  virtual void OnEnd(absl::string_view method, int code, double seconds) = 0;
};

}  // namespace tutti

#endif  // TUTTI_COMMON_CALL_OBSERVER_H_
