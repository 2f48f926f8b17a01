#include "orchestrator/catalog/catalog.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"

namespace tutti::catalog {
namespace {

constexpr size_t kNamesMax = 10;  // in an error

// The outcome of one commit, awaited by the thread that handed it over.
class Commitment {
 public:
  store::CommitDone Callback() {
    return [this](store::CommitResult result, const absl::Status& detail) {
      MutexLock lock(&mu_);
      done_ = true;
      result_ = result;
      detail_ = detail;
      // Under the lock: the waiting thread destroys this as soon as it can take it.
      condition_.SignalAll();
    };
  }

  absl::Status Await() {
    MutexLock lock(&mu_);
    while (!done_) condition_.Wait(&mu_);
    if (result_ == store::CommitResult::kDurable) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("nobody knows whether the change was stored; send it again: ", detail_.message()));
  }

 private:
  Mutex mu_;
  CondVar condition_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  store::CommitResult result_ ABSL_GUARDED_BY(mu_) = store::CommitResult::kUnknown;
  absl::Status detail_ ABSL_GUARDED_BY(mu_);
};

// What is compiled has them in a form of its own, which revisions share.
void ForgetTypes(storage::v1::DefinitionRecord* record) {
  record->clear_descriptors();
  record->clear_participant_types();
}

}  // namespace

Catalog::Catalog(store::SagaStore* store, const store::SagaReader* reader, definition::DescriptorSource* descriptors,
                 const Clock* clock)
    : store_(store), reader_(reader), descriptors_(descriptors), clock_(clock) {}

absl::Status Catalog::Load() {
  MutexLock change_lock(&change_mu_);
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> records = reader_->GetDefinitions();
  if (!records.ok()) return records.status();
  decltype(revisions_) loaded;
  decltype(disablements_) disablements;
  for (storage::v1::DefinitionRecord& record : *records) {
    if (record.version() > store::kDefinitionVersionMax) {
      return absl::FailedPreconditionError(absl::StrCat("definition `", record.name(), "` revision ", record.revision(),
                                                        " was stored by a newer version; start that one"));
    }
    if (record.revision() == 0) {
      if (record.has_disablement()) disablements[record.name()] = record.disablement();
      continue;
    }
    absl::StatusOr<definition::Compiled> compiled = definition::Recompile(record);
    if (!compiled.ok()) return compiled.status();
    auto revision = std::make_shared<Revision>();
    revision->compiled = compiled->definition;
    revision->record = std::move(record);
    ForgetTypes(&revision->record);
    loaded[revision->record.name()][revision->record.revision()] = std::move(revision);
  }
  MutexLock lock(&mu_);
  revisions_ = std::move(loaded);
  disablements_ = std::move(disablements);
  return absl::OkStatus();
}

std::shared_ptr<const Revision> Catalog::Newest(absl::string_view name) const {
  MutexLock lock(&mu_);
  const auto it = revisions_.find(name);
  return it == revisions_.end() ? nullptr : it->second.rbegin()->second;
}

absl::StatusOr<ApplyResult> Catalog::Apply(absl::string_view source, bool dry_run) {
  // The number is not known before the name is; compiling is cheap once participants have been asked, and they are
  // asked only here.
  absl::StatusOr<definition::Compiled> compiled = definition::Compile(source, 1, descriptors_);
  if (!compiled.ok()) return compiled.status();
  auto revision = std::make_shared<Revision>();
  revision->record.set_version(compiled->participant_types.empty() ? store::kRevisionVersion
                                                                   : store::kParticipantTypesVersion);
  revision->record.set_name(compiled->name);
  revision->record.set_source(std::string(source));
  revision->record.set_digest(compiled->digest);
  revision->record.set_created_ms(clock_->WallMs());
  *revision->record.mutable_descriptors() = std::move(compiled->descriptors);
  *revision->record.mutable_participant_types() = std::move(compiled->participant_types);
  for (;;) {
    const std::shared_ptr<const Revision> newest = Newest(revision->record.name());
    if (newest != nullptr && newest->record.digest() == revision->record.digest()) return ApplyResult{newest, true};
    revision->record.set_revision(newest == nullptr ? 1 : newest->record.revision() + 1);
    // From the stored form: what a restart will read is what runs from now on, and a record that could not be read
    // again is never written.
    absl::StatusOr<definition::Compiled> kept = definition::Recompile(revision->record);
    if (!kept.ok()) return absl::InternalError(std::string(kept.status().message()));
    revision->compiled = kept->definition;
    if (dry_run) return ApplyResult{std::move(revision), false};

    MutexLock change_lock(&change_mu_);
    if (Newest(revision->record.name()) != newest) continue;  // somebody was faster: it may even be the same content
    if (absl::Status status = Keep(revision->record); !status.ok()) return status;
    ForgetTypes(&revision->record);
    MutexLock lock(&mu_);
    revisions_[revision->record.name()][revision->record.revision()] = revision;
    return ApplyResult{std::move(revision), false};
  }
}

