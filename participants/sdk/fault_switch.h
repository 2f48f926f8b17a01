// Which faults a participant shows, per method. Off unless switched on at start.
#ifndef TUTTI_PARTICIPANTS_SDK_FAULT_SWITCH_H_
#define TUTTI_PARTICIPANTS_SDK_FAULT_SWITCH_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "tutti/participant/v1/fault_service.pb.h"

namespace tutti::participant {

// Thread-safe.
class FaultSwitch {
 public:
  // `methods` are those that can be hit, as "package.Service/Method".
  explicit FaultSwitch(std::vector<std::string> methods);

  // INVALID_ARGUMENT for an unknown method (naming those there are), kind, code or a negative number.
  absl::Status Set(const v1::Fault& fault) ABSL_LOCKS_EXCLUDED(mutex_);
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<v1::Fault> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The fault that hits this call, counted off; kind UNSPECIFIED: none.
  v1::Fault Take(const std::string& method) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::vector<std::string> methods_;
  mutable Mutex mutex_;
  std::map<std::string, v1::Fault> faults_ ABSL_GUARDED_BY(mutex_);
};

// The refusal or failure a fault asks for.
absl::Status StatusOf(const v1::Fault& fault);

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_FAULT_SWITCH_H_
