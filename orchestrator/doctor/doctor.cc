#include "orchestrator/doctor/doctor.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "orchestrator/definition/compiler.h"
#include "orchestrator/saga/record_check.h"
#include "orchestrator/store/audit.h"
#include "orchestrator/store/read_only_store.h"

namespace tutti::doctor {
namespace {

using storage::v1::SagaRecord;

absl::StatusOr<std::unique_ptr<store::ReadOnlyStore>> OpenIn(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::path(folder) / "TUTTI_BACKUPS", error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder,
                     " is a folder of backups, and none of them is a store by itself: verify them with `tuttictl "
                     "backup verify`, or restore one with `tutti-orchestrator --restore-from` into an empty "
                     "folder and look through that"));
  }
  const std::filesystem::path inner = std::filesystem::path(folder) / "store";
  return store::ReadOnlyStore::Open(std::filesystem::is_directory(inner, error) ? inner.string() : folder);
}

// The definitions of a store, compiled again.
class Definitions {
 public:
  Definitions(const store::View& view, const store::FlawSink& flaw) : flaw_(flaw) {
    const auto walk = view.Range(store::Column::kDefinition, "", "");
    for (; walk->Valid(); walk->Next()) {
      auto record = store::ParseDefinition(walk->key(), walk->value());
      if (!record.ok()) {
        Say("definitions", record.status());
        continue;
      }
      Add(*record);
    }
    if (!walk->status().ok()) Say("definitions", walk->status());
    for (const auto& [name, newest] : newest_) SayWhatIsMissing(name, newest);
  }

  size_t revisions() const { return recipes_.size(); }

  absl::Status Check(const SagaRecord& record) const {
    const auto found = recipes_.find({record.definition(), record.revision()});
    if (found == recipes_.end()) {
      return absl::DataLossError(absl::StrCat("is pinned to revision ", record.revision(), " of definition ",
                                              record.definition(), ", which is not there or cannot be read"));
    }
    // Null: that it does not compile is told of once, and not for each of its sagas.
    return found->second == nullptr ? absl::OkStatus() : saga::CheckRecord(*found->second, record);
  }

 private:
  void Say(std::string where, const absl::Status& status) { flaw_({std::move(where), std::string(status.message())}); }

  void Add(const storage::v1::DefinitionRecord& record) {
    if (record.revision() == 0) return;  // says what holds for all of them
    newest_[record.name()] = record.revision();
    auto compiled = definition::Recompile(record);
    if (!compiled.ok()) {
      Say(absl::StrCat("definition ", record.name(), ", revision ", record.revision()), compiled.status());
    }
    recipes_[{record.name(), record.revision()}] = compiled.ok() ? compiled->definition->recipe() : nullptr;
  }

  // They are counted from 1, and none is ever taken away.
  void SayWhatIsMissing(const std::string& name, int64_t newest) {
    for (int64_t revision = 1; revision < newest; ++revision) {
      if (recipes_.contains({name, revision})) continue;
      flaw_({absl::StrCat("definition ", name), absl::StrCat("revision ", revision, " is missing or cannot be read")});
    }
  }

  const store::FlawSink& flaw_;
  std::map<std::pair<std::string, int64_t>, std::shared_ptr<const saga::Recipe>> recipes_;
  std::map<std::string, int64_t> newest_;
};

void WriteHex(absl::string_view bytes, std::ostream& out) {
  constexpr size_t kBytesPerLine = 32;
  for (size_t at = 0; at < bytes.size(); at += kBytesPerLine) {
    out << absl::BytesToHexString(bytes.substr(at, kBytesPerLine)) << "\n";
  }
}

}  // namespace

absl::StatusOr<Findings> Examine(const std::string& folder, absl::string_view saga_id, const FlawSink& flaw) {
  const auto store = OpenIn(folder);
  if (!store.ok()) return store.status();
  Findings findings;
  const store::FlawSink count = [&](const store::Flaw& found) {
    ++findings.flaws;
    flaw({found.where, found.what});
  };
  if (!(*store)->loss().ok()) count({"store", std::string((*store)->loss().message())});
  // With one saga in view, other definitions are not asked after.
  const store::FlawSink of_definitions = [&](const store::Flaw& found) {
    if (saga_id.empty()) count(found);
  };
  const Definitions definitions((*store)->view(), of_definitions);
  const auto check = [&](const SagaRecord& record) { return definitions.Check(record); };
  const std::optional<store::AuditCounts> counts = saga_id.empty()
                                                       ? store::Audit((*store)->view(), check, count)
                                                       : store::AuditSaga((*store)->view(), saga_id, check, count);
  if (!counts.has_value()) return absl::NotFoundError(absl::StrCat("nothing in the store tells of a saga ", saga_id));
  findings.sagas = counts->sagas;
  findings.active = counts->active;
  findings.events = counts->events;
  findings.index_entries = counts->index_entries;
  findings.revisions = static_cast<int64_t>(definitions.revisions());
  return findings;
}

std::string Summary(const Findings& findings) {
  return absl::StrCat(
      findings.flaws == 0 ? "no flaw" : absl::StrCat(findings.flaws, findings.flaws == 1 ? " flaw" : " flaws"),
      "; looked at ", findings.sagas, findings.sagas == 1 ? " saga, " : " sagas, ", findings.active,
      " of them active, ", findings.events, " events, ", findings.index_entries, " index entries and ",
      findings.revisions, " revisions of definitions");
}

absl::StatusOr<int64_t> Examine(const std::string& folder, std::ostream& out) {
  const auto findings = Examine(folder, "", [&](const Flaw& flaw) { out << flaw.where << ": " << flaw.what << "\n"; });
  if (!findings.ok()) return findings.status();
  out << Summary(*findings) << "\n";
  return findings->flaws;
}

absl::Status ShowRaw(const std::string& folder, absl::string_view saga_id, std::ostream& out) {
  const auto store = OpenIn(folder);
  if (!store.ok()) return store.status();
  const auto raw = store::ReadRaw((*store)->view(), saga_id);
  if (!raw.ok()) return raw.status();
  const auto record = store::ParseSaga(*raw, saga_id, store::Extent::kWhole);
  out << "# " << raw->size() << " bytes: " << (record.ok() ? "can be read" : std::string(record.status().message()))
      << "\n";
  SagaRecord text;
  if (text.ParseFromString(*raw)) {
    out << text.Utf8DebugString();
  } else {
    WriteHex(*raw, out);
  }
  return absl::OkStatus();
}

}  // namespace tutti::doctor
