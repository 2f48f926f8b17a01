// One path through a universe, told by hand: each line names a move as schedules print it.
#ifndef TUTTI_TESTS_MODEL_STORY_H_
#define TUTTI_TESTS_MODEL_STORY_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "tests/model/world.h"

namespace tutti::model {

// Every move is checked against the invariants, as in the search. Commits that a line needs happen by themselves.
class Story {
 public:
  explicit Story(const Scenario& scenario);

  // A line is the beginning of a move's description. Adds a test failure, and the moves there were, when none fits.
  void Play(std::initializer_list<const char*> lines);
  // Whether a move could be made now, commits done.
  bool Offers(const std::string& line);
  // Makes only moves without trouble, in the order in which they are offered, until none is left.
  void LetItEnd();

  const Facts& facts() const { return universe_.machine().facts(world_.memory); }
  const storage::v1::SagaRecord& record() const { return universe_.machine().record(world_.memory); }
  int effect(int step) const { return world_.services[step].effect; }
  v1::SagaState state() const { return facts().state; }
  // What the state machine would answer to an event, without moving the world.
  Outcome Ask(const EventName& event);

 private:
  bool TryToMake(const std::string& line);
  void Make(const Move& move);
  std::vector<Move> Moves();

  Universe universe_;
  World world_;
};

}  // namespace tutti::model

#endif  // TUTTI_TESTS_MODEL_STORY_H_
