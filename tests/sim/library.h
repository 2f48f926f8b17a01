// The definitions that simulated sagas run: generated YAML, through the shipped compiler.
#ifndef TUTTI_TESTS_SIM_LIBRARY_H_
#define TUTTI_TESTS_SIM_LIBRARY_H_

#include <memory>
#include <string>
#include <vector>

#include "orchestrator/definition/compiler.h"
#include "orchestrator/saga/recipe.h"

namespace tutti::sim {

// How a simulated participant keeps its promises.
enum class Guard {
  kBarrier,  // the shipped barrier
  kKeyed,    // remembers each key for ever
  kPut,      // sets and clears one thing per step, as often as it is told
};

struct ParticipantKind {
  const char* name;
  Guard guard;
  bool refusals_open;
};

inline constexpr ParticipantKind kParticipants[] = {
    {"gate", Guard::kBarrier, false}, {"vault", Guard::kBarrier, false}, {"ledger", Guard::kKeyed, false},
    {"shelf", Guard::kPut, false},    {"mesh", Guard::kKeyed, true},
};
inline constexpr int kParticipantCount = 5;
int ParticipantIndex(absl::string_view name);

// Of every definition in the library.
inline constexpr int kDefinitions = 64;
std::string DefinitionText(int index);
std::string DefinitionName(int index);

// Compiles on first use; the same for every simulation of the process.
class Library final : public saga::RecipeSource, public saga::ParticipantTraitsSource {
 public:
  static const Library& Get();

  std::shared_ptr<const saga::Recipe> Find(absl::string_view definition, int64_t revision) const override;
  saga::ParticipantTraits TraitsOf(absl::string_view participant) const override;

  const saga::Recipe& RecipeOf(int index) const { return *definitions_[index].definition->recipe(); }
  // An input that fits every definition here, encoded.
  std::string InputOf(int index, const std::string& user) const;

 private:
  Library();
  std::vector<definition::Compiled> definitions_;
};

}  // namespace tutti::sim

#endif  // TUTTI_TESTS_SIM_LIBRARY_H_
