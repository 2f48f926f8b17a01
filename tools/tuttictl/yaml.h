// Messages as YAML, under the names their JSON has.
#ifndef TUTTI_TOOLS_TUTTICTL_YAML_H_
#define TUTTI_TOOLS_TUTTICTL_YAML_H_

#include <string>

#include "google/protobuf/message.h"

namespace tutti::ctl {

// Fields in the order of their declaration, defaults included, unset messages left out. 64-bit integers are numbers,
// unlike in JSON, where they are strings. Ends with a line end.
std::string RenderYaml(const google::protobuf::Message& message);

}  // namespace tutti::ctl

#endif  // TUTTI_TOOLS_TUTTICTL_YAML_H_
