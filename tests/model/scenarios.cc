// The worlds that are searched.
#include "tests/model/scenario.h"

namespace tutti::model {
namespace {

constexpr v1::StepKind kPivot = v1::STEP_KIND_PIVOT;
constexpr v1::StepKind kRetriable = v1::STEP_KIND_RETRIABLE;

using enum ServiceKind;

// Shapes without bounds. Step i is written i-th; `after` names earlier ones.
std::vector<Scenario> Shapes() {
  return {
      {.name = "one barrier step", .steps = {{.name = "a"}}},
      {.name = "one keyed step", .steps = {{.name = "a", .service = kKeyed}}},
      {.name = "one keyed step, refusals open", .steps = {{.name = "a", .service = kKeyed, .open = true}}},
      {.name = "one PUT step", .steps = {{.name = "a", .service = kPut}}},
      {.name = "one belated step", .steps = {{.name = "a", .service = kBelated}}},
      {.name = "one step, old replica", .steps = {{.name = "a", .service = kOldReplica}}},
      {.name = "one retriable step", .steps = {{.name = "a", .service = kKeyed, .kind = kRetriable}}},
      {.name = "barrier, barrier", .steps = {{.name = "a"}, {.name = "b", .after = {0}}}},
      {.name = "keyed, keyed with a deadline",
       .steps = {{.name = "a", .service = kKeyed},
                 {.name = "b", .service = kKeyed, .after = {0}, .deadline_ms = 9000}}},
      {.name = "barrier beside keyed", .steps = {{.name = "a"}, {.name = "b", .service = kKeyed}}},
      {.name = "PUT beside barrier", .steps = {{.name = "a", .service = kPut}, {.name = "b"}}},
      {.name = "keyed beside one that cannot be mapped",
       .steps = {{.name = "a", .service = kKeyed}, {.name = "b", .mapping_breaks = true}}},
      {.name = "barrier, then pivot keyed", .steps = {{.name = "a"}, {.name = "p", .service = kKeyed, .kind = kPivot}}},
      {.name = "keyed, then pivot open",
       .steps = {{.name = "a", .service = kKeyed}, {.name = "p", .service = kKeyed, .kind = kPivot, .open = true}},
       .saga_timeout = true},
      {.name = "barrier pivot, then retriable",
       .steps = {{.name = "p", .kind = kPivot}, {.name = "r", .service = kKeyed, .kind = kRetriable, .after = {0}}},
       .saga_timeout = true},
      {.name = "compensatable beside retriable",
       .steps = {{.name = "a", .service = kKeyed}, {.name = "r", .kind = kRetriable}},
       .saga_timeout = true},
      {.name = "linear: keyed, none, barrier",
       .steps = {{.name = "a", .service = kKeyed},
                 {.name = "n", .after = {0}, .undo = false},
                 {.name = "b", .after = {1}}}},
      {.name = "fan out: barrier, then keyed beside PUT",
       .steps = {{.name = "a"},
                 {.name = "b", .service = kKeyed, .after = {0}},
                 {.name = "c", .service = kPut, .after = {0}}}},
      {.name = "fan in: barrier beside keyed, then barrier",
       .steps = {{.name = "a"}, {.name = "b", .service = kKeyed}, {.name = "c", .after = {0, 1}}}},
      {.name = "booking: barrier, pivot, retriable",
       .steps = {{.name = "a"},
                 {.name = "p", .service = kKeyed, .kind = kPivot, .after = {0}},
                 {.name = "r", .service = kKeyed, .kind = kRetriable, .after = {1}}},
       .saga_timeout = true},
      {.name = "three in parallel",
       .steps = {{.name = "a"}, {.name = "b", .service = kKeyed}, {.name = "c", .service = kPut}}},
      {.name = "diamond of barriers",
       .steps = {{.name = "a"},
                 {.name = "b", .after = {0}},
                 {.name = "c", .service = kKeyed, .after = {0}},
                 {.name = "d", .after = {1, 2}}}},
  };
}

std::vector<Scenario> Bounded(const Bounds (&bounds)[kStepsMax]) {
  std::vector<Scenario> scenarios = Shapes();
  for (Scenario& scenario : scenarios) scenario.bounds = bounds[scenario.steps.size() - 1];
  return scenarios;
}

}  // namespace

std::vector<Scenario> QuickScenarios() {
  return Bounded({{.faults = 3, .crashes = 1, .cancels = 1},
                  {.faults = 2, .crashes = 1, .cancels = 1},
                  {.faults = 1, .crashes = 1, .cancels = 0},
                  {.faults = 0, .crashes = 0, .cancels = 1}});
}

std::vector<Scenario> FullScenarios() {
  return Bounded({{.faults = 4, .crashes = 2, .cancels = 1},
                  {.faults = 3, .crashes = 1, .cancels = 1},
                  {.faults = 2, .crashes = 1, .cancels = 1},
                  {.faults = 1, .crashes = 0, .cancels = 1}});
}

}  // namespace tutti::model
