// A small world to be searched: a recipe, what its participants are like, and how much may go wrong.
#ifndef TUTTI_TESTS_MODEL_SCENARIO_H_
#define TUTTI_TESTS_MODEL_SCENARIO_H_

#include <memory>
#include <string>
#include <vector>

#include "orchestrator/saga/recipe.h"

namespace tutti::model {

inline constexpr int kStepsMax = 4;

// What stands behind a participant's name.
enum class ServiceKind {
  kBarrier,     // the shipped barrier over one row; commands land at any time
  kKeyed,       // plain: one key has one effect, each undo key one undo; an undo of nothing leaves no trace
  kPut,         // plain: each landing of the action sets the effect, each landing of the undo clears it
  kBelated,     // keyed, but breaks its contract: commands land after the grace too
  kOldReplica,  // declared with a barrier, though an old replica without one may answer in its stead
};

struct StepSpec {
  std::string name;
  ServiceKind service = ServiceKind::kBarrier;
  v1::StepKind kind = v1::STEP_KIND_COMPENSATABLE;
  std::vector<int> after;
  bool undo = true;   // false: `compensation: none`
  bool open = false;  // `refusals: open`: something on the way re-sends and refuses
  bool mapping_breaks = false;
  int64_t deadline_ms = 0;
  int max_attempts = 2;  // of a compensatable or pivot action
};

// How much may go wrong in one run. With faults spent, only what must happen happens.
struct Bounds {
  int faults = 2;  // each loss, duplicate, delay past a timeout, refusal by the way, error answer costs one
  int crashes = 1;
  int cancels = 0;
  int words = 0;     // of an operator
  int restores = 0;  // crashes after which the store comes back from a backup of that moment, held
};

// Ways in which the shard around the state machine could be wrong. The model has a shard of its own.
enum class ShardFlaw {
  kNone,
  kEffectsBeforeDurable,        // commands leave and watchers hear before the commit
  kDropMissesUncommittedSends,  // an abort drops what queues at the invoker, not what waits for its commit
};

struct Scenario {
  std::string name;
  std::vector<StepSpec> steps;
  Bounds bounds;
  bool saga_timeout = false;
  ShardFlaw flaw = ShardFlaw::kNone;
};

// The compiled form that the state machine gets, implied edges of kinds included.
saga::Recipe MakeRecipe(const Scenario& scenario);

// Declarations by participant name, as MakeRecipe gives them.
class Traits final : public saga::ParticipantTraitsSource {
 public:
  saga::ParticipantTraits TraitsOf(absl::string_view participant) const override;
};

// The worlds of the quick and of the full bound. The same shapes, more trouble.
std::vector<Scenario> QuickScenarios();
std::vector<Scenario> FullScenarios();

}  // namespace tutti::model

#endif  // TUTTI_TESTS_MODEL_SCENARIO_H_
