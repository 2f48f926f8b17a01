#include "orchestrator/server/missed_participants.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/limits.h"
#include "common/logging.h"

namespace tutti::server {
namespace {

using RevisionPtr = std::shared_ptr<const catalog::Revision>;

std::set<std::string> Lacking(const catalog::Revision& revision, const std::set<std::string>& known) {
  std::set<std::string> lacking;
  for (const saga::StepRecipe& step : revision.compiled->recipe()->steps) {
    if (known.count(step.participant) == 0) lacking.insert(step.participant);
  }
  return lacking;
}

// An open saga of each revision that has one.
absl::StatusOr<std::map<int64_t, std::string>> OpenSagas(const store::SagaReader& reader,
                                                         const std::string& definition) {
  std::map<int64_t, std::string> open;
  for (const v1::SagaState state : {v1::SAGA_STATE_RUNNING, v1::SAGA_STATE_COMPENSATING}) {
    store::ListQuery query{.state = state, .definition = definition, .page_size = limits::kPageSizeMax};
    do {
      auto page = reader.ListSagas(query);
      if (!page.ok()) return page.status();
      for (const auto& record : page->sagas) open.emplace(record.revision(), record.saga_id());
      query.cursor = std::move(page->next_cursor);
    } while (!query.cursor.empty());
  }
  return open;
}

}  // namespace

absl::StatusOr<std::vector<MissedParticipant>> FindMissed(const catalog::Catalog& catalog,
                                                          const store::SagaReader& reader,
                                                          const std::set<std::string>& known) {
  std::map<std::string, std::string> missed;
  std::map<std::string, std::vector<RevisionPtr>> in_doubt;  // by definition: revisions that only open sagas can need
  for (const RevisionPtr& revision : catalog.ListAll()) {
    const std::set<std::string> lacking = Lacking(*revision, known);
    if (lacking.empty()) continue;
    const std::string& name = revision->record.name();
    const auto newest = catalog.Get(name, 0);
    if (newest.ok() && *newest == revision && !catalog.FindDisablement(name).has_value()) {
      for (const std::string& participant : lacking) missed.emplace(participant, absl::StrCat("definition ", name));
    } else {
      in_doubt[name].push_back(revision);
    }
  }
  for (const auto& [name, revisions] : in_doubt) {
    const auto open = OpenSagas(reader, name);
    if (!open.ok()) return open.status();
    for (const RevisionPtr& revision : revisions) {
      const auto saga = open->find(revision->record.revision());
      if (saga == open->end()) continue;
      for (const std::string& participant : Lacking(*revision, known)) {
        missed.emplace(participant, absl::StrCat("saga ", saga->second, " of definition ", name, ", revision ",
                                                 revision->record.revision()));
      }
    }
  }
  std::vector<MissedParticipant> result;
  for (auto& [participant, by] : missed) result.push_back({participant, by});
  return result;
}

void MissedParticipants::Set(const std::vector<MissedParticipant>& missed) {
  std::set<std::string> names;
  MutexLock lock(&mu_);
  for (const MissedParticipant& one : missed) {
    names.insert(one.participant);
    if (names_.count(one.participant) != 0) continue;
    Log(LogLevel::kWarning, "a participant that is called is not in participants.yaml",
        {{"participant", one.participant}, {"called_by", one.by}});
  }
  names_ = std::move(names);
}

std::set<std::string> MissedParticipants::names() const {
  MutexLock lock(&mu_);
  return names_;
}

std::string Describe(const std::vector<MissedParticipant>& missed) {
  return absl::StrJoin(missed, ", ", [](std::string* out, const MissedParticipant& one) {
    absl::StrAppend(out, one.participant, " (", one.by, ")");
  });
}

}  // namespace tutti::server
