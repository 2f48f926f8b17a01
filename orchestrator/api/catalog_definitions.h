// The catalog behind the API's interface.
#ifndef TUTTI_ORCHESTRATOR_API_CATALOG_DEFINITIONS_H_
#define TUTTI_ORCHESTRATOR_API_CATALOG_DEFINITIONS_H_

#include <memory>
#include <optional>
#include <vector>

#include "orchestrator/api/definitions.h"
#include "orchestrator/catalog/catalog.h"
#include "orchestrator/definition/compiler.h"

namespace tutti::api {

class CatalogDefinitions final : public Definitions {
 public:
  // Both must outlive this.
  CatalogDefinitions(catalog::Catalog* catalog, const definition::DescriptorSource* participants)
      : catalog_(catalog), participants_(participants) {}

  absl::StatusOr<catalog::ApplyResult> Apply(absl::string_view source, bool dry_run) override {
    return catalog_->Apply(source, dry_run);
  }
  absl::StatusOr<std::shared_ptr<const catalog::Revision>> Get(absl::string_view name,
                                                               int64_t revision) const override {
    return catalog_->Get(name, revision);
  }
  std::vector<std::shared_ptr<const catalog::Revision>> List() const override { return catalog_->List(); }
  std::optional<storage::v1::DisablementRecord> FindDisablement(absl::string_view name) const override {
    return catalog_->FindDisablement(name);
  }
  bool KnowsParticipant(absl::string_view participant) const override {
    return participants_->KnowsParticipant(participant);
  }
  absl::Status Disable(absl::string_view name, absl::string_view reason, absl::string_view by) override {
    return catalog_->Disable(name, reason, by);
  }
  absl::Status Enable(absl::string_view name) override { return catalog_->Enable(name); }

 private:
  catalog::Catalog* const catalog_;
  const definition::DescriptorSource* const participants_;
};

}  // namespace tutti::api

#endif  // TUTTI_ORCHESTRATOR_API_CATALOG_DEFINITIONS_H_
