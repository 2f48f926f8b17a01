// All definitions of this server, compiled: applies new revisions durably, finds old ones. Thread-safe.
#ifndef TUTTI_ORCHESTRATOR_CATALOG_CATALOG_H_
#define TUTTI_ORCHESTRATOR_CATALOG_CATALOG_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "orchestrator/definition/compiler.h"
#include "orchestrator/saga/recipe.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::catalog {

struct Revision {
  storage::v1::DefinitionRecord record;  // without the types it was resolved against
  std::shared_ptr<const definition::CompiledDefinition> compiled;
};

struct ApplyResult {
  std::shared_ptr<const Revision> revision;
  bool unchanged = false;
};

class Catalog final : public saga::RecipeSource {
 public:
  // All must outlive the catalog.
  Catalog(store::SagaStore* store, const store::SagaReader* reader, definition::DescriptorSource* descriptors,
          const Clock* clock);

  // Reads and recompiles every stored revision. Any that cannot be is an error: sagas may be pinned to it.
  absl::Status Load();

  // Blocks: on reflection, and until the revision is durable. While it asks participants, nothing else waits for it. Of
  // several applies at once each gets a revision of its own, or the one of equal content.
  absl::StatusOr<ApplyResult> Apply(absl::string_view source, bool dry_run);

  // revision 0: the newest. NOT_FOUND names what there is.
  absl::StatusOr<std::shared_ptr<const Revision>> Get(absl::string_view name, int64_t revision) const;
  // The newest revision of each definition, by name.
  std::vector<std::shared_ptr<const Revision>> List() const;
  // Every revision, by name and number.
  std::vector<std::shared_ptr<const Revision>> ListAll() const;

  // Set while the definition takes no new sagas, whatever the revision.
  std::optional<storage::v1::DisablementRecord> FindDisablement(absl::string_view name) const;
  // Block until it is durable. NOT_FOUND as Get; repeating either is harmless.
  absl::Status Disable(absl::string_view name, absl::string_view reason, absl::string_view by);
  absl::Status Enable(absl::string_view name);

  std::shared_ptr<const saga::Recipe> Find(absl::string_view definition, int64_t revision) const override;

 private:
  // Null when there is none.
  std::shared_ptr<const Revision> Newest(absl::string_view name) const;
  absl::Status Keep(const storage::v1::DefinitionRecord& record);
  absl::Status SetDisablement(absl::string_view name, std::optional<storage::v1::DisablementRecord> disablement);

  store::SagaStore* const store_;
  const store::SagaReader* const reader_;
  definition::DescriptorSource* const descriptors_;
  const Clock* const clock_;

  Mutex change_mu_;  // one change at a time, for no longer than its commit; taken before mu_
  mutable Mutex mu_;
  std::map<std::string, std::map<int64_t, std::shared_ptr<const Revision>>, std::less<>> revisions_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, storage::v1::DisablementRecord, std::less<>> disablements_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tutti::catalog

#endif  // TUTTI_ORCHESTRATOR_CATALOG_CATALOG_H_
