#include "tests/model/story.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace tutti::model {

Story::Story(const Scenario& scenario) : universe_(scenario), world_(universe_.Initial()) {}

std::vector<Move> Story::Moves() {
  std::vector<Move> moves;
  universe_.Moves(world_, &moves);
  const std::optional<Violation> violation = universe_.CheckRest(world_, moves);
  EXPECT_FALSE(violation.has_value()) << violation->invariant << ": " << violation->what;
  return moves;
}

void Story::Make(const Move& move) {
  std::optional<Violation> violation;
  const std::string line = universe_.Describe(world_, move);
  world_ = universe_.After(world_, move, &violation);
  EXPECT_FALSE(violation.has_value()) << violation->invariant << ": " << violation->what << " after " << line;
}

bool Story::TryToMake(const std::string& line) {
  for (const Move& move : Moves()) {
    if (!absl::StartsWith(universe_.Describe(world_, move), line)) continue;
    Make(move);
    return true;
  }
  return false;
}

void Story::Play(std::initializer_list<const char*> lines) {
  for (const char* line : lines) {
    while (!TryToMake(line)) {
      if (TryToMake("commit")) continue;
      std::string offered;
      for (const Move& move : Moves()) absl::StrAppend(&offered, "  ", universe_.Describe(world_, move), "\n");
      GTEST_FAIL() << "no move \"" << line << "\" in " << universe_.Describe(world_) << "\n" << offered;
    }
  }
}

bool Story::Offers(const std::string& line) {
  while (TryToMake("commit")) {
  }
  const std::vector<Move> moves = Moves();
  return std::any_of(moves.begin(), moves.end(),
                     [&](const Move& move) { return absl::StartsWith(universe_.Describe(world_, move), line); });
}

void Story::LetItEnd() {
  for (int left = 200; left > 0; --left) {
    const std::vector<Move> moves = Moves();
    const auto next = std::find_if(moves.begin(), moves.end(), [](const Move& move) { return move.progress; });
    if (next == moves.end()) return;
    Make(*next);
  }
  GTEST_FAIL() << "no end in sight: " << universe_.Describe(world_);
}

Outcome Story::Ask(const EventName& event) {
  return universe_.Ask(world_, event);
}

}  // namespace tutti::model
