// What the API needs of the definition catalog: an interface, so that its tests bring their own.
#ifndef TUTTI_ORCHESTRATOR_API_DEFINITIONS_H_
#define TUTTI_ORCHESTRATOR_API_DEFINITIONS_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "orchestrator/catalog/catalog.h"

namespace tutti::api {

// Thread-safe. See catalog::Catalog.
class Definitions {
 public:
  virtual ~Definitions() = default;
  virtual absl::StatusOr<catalog::ApplyResult> Apply(absl::string_view source, bool dry_run) = 0;  // blocks
  virtual absl::StatusOr<std::shared_ptr<const catalog::Revision>> Get(absl::string_view name,
                                                                       int64_t revision) const = 0;
  virtual std::vector<std::shared_ptr<const catalog::Revision>> List() const = 0;
  virtual std::optional<storage::v1::DisablementRecord> FindDisablement(absl::string_view name) const = 0;
  // Whether commands can be sent to it, as of the last good participants.yaml.
  virtual bool KnowsParticipant(absl::string_view participant) const = 0;
  virtual absl::Status Disable(absl::string_view name, absl::string_view reason, absl::string_view by) = 0;  // blocks
  virtual absl::Status Enable(absl::string_view name) = 0;                                                   // blocks
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_DEFINITIONS_H_
