#include "tests/model/explorer.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace tutti::model {
namespace {

// A state on the present path, and the moves out of it that are still to be made.
struct Frame {
  World world;
  Fingerprint fingerprint;
  std::vector<Move> moves;
  size_t next = 0;
};

struct Node {
  World world;
  int64_t parent = -1;
  Move move;  // that led here
};

std::string Line(Universe* universe, const World& before, const Move& move, const World& after) {
  return absl::StrCat(universe->Describe(before, move), "\n      = ", universe->Describe(after));
}

Finding Replay(Universe* universe, const std::vector<Move>& moves, Violation violation) {
  Finding finding{.violation = std::move(violation)};
  World world = universe->Initial();
  finding.schedule.push_back(absl::StrCat("start\n      = ", universe->Describe(world)));
  for (const Move& move : moves) {
    std::optional<Violation> ignored;
    const World after = universe->After(world, move, &ignored);
    finding.schedule.push_back(Line(universe, world, move, after));
    world = after;
  }
  return finding;
}

std::vector<Move> PathTo(const std::vector<Node>& nodes, int64_t index) {
  std::vector<Move> path;
  for (; nodes[index].parent >= 0; index = nodes[index].parent) path.push_back(nodes[index].move);
  std::reverse(path.begin(), path.end());
  return path;
}

bool IsOnPath(const std::vector<Frame>& path, size_t depth, const Fingerprint& fingerprint) {
  return std::any_of(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth),
                     [&](const Frame& frame) { return frame.fingerprint == fingerprint; });
}

}  // namespace

Report SearchAll(const Scenario& scenario, uint64_t states_max) {
  Universe universe(scenario);
  Report report;
  absl::flat_hash_set<Fingerprint> seen;
  std::vector<Frame> path(1);
  path[0].world = universe.Initial();
  path[0].fingerprint = FingerprintOf(path[0].world);
  seen.insert(path[0].fingerprint);
  universe.Moves(path[0].world, &path[0].moves);
  std::optional<Violation> violation = universe.CheckRest(path[0].world, path[0].moves);
  size_t depth = 1;
  while (depth > 0 && !violation.has_value()) {
    Frame& frame = path[depth - 1];
    if (frame.next == frame.moves.size()) {
      --depth;
      continue;
    }
    const Move move = frame.moves[frame.next++];
    const World after = universe.After(frame.world, move, &violation);
    ++report.transitions;
    const Fingerprint fingerprint = FingerprintOf(after);
    if (!violation.has_value() && !seen.insert(fingerprint).second) {
      if (!IsOnPath(path, depth, fingerprint)) continue;
      violation = Violation{"I6", "the world is back where it was: it could go round for ever"};
    }
    if (path.size() == depth) path.emplace_back();
    Frame& deeper = path[depth++];
    deeper.world = after;
    deeper.fingerprint = fingerprint;
    deeper.next = 0;
    universe.Moves(after, &deeper.moves);
    if (!violation.has_value()) violation = universe.CheckRest(after, deeper.moves);
    report.depth = std::max(report.depth, static_cast<int>(depth) - 1);
    if (seen.size() >= states_max) {
      report.complete = false;
      break;
    }
  }
  report.states = seen.size();
  report.records = universe.machine().CheckRecords();
  if (violation.has_value()) {
    std::vector<Move> moves;
    for (size_t i = 0; i + 1 < depth; ++i) moves.push_back(path[i].moves[path[i].next - 1]);
    report.finding = Replay(&universe, moves, *violation);
  }
  return report;
}

Report SearchShortest(const Scenario& scenario, uint64_t states_max) {
  Universe universe(scenario);
  Report report;
  absl::flat_hash_set<Fingerprint> seen;
  std::vector<Node> nodes = {{.world = universe.Initial()}};
  seen.insert(FingerprintOf(nodes[0].world));
  std::vector<Move> moves;
  for (size_t at = 0; at < nodes.size() && !report.finding.has_value(); ++at) {
    const World world = nodes[at].world;
    universe.Moves(world, &moves);
    std::optional<Violation> violation = universe.CheckRest(world, moves);
    if (violation.has_value()) {
      report.finding = Replay(&universe, PathTo(nodes, static_cast<int64_t>(at)), *violation);
      break;
    }
    for (const Move& move : moves) {
      const World after = universe.After(world, move, &violation);
      ++report.transitions;
      if (violation.has_value()) {
        std::vector<Move> path = PathTo(nodes, static_cast<int64_t>(at));
        path.push_back(move);
        report.finding = Replay(&universe, path, *violation);
        break;
      }
      if (seen.insert(FingerprintOf(after)).second) nodes.push_back({after, static_cast<int64_t>(at), move});
    }
    if (seen.size() >= states_max) {
      report.complete = false;
      break;
    }
  }
  report.states = seen.size();
  if (report.finding.has_value()) report.depth = static_cast<int>(report.finding->schedule.size());
  return report;
}

std::string ToText(const Finding& finding) {
  std::string text = absl::StrCat(finding.violation.invariant, ": ", finding.violation.what, "\n");
  for (size_t i = 0; i < finding.schedule.size(); ++i) {
    absl::StrAppend(&text, "  ", i + 1, ". ", finding.schedule[i], "\n");
  }
  return text;
}

}  // namespace tutti::model
