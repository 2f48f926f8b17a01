// The addresses that participants may have: what gRPC can resolve, checked before it is tried for ever.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_TARGET_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_TARGET_H_

#include <string>

#include "absl/strings/string_view.h"

namespace tutti::effects {

// What is wrong with a target and what to write; empty when it can be resolved: "host:port", "dns:///host:port",
// "dns://server/host:port", "ipv4:1.2.3.4:5,…", "ipv6:[::1]:5,…", "unix:path", "unix-abstract:name". The port is
// required, because gRPC takes 443 where none is written.
std::string TargetMistake(absl::string_view target);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_TARGET_H_
