// Named ways of breaking the code on purpose, so that a checker can show it would notice. In a normal build
// TUTTI_MUTATE is its intact side and nothing else; only a build with TUTTI_MUTATIONS can choose the broken one.
#ifndef TUTTI_COMMON_MUTATION_H_
#define TUTTI_COMMON_MUTATION_H_

#ifdef TUTTI_MUTATIONS

namespace tutti {

enum class Mutation {
  kNone,
  kAbortWithPivotOpen,
  kActionAfterAbort,
  kCancelAfterTheEnd,
  kCommitTooEarly,
  kCompensateOutOfOrder,
  kCompensateUnsettled,
  kDropGuard,
  kForgetOpenAtCrash,
  kForgottenUndo,
  kHeldTimesOut,
  kIgnoreBarrierMark,
  kOpenRefusalIsProof,
  kOrderStopsAtNone,
  kPivotRefusedByNewest,
  kQueuedSurvivesAbort,
  kRecoveryForgetsToRetry,
  kRefusalSpeaksForAll,
  kRestoredGoesOn,
  kRetriableTooEarly,
  kSecondCompensationKey,
  kSilenceIsProof,
  kSkipTombstone,
  kUnmarkedRefusalIsProof,
};

// Set between runs by the one thread that checks.
inline Mutation active_mutation = Mutation::kNone;

}  // namespace tutti

#define TUTTI_MUTATE(name, intact, broken) (::tutti::active_mutation == ::tutti::Mutation::name ? (broken) : (intact))

#else

#define TUTTI_MUTATE(name, intact, broken) (intact)

#endif  // TUTTI_MUTATIONS

#endif  // TUTTI_COMMON_MUTATION_H_
