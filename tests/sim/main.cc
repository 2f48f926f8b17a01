// tutti-simulate: runs seeds until one fails, then shrinks it and tells the story.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

#include "CLI/CLI.hpp"
#include "tests/sim/shrink.h"

namespace tutti::sim {
namespace {

struct Options {
  int64_t seeds = 1'000;
  int64_t seconds = 0;
  uint64_t first_seed = 1;
  bool fresh = false;
  bool trace = false;
  int shrink_runs = 600;
  std::string sabotage = "none";
};

struct Totals {
  int64_t seeds = 0, virtual_ms = 0, steps = 0, sagas = 0, succeeded = 0, compensated = 0, parked = 0, parked_once = 0,
          expired = 0, words = 0, lives = 0;
  std::array<int64_t, kFaults> faults{};

  void Add(const Outcome& outcome) {
    ++seeds;
    virtual_ms += outcome.virtual_ms;
    steps += outcome.steps;
    sagas += outcome.sagas;
    succeeded += outcome.succeeded;
    compensated += outcome.compensated;
    parked += outcome.parked;
    parked_once += outcome.parked_once;
    expired += outcome.expired;
    words += outcome.operator_words;
    lives += outcome.lives;
    for (size_t i = 0; i < kFaults; ++i) faults[i] += outcome.faults[i];
  }
};

void Print(const Totals& totals, double wall_seconds) {
  const double virtual_seconds = static_cast<double>(totals.virtual_ms) / 1000.0;
  std::printf("%lld seeds in %.1f s: %.0f s of virtual time, %.0f virtual seconds a second, %lld steps\n",
              static_cast<long long>(totals.seeds), wall_seconds, virtual_seconds, virtual_seconds / wall_seconds,
              static_cast<long long>(totals.steps));
  std::printf(
      "%lld sagas: %lld succeeded, %lld compensated, %lld parked after %lld were retried; %lld expired; %lld operator "
      "words, "
      "%lld lives of the orchestrator\n",
      static_cast<long long>(totals.sagas), static_cast<long long>(totals.succeeded),
      static_cast<long long>(totals.compensated), static_cast<long long>(totals.parked),
      static_cast<long long>(totals.parked_once), static_cast<long long>(totals.expired),
      static_cast<long long>(totals.words), static_cast<long long>(totals.lives));
  for (size_t i = 0; i < kFaults; ++i) {
    std::printf("  %-20s %lld\n", Name(static_cast<Fault>(i)), static_cast<long long>(totals.faults[i]));
  }
}

void TellStory(const Scenario& scenario) {
  const Outcome outcome = Simulate(scenario, [](const std::string& line) { std::printf("%s\n", line.c_str()); });
  std::printf("%s", Describe(scenario, outcome).c_str());
  std::vector<int> told;
  for (const PlannedSaga& saga : scenario.sagas) {
    if (std::find(told.begin(), told.end(), saga.definition) != told.end()) continue;
    told.push_back(saga.definition);
    std::printf("--- %s", DefinitionText(saga.definition).c_str());
  }
  if (!outcome.violation.empty()) std::printf("VIOLATION: %s\n", outcome.violation.c_str());
}

Sabotage Parse(const std::string& name) {
  for (int i = 0; i < kSabotages; ++i) {
    if (name == Name(static_cast<Sabotage>(i))) return static_cast<Sabotage>(i);
  }
  std::fprintf(stderr, "no such sabotage: %s\n", name.c_str());
  std::exit(2);
}

int Run(const Options& options) {
  const Sabotage sabotage = Parse(options.sabotage);
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  Totals totals;
  for (uint64_t seed = options.first_seed; totals.seeds < options.seeds; ++seed) {
    if (options.seconds > 0 && elapsed() >= static_cast<double>(options.seconds)) break;
    const Scenario scenario = MakeScenario(seed, sabotage);
    if (options.trace) {
      TellStory(scenario);
      return 0;
    }
    const Outcome outcome = Simulate(scenario);
    totals.Add(outcome);
    if (outcome.violation.empty()) continue;
    std::printf("seed %llu: %s\nshrinking\n", static_cast<unsigned long long>(seed), outcome.violation.c_str());
    std::fflush(stdout);
    TellStory(Shrink(scenario, options.shrink_runs));
    std::printf("rerun: tutti-simulate --first-seed %llu --seeds 1 --sabotage %s\n",
                static_cast<unsigned long long>(seed), options.sabotage.c_str());
    return 1;
  }
  Print(totals, elapsed());
  return 0;
}

}  // namespace
}  // namespace tutti::sim

int main(int argc, char** argv) {
  tutti::sim::Options options;
  CLI::App app("Simulates the whole engine under seeded faults and checks its invariants.");
  app.add_option("--seeds", options.seeds, "how many seeds");
  app.add_option("--first-seed", options.first_seed, "the first of them; the others follow");
  app.add_flag("--fresh", options.fresh, "start at a random seed, which is printed");
  app.add_option("--seconds", options.seconds, "stop after so many seconds; 0: never");
  app.add_flag("--trace", options.trace, "tell the story of the first seed, whatever it ends in");
  app.add_option("--shrink-runs", options.shrink_runs, "simulations to spend on making a failure smaller");
  app.add_option("--sabotage", options.sabotage, "break something on purpose");
  CLI11_PARSE(app, argc, argv);
  if (options.fresh) {
    options.first_seed = (static_cast<uint64_t>(std::random_device()()) << 16) | 1;
    std::printf("first seed %llu\n", static_cast<unsigned long long>(options.first_seed));
  }
  return tutti::sim::Run(options);
}
