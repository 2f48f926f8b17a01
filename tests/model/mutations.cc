// model_mutations [--verbose] [--shortest]: breaks the state machine, the barrier or the model's shard in one place at
// a time, and searches until an invariant notices, in the first world that shows it or in the one with the shortest
// schedule. Ends 1 when a mutation is not caught.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "common/mutation.h"
#include "tests/model/explorer.h"

#ifndef TUTTI_MUTATIONS
#error "this checker needs the build that can be broken"
#endif

namespace tutti::model {
namespace {

constexpr uint64_t kStatesMax = 1'500'000;

struct Break {
  const char* name;
  Mutation mutation = Mutation::kNone;
  ShardFlaw flaw = ShardFlaw::kNone;
};

const std::vector<Break>& Breaks() {
  static const std::vector<Break> breaks = {
      {"drop the guard on late successes", Mutation::kDropGuard},
      {"retry an action after the abort", Mutation::kActionAfterAbort},
      {"let queued actions leave after the abort", Mutation::kQueuedSurvivesAbort},
      {"skip the tombstone", Mutation::kSkipTombstone},
      {"apply an action after its own undo", Mutation::kForgottenUndo},
      {"compensate out of order", Mutation::kCompensateOutOfOrder},
      {"let the order stop at a step without undo", Mutation::kOrderStopsAtNone},
      {"compensate before attempts are settled", Mutation::kCompensateUnsettled},
      {"take silence for a proof of no effect", Mutation::kSilenceIsProof},
      {"take one refusal for all attempts", Mutation::kRefusalSpeaksForAll},
      {"take a refusal for proof where refusals are open", Mutation::kOpenRefusalIsProof},
      {"take a barrier's unmarked refusal for proof", Mutation::kUnmarkedRefusalIsProof},
      {"ignore that a success has no mark", Mutation::kIgnoreBarrierMark},
      {"abort with the pivot open", Mutation::kAbortWithPivotOpen},
      {"believe the pivot's newest refusal", Mutation::kPivotRefusedByNewest},
      {"cancel after the commit point", Mutation::kCancelAfterTheEnd},
      {"commit too early", Mutation::kCommitTooEarly},
      {"start a retriable step too early", Mutation::kRetriableTooEarly},
      {"forget open attempts at a crash", Mutation::kForgetOpenAtCrash},
      {"do not take up what a crash interrupted", Mutation::kRecoveryForgetsToRetry},
      {"let go on what comes from a backup", Mutation::kRestoredGoesOn},
      {"let a saga's time run on while it is held", Mutation::kHeldTimesOut},
      {"undo with a second key", Mutation::kSecondCompensationKey},
      {"send and tell before durable (shard)", Mutation::kNone, ShardFlaw::kEffectsBeforeDurable},
      {"drop misses what waits for its commit (shard)", Mutation::kNone, ShardFlaw::kDropMissesUncommittedSends},
  };
  return breaks;
}

struct Catch {
  std::string world;
  Finding finding;
};

std::optional<Catch> FindCatch(const Break& broken, bool shortest) {
  std::optional<Catch> best;
  for (Scenario scenario : QuickScenarios()) {
    scenario.flaw = broken.flaw;
    const Report report = SearchShortest(scenario, best.has_value() ? kStatesMax / 10 : kStatesMax);
    if (!report.finding.has_value()) continue;
    if (best.has_value() && best->finding.schedule.size() <= report.finding->schedule.size()) continue;
    best = Catch{scenario.name, *report.finding};
    if (!shortest) break;
  }
  return best;
}

int Run(bool verbose, bool shortest) {
  int missed = 0;
  std::printf("%-50s | caught by | %-42s | moves\n", "mutation", "world");
  for (const Break& broken : Breaks()) {
    active_mutation = broken.mutation;
    const std::optional<Catch> caught = FindCatch(broken, shortest);
    if (!caught.has_value()) ++missed;
    std::printf("%-50s | %-9s | %-42s | %zu\n", broken.name,
                caught ? caught->finding.violation.invariant.c_str() : "NOTHING", caught ? caught->world.c_str() : "",
                caught ? caught->finding.schedule.size() : 0);
    if (caught && verbose) std::printf("%s\n", ToText(caught->finding).c_str());
    std::fflush(stdout);
  }
  active_mutation = Mutation::kNone;
  std::printf("%zu mutations, %d not caught\n", Breaks().size(), missed);
  return missed;
}

}  // namespace
}  // namespace tutti::model

int main(int argc, char** argv) {
  bool verbose = false;
  bool shortest = false;
  for (int i = 1; i < argc; ++i) {
    verbose |= std::strcmp(argv[i], "--verbose") == 0;
    shortest |= std::strcmp(argv[i], "--shortest") == 0;
  }
  return tutti::model::Run(verbose, shortest) == 0 ? 0 : 1;
}