absl::Status Catalog::Keep(const storage::v1::DefinitionRecord& record) {
  store::WriteSet write_set;
  write_set.definitions.push_back(record);
  Commitment commitment;
  store_->Commit(std::move(write_set), commitment.Callback());
  return commitment.Await();
}

std::optional<storage::v1::DisablementRecord> Catalog::FindDisablement(absl::string_view name) const {
  MutexLock lock(&mu_);
  const auto it = disablements_.find(name);
  if (it == disablements_.end()) return std::nullopt;
  return it->second;
}

absl::Status Catalog::Disable(absl::string_view name, absl::string_view reason, absl::string_view by) {
  storage::v1::DisablementRecord disablement;
  disablement.set_reason(std::string(reason));
  disablement.set_by(std::string(by));
  disablement.set_since_ms(clock_->WallMs());
  return SetDisablement(name, std::move(disablement));
}

absl::Status Catalog::Enable(absl::string_view name) {
  return SetDisablement(name, std::nullopt);
}

absl::Status Catalog::SetDisablement(absl::string_view name,
                                     std::optional<storage::v1::DisablementRecord> disablement) {
  MutexLock change_lock(&change_mu_);
  if (auto known = Get(name, 0); !known.ok()) return known.status();
  storage::v1::DefinitionRecord record;
  record.set_version(store::kWholeDefinitionVersion);
  record.set_name(std::string(name));
  if (disablement.has_value()) *record.mutable_disablement() = *disablement;
  if (absl::Status status = Keep(record); !status.ok()) return status;
  MutexLock lock(&mu_);
  if (disablement.has_value()) {
    disablements_[record.name()] = *std::move(disablement);
  } else {
    disablements_.erase(record.name());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Revision>> Catalog::Get(absl::string_view name, int64_t revision) const {
  MutexLock lock(&mu_);
  const auto it = revisions_.find(name);
  if (it == revisions_.end()) {
    std::vector<absl::string_view> names;
    for (auto entry = revisions_.begin(); entry != revisions_.end() && names.size() < kNamesMax; ++entry) {
      names.push_back(entry->first);
    }
    const std::string known = names.empty() ? "none has been applied"
                                            : absl::StrCat("there are ", absl::StrJoin(names, ", "),
                                                           revisions_.size() > kNamesMax ? ", ..." : "");
    return WithReason(absl::NotFoundError(absl::StrCat("there is no definition `", name, "`; ", known)),
                      "DEFINITION_NOT_FOUND");
  }
  if (revision == 0) return it->second.rbegin()->second;
  const auto found = it->second.find(revision);
  if (found != it->second.end()) return found->second;
  return WithReason(absl::NotFoundError(absl::StrCat("definition `", name, "` has no revision ", revision,
                                                     "; it has 1 to ", it->second.rbegin()->first)),
                    "DEFINITION_NOT_FOUND");
}

std::vector<std::shared_ptr<const Revision>> Catalog::List() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<const Revision>> newest;
  for (const auto& entry : revisions_) newest.push_back(entry.second.rbegin()->second);
  return newest;
}

std::vector<std::shared_ptr<const Revision>> Catalog::ListAll() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<const Revision>> all;
  for (const auto& entry : revisions_) {
    for (const auto& [number, revision] : entry.second) all.push_back(revision);
  }
  return all;
}

std::shared_ptr<const saga::Recipe> Catalog::Find(absl::string_view definition, int64_t revision) const {
  MutexLock lock(&mu_);
  const auto it = revisions_.find(definition);
  if (it == revisions_.end()) return nullptr;
  const auto found = it->second.find(revision);
  return found == it->second.end() ? nullptr : found->second->compiled->recipe();
}

}  // namespace tutti::catalog
