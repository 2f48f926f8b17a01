#include "tests/model/scenario.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tutti::model {
namespace {

class FixedMapper final : public saga::Mapper {
 public:
  explicit FixedMapper(std::set<std::string> broken) : broken_(std::move(broken)) {}

  absl::StatusOr<saga::MappedRequest> MapRequest(int step, v1::Operation operation, absl::string_view key,
                                                 const storage::v1::SagaRecord& saga) const override {
    if (operation == v1::OPERATION_ACTION && broken_.contains(saga.steps(step).name())) {
      return absl::InvalidArgumentError("the request cannot be mapped");
    }
    // As a mapping does that reads the action's reply, or else a default.
    return saga::MappedRequest{.bytes = absl::StrCat(key, saga.steps(step).has_reply() ? " of a known reply" : "")};
  }
  saga::JudgedReply JudgeReply(int, v1::Operation, absl::string_view) const override { return {}; }
  saga::MappedOutput MapOutput(const storage::v1::SagaRecord&) const override { return {}; }

 private:
  const std::set<std::string> broken_;
};

saga::CommandRecipe MakeCommand(int max_attempts) {
  saga::CommandRecipe command{.method = "m"};
  command.retry.max_attempts = max_attempts;
  command.retry.max_refusals = 2;
  return command;
}

// The semantics: the pivot waits for all compensatable steps, retriable ones for the commit point.
void AddImpliedEdges(std::vector<std::set<int>>* before, const std::vector<StepSpec>& steps) {
  bool has_pivot = false;
  for (const StepSpec& step : steps) has_pivot |= step.kind == v1::STEP_KIND_PIVOT;
  for (size_t later = 0; later < steps.size(); ++later) {
    for (size_t earlier = 0; earlier < steps.size(); ++earlier) {
      const v1::StepKind kind = steps[earlier].kind;
      const bool pivot_waits = steps[later].kind == v1::STEP_KIND_PIVOT && kind == v1::STEP_KIND_COMPENSATABLE;
      const bool retriable_waits = steps[later].kind == v1::STEP_KIND_RETRIABLE &&
                                   kind == (has_pivot ? v1::STEP_KIND_PIVOT : v1::STEP_KIND_COMPENSATABLE);
      if (pivot_waits || retriable_waits) (*before)[later].insert(static_cast<int>(earlier));
    }
  }
}

std::string ParticipantOf(const StepSpec& step) {
  const bool barrier = step.service == ServiceKind::kBarrier || step.service == ServiceKind::kOldReplica;
  return absl::StrCat(step.name, barrier ? " barrier" : "", step.open ? " open" : "");
}

}  // namespace

saga::ParticipantTraits Traits::TraitsOf(absl::string_view participant) const {
  return {.barrier = absl::StrContains(participant, " barrier"),
          .refusals_open = absl::StrContains(participant, " open")};
}

saga::Recipe MakeRecipe(const Scenario& scenario) {
  saga::Recipe recipe{.definition = "model", .revision = 1};
  if (scenario.saga_timeout) recipe.timeout_ms = 30'000;
  std::set<std::string> broken;
  std::vector<std::set<int>> before(scenario.steps.size());
  for (size_t i = 0; i < scenario.steps.size(); ++i) {
    before[i].insert(scenario.steps[i].after.begin(), scenario.steps[i].after.end());
  }
  AddImpliedEdges(&before, scenario.steps);
  for (size_t i = 0; i < scenario.steps.size(); ++i) {
    const StepSpec& spec = scenario.steps[i];
    saga::StepRecipe step{.name = spec.name, .participant = ParticipantOf(spec), .kind = spec.kind};
    step.action = MakeCommand(spec.kind == v1::STEP_KIND_RETRIABLE ? 0 : spec.max_attempts);
    if (spec.kind == v1::STEP_KIND_COMPENSATABLE && spec.undo) step.compensation = MakeCommand(0);
    step.deadline_ms = spec.deadline_ms;
    step.dependencies.assign(before[i].begin(), before[i].end());
    if (spec.mapping_breaks) broken.insert(spec.name);
    recipe.steps.push_back(std::move(step));
  }
  // Closed by repetition: edges implied by kinds need not follow the order in which steps are written.
  for (bool grown = true; grown;) {
    grown = false;
    for (std::set<int>& all : before) {
      for (const int earlier : std::set<int>(all)) {
        const size_t size = all.size();
        all.insert(before[earlier].begin(), before[earlier].end());
        grown |= all.size() != size;
      }
    }
  }
  for (size_t later = 0; later < before.size(); ++later) {
    for (const int earlier : before[later])
      recipe.steps[earlier].transitive_dependents.push_back(static_cast<int>(later));
  }
  recipe.mapper = std::make_shared<FixedMapper>(std::move(broken));
  return recipe;
}

}  // namespace tutti::model
