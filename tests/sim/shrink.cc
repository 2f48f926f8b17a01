#include "tests/sim/shrink.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tutti::sim {
namespace {

class Shrinker {
 public:
  Shrinker(Scenario scenario, int runs_max) : best_(std::move(scenario)), runs_left_(runs_max) {}

  Scenario Run() {
    for (bool smaller = true; smaller && runs_left_ > 0;) {
      smaller = DropKinds();
      smaller |= DropItems(&Scenario::sagas);
      smaller |= DropItems(&Scenario::faults);
      smaller |= DropExtras();
      smaller |= SpareStrikes();
    }
    return std::move(best_);
  }

 private:
  bool Keep(Scenario candidate) {
    if (runs_left_-- <= 0 || Simulate(candidate).violation.empty()) return false;
    best_ = std::move(candidate);
    return true;
  }

  bool DropKinds() {
    bool smaller = false;
    for (size_t kind = 0; kind < kFaults; ++kind) {
      if (best_.rates[kind] == 0) continue;
      Scenario candidate = best_;
      candidate.rates[kind] = 0;
      smaller |= Keep(std::move(candidate));
    }
    return smaller;
  }

  template <typename Item>
  bool DropItems(std::vector<Item> Scenario::*items) {
    bool smaller = false;
    for (size_t i = (best_.*items).size(); i-- > 0;) {
      Scenario candidate = best_;
      (candidate.*items).erase((candidate.*items).begin() + static_cast<std::ptrdiff_t>(i));
      smaller |= Keep(std::move(candidate));
    }
    return smaller;
  }

  bool DropExtras() {
    bool smaller = false;
    for (size_t i = 0; i < best_.sagas.size(); ++i) {
      for (int64_t PlannedSaga::*extra : {&PlannedSaga::rival_ms, &PlannedSaga::repeat_ms, &PlannedSaga::cancel_ms}) {
        if (best_.sagas[i].*extra < 0) continue;
        Scenario candidate = best_;
        candidate.sagas[i].*extra = -1;
        smaller |= Keep(std::move(candidate));
      }
    }
    return smaller;
  }

  // Halves, quarters, … of what struck, down to single strikes.
  bool SpareStrikes() {
    bool smaller = false;
    std::vector<Strike> struck = Simulate(best_).struck;
    for (size_t chunk = std::max<size_t>(struck.size() / 2, 1); runs_left_ > 0 && !struck.empty();) {
      for (size_t begin = 0; begin < struck.size() && runs_left_ > 0;) {
        const size_t end = std::min(begin + chunk, struck.size());
        Scenario candidate = best_;
        candidate.spared.insert(struck.begin() + static_cast<std::ptrdiff_t>(begin),
                                struck.begin() + static_cast<std::ptrdiff_t>(end));
        if (Keep(std::move(candidate))) {
          smaller = true;
          struck.erase(struck.begin() + static_cast<std::ptrdiff_t>(begin),
                       struck.begin() + static_cast<std::ptrdiff_t>(end));
        } else {
          begin = end;
        }
      }
      if (chunk == 1) break;
      chunk /= 2;
    }
    return smaller;
  }

  Scenario best_;
  int runs_left_;
};

}  // namespace

Scenario Shrink(Scenario scenario, int runs_max) {
  return Shrinker(std::move(scenario), runs_max).Run();
}

std::string Describe(const Scenario& scenario, const Outcome& outcome) {
  std::string text =
      absl::StrCat("seed ", scenario.seed, ", sabotage ", Name(scenario.sabotage), ", shards ", scenario.shards,
                   ", grace ", scenario.grace_ms, " ms, heals at ", scenario.heal_ms, " ms\n");
  for (const PlannedSaga& saga : scenario.sagas) {
    absl::StrAppend(&text, "  ", saga.id, ": ", DefinitionName(saga.definition), " at ", saga.start_ms, " ms, rival ",
                    saga.rival_ms, ", repeat ", saga.repeat_ms, ", cancel ", saga.cancel_ms, "\n");
  }
  for (const PlannedFault& fault : scenario.faults) {
    absl::StrAppend(&text, "  planned: ", Name(fault.fault), " ", fault.target, " at ", fault.at_ms, " ms, ",
                    fault.length_ms, " ms\n");
  }
  for (const Strike& strike : outcome.struck) absl::StrAppend(&text, "  struck: ", Name(strike.fault), "\n");
  return text;
}

}  // namespace tutti::sim
