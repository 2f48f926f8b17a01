// model_check [--full] [--world SUBSTRING] [--bounds F,C,X,W[,R]]: searches every world and prints what was visited.
// Ends 1 on a violation. F, C, X, W, R: faults, crashes, cancels, operator's words and restores per run, for
// experiments. Worlds share nothing, so each core searches one of its own; lines come as searches end.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "tests/model/explorer.h"

namespace {

constexpr uint64_t kStatesMax = 100'000'000;

void Print(const tutti::model::Scenario& scenario, const tutti::model::Report& report, double seconds) {
  std::printf("%-44s | f%d c%d x%d w%d r%d | %10llu | %11llu | %5d | %s  (%.1f s)\n", scenario.name.c_str(),
              scenario.bounds.faults, scenario.bounds.crashes, scenario.bounds.cancels, scenario.bounds.words,
              scenario.bounds.restores, static_cast<unsigned long long>(report.states),
              static_cast<unsigned long long>(report.transitions), report.depth,
              report.finding    ? report.finding->violation.invariant.c_str()
              : report.complete ? "none"
                                : "INCOMPLETE",
              seconds);
  std::fflush(stdout);
}

std::optional<tutti::model::Bounds> Parse(const char* text) {
  tutti::model::Bounds bounds;
  const int read = std::sscanf(text, "%d,%d,%d,%d,%d", &bounds.faults, &bounds.crashes, &bounds.cancels, &bounds.words,
                               &bounds.restores);
  return read >= 4 ? std::optional<tutti::model::Bounds>(bounds) : std::nullopt;
}

struct Totals {
  uint64_t states = 0;
  uint64_t transitions = 0;
  bool sound = true;
};

void Add(const tutti::model::Scenario& scenario, const tutti::model::Report& report, double seconds, Totals* totals) {
  Print(scenario, report, seconds);
  totals->states += report.states;
  totals->transitions += report.transitions;
  totals->sound &= report.complete && !report.finding.has_value() && report.records.ok();
  if (!report.records.ok()) std::printf("recovery would refuse a record: %s\n", report.records.ToString().c_str());
  if (!report.finding.has_value()) return;
  const tutti::model::Report shortest = tutti::model::SearchShortest(scenario, kStatesMax / 40);
  std::printf("%s", ToText(shortest.finding.has_value() ? *shortest.finding : *report.finding).c_str());
}

Totals SearchEach(const std::vector<tutti::model::Scenario>& scenarios) {
  std::printf("%-44s | bounds         | %10s | %11s | depth | violations\n", "world", "states", "transitions");
  Totals totals;
  tutti::Mutex mutex;
  std::atomic<size_t> next = 0;
  const auto search = [&] {
    for (size_t i = next++; i < scenarios.size(); i = next++) {
      const auto start = std::chrono::steady_clock::now();
      const tutti::model::Report report = tutti::model::SearchAll(scenarios[i], kStatesMax);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      tutti::MutexLock lock(&mutex);
      Add(scenarios[i], report, took.count(), &totals);
    }
  };
  std::vector<std::thread> threads(std::max(1u, std::thread::hardware_concurrency()));
  for (std::thread& thread : threads) thread = std::thread(search);
  for (std::thread& thread : threads) thread.join();
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  bool full = false;
  std::string only;
  std::optional<tutti::model::Bounds> bounds;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--full") == 0) full = true;
    if (std::strcmp(argv[i], "--world") == 0 && i + 1 < argc) only = argv[++i];
    if (std::strcmp(argv[i], "--bounds") == 0 && i + 1 < argc) bounds = Parse(argv[++i]);
  }
  std::vector<tutti::model::Scenario> scenarios = full ? tutti::model::FullScenarios() : tutti::model::QuickScenarios();
  std::erase_if(scenarios, [&](const auto& scenario) { return scenario.name.find(only) == std::string::npos; });
  if (bounds.has_value()) {
    for (auto& scenario : scenarios) scenario.bounds = *bounds;
  }
  const Totals totals = SearchEach(scenarios);
  std::printf(
      "%llu states, %llu transitions, f: faults, c: crashes, x: cancels, w: operator's words, r: restores per run\n",
      static_cast<unsigned long long>(totals.states), static_cast<unsigned long long>(totals.transitions));
  const bool sound = totals.sound && !scenarios.empty();
  std::printf(sound ? "every invariant holds in every state\n" : "NOT PROVED\n");
  return sound ? 0 : 1;
}
