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
      {.name = "keyed, then pivot with a deadline",
       .steps = {{.name = "a", .service = kKeyed},
                 {.name = "p", .service = kKeyed, .kind = kPivot, .after = {0}, .deadline_ms = 9000}}},
      {.name = "old replica, then pivot",
       .steps = {{.name = "a", .service = kOldReplica},
                 {.name = "p", .service = kKeyed, .kind = kPivot, .after = {0}}}},
      {.name = "barrier, then pivot of an old replica",
       .steps = {{.name = "a"}, {.name = "p", .service = kOldReplica, .kind = kPivot, .after = {0}}}},
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
      {.name = "PUT beside a branch that cannot go on",
       .steps = {{.name = "a", .service = kPut},
                 {.name = "b", .service = kKeyed},
                 {.name = "c", .after = {1}, .mapping_breaks = true}}},
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

// By number of steps. Several bounds where one that covers them all would take hours.
using BoundsBySize = std::vector<Bounds>[kStepsMax];

std::vector<Scenario> Bounded(const BoundsBySize& bounds, const std::vector<Bounds>& unordered_bounds) {
  std::vector<Scenario> scenarios;
  for (const Scenario& shape : Shapes()) {
    // Three steps without an order between them have the most interleavings of all.
    const bool unordered = shape.steps.size() == 3 && shape.steps[1].after.empty() && shape.steps[2].after.empty() &&
                           shape.steps[2].kind == v1::STEP_KIND_COMPENSATABLE;
    for (const Bounds& bound : unordered ? unordered_bounds : bounds[shape.steps.size() - 1]) {
      scenarios.push_back(shape);
      scenarios.back().bounds = bound;
    }
  }
  return scenarios;
}

}  // namespace

std::vector<Scenario> QuickScenarios() {
  return Bounded({{{.faults = 2, .crashes = 1, .cancels = 1, .words = 1},
                   {.faults = 1, .crashes = 1, .cancels = 1, .words = 2, .restores = 1}},
                  {{.faults = 1, .crashes = 1, .cancels = 1, .words = 1},
                   {.faults = 1, .crashes = 0, .cancels = 1, .words = 1, .restores = 1}},
                  {{.faults = 1, .crashes = 0, .cancels = 1, .words = 1}, {.faults = 0, .crashes = 1, .cancels = 0}},
                  {{.faults = 1, .crashes = 0, .cancels = 0, .words = 1}, {.faults = 0, .crashes = 0, .cancels = 1}}},
                 {{.faults = 1, .crashes = 0, .cancels = 1, .words = 1}});
}

std::vector<Scenario> FullScenarios() {
  return Bounded(
      {{{.faults = 3, .crashes = 1, .cancels = 1, .words = 1}, {.faults = 1, .crashes = 2, .cancels = 1, .words = 1}},
       {{.faults = 2, .crashes = 1, .cancels = 1, .words = 1},
        {.faults = 1, .crashes = 0, .cancels = 1, .words = 1, .restores = 1}},
       {{.faults = 2, .crashes = 1, .cancels = 0, .words = 1}, {.faults = 1, .crashes = 1, .cancels = 1, .words = 1}},
       {{.faults = 2, .crashes = 0, .cancels = 0, .words = 1},
        {.faults = 1, .crashes = 1, .cancels = 0, .words = 1},
        {.faults = 1, .crashes = 0, .cancels = 1, .words = 1}}},
      {{.faults = 1, .crashes = 0, .cancels = 1, .words = 1},
       {.faults = 2, .crashes = 0, .cancels = 0, .words = 1},
       {.faults = 0, .crashes = 1, .cancels = 1}});
}

}  // namespace tutti::model
