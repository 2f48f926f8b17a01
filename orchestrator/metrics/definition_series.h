// The series of one definition. Each is looked up by its labels once; after that an event costs an addition.
#ifndef TUTTI_ORCHESTRATOR_METRICS_DEFINITION_SERIES_H_
#define TUTTI_ORCHESTRATOR_METRICS_DEFINITION_SERIES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/process_metrics.h"
#include "orchestrator/metrics/age_set.h"
#include "orchestrator/saga/recipe.h"
#include "tutti/v1/saga.pb.h"

namespace tutti::metrics {

// From a call on loopback to a saga that waits for an operator.
extern const prometheus::Histogram::BucketBoundaries kLatencySeconds;

struct SagaFamilies {
  explicit SagaFamilies(prometheus::Registry* registry);

  prometheus::Family<prometheus::Counter>& started;
  prometheus::Family<prometheus::Counter>& finished;
  prometheus::Family<prometheus::Counter>& expired;
  prometheus::Family<prometheus::Histogram>& saga_duration;
  prometheus::Family<prometheus::Histogram>& commit_point;
  prometheus::Family<prometheus::Counter>& aborted;
  prometheus::Family<prometheus::Counter>& effect_after_terminal;
  prometheus::Family<prometheus::Counter>& attempts;
  prometheus::Family<prometheus::Histogram>& attempt_duration;
  prometheus::Family<prometheus::Histogram>& step_duration;
  prometheus::Family<prometheus::Counter>& compensations;
  prometheus::Family<prometheus::Counter>& retries;
  prometheus::Family<prometheus::Counter>& timeouts;
  prometheus::Family<prometheus::Counter>& late_results;
  prometheus::Family<prometheus::Counter>& parkings;
};

// Not thread-safe. `families` must outlive it.
class StepSeries {
 public:
  StepSeries(const SagaFamilies& families, const std::string& definition, const std::string& step);

  // What a recipe's step can count.
  void MakeAll(bool has_compensation, bool has_deadline);

  void CountAttempt(const v1::HistoryEvent& event);
  void CountRetry(v1::Operation operation) { Retries(operation).Increment(); }
  void CountAttemptTimeout(v1::Operation operation) { AttemptTimeouts(operation).Increment(); }
  void CountDeadline() { Deadlines().Increment(); }
  void CountLateResult(v1::LateAction action) { LateResults(action).Increment(); }
  void CountCompensation() { Compensations().Increment(); }
  void ObserveRest(v1::EventType type, int64_t duration_ms);

  void CountParking(v1::ParkingCause cause);
  void Park(v1::Operation operation, v1::ParkingCause cause);
  void Unpark(v1::Operation operation, v1::ParkingCause cause);
  void Describe(Scrape* scrape) const;

 private:
  static constexpr size_t kOperations = v1::Operation_ARRAYSIZE;
  template <typename Metric>
  using ByOperation = std::array<Metric*, kOperations>;

  struct Attempts {
    v1::Operation operation;
    v1::Outcome outcome;
    std::string code;
    prometheus::Counter* counter;
  };
  struct Parked {
    v1::Operation operation;
    v1::ParkingCause cause;
    int64_t steps = 0;  // stays when it falls to 0, so that the series does
  };

  prometheus::Counter& AttemptsOf(v1::Operation operation, v1::Outcome outcome, const std::string& code);
  prometheus::Histogram& AttemptDuration(v1::Operation operation, v1::Outcome outcome);
  prometheus::Histogram& RestDuration(v1::EventType type);
  prometheus::Counter& Retries(v1::Operation operation);
  prometheus::Counter& AttemptTimeouts(v1::Operation operation);
  prometheus::Counter& Deadlines();
  prometheus::Counter& LateResults(v1::LateAction action);
  prometheus::Counter& Parkings(v1::ParkingCause cause);
  prometheus::Counter& Compensations();
  Parked& ParkedBy(v1::Operation operation, v1::ParkingCause cause);
  prometheus::Labels With(prometheus::Labels more) const;

  const SagaFamilies& families_;
  const prometheus::Labels labels_;
  // Null until it is asked for.
  std::vector<Attempts> attempts_;
  std::array<ByOperation<prometheus::Histogram>, v1::Outcome_ARRAYSIZE> attempt_duration_{};
  std::array<prometheus::Histogram*, v1::EventType_ARRAYSIZE> rest_duration_{};
  ByOperation<prometheus::Counter> retries_{};
  ByOperation<prometheus::Counter> attempt_timeouts_{};
  prometheus::Counter* deadlines_ = nullptr;
  prometheus::Counter* compensations_ = nullptr;
  std::array<prometheus::Counter*, v1::LateAction_ARRAYSIZE> late_results_{};
  std::array<prometheus::Counter*, v1::ParkingCause_ARRAYSIZE> parkings_{};
  std::vector<Parked> parked_;
};

// Not thread-safe. `families` must outlive it.
class DefinitionSeries {
 public:
  DefinitionSeries(const SagaFamilies& families, std::string definition);

  // Makes what the recipe's steps can count; once for each revision.
  void MakeSteps(const saga::Recipe& recipe);
  StepSeries& Step(const std::string& step);

  void Started(int64_t started_ms);
  void Aborted(int64_t started_ms, v1::AbortCause cause);
  void Committed(int64_t duration_ms);
  void Finished(int64_t started_ms, bool succeeded, int64_t duration_ms);
  void Expired() { expired_.Increment(); }
  void EffectAfterTerminal() { effect_after_terminal_.Increment(); }
  // A saga that was in flight before this process began.
  void TakeUp(int64_t started_ms, v1::SagaState state);

  AgeSet& parked_steps() { return parked_steps_; }
  void AddParkedSaga() { ++parked_sagas_; }
  void RemoveParkedSaga() { --parked_sagas_; }

  void Describe(int64_t now_ms, Scrape* scrape) const;

 private:
  const SagaFamilies& families_;
  const std::string definition_;
  int64_t revision_ = 0;  // the newest whose steps were made
  prometheus::Counter& started_;
  prometheus::Counter& succeeded_;
  prometheus::Counter& compensated_;
  prometheus::Counter& expired_;
  prometheus::Histogram& success_duration_;
  prometheus::Histogram& compensation_duration_;
  prometheus::Histogram& commit_point_;
  prometheus::Counter& effect_after_terminal_;
  std::array<prometheus::Counter*, v1::AbortCause_ARRAYSIZE> aborted_{};
  absl::flat_hash_map<std::string, std::unique_ptr<StepSeries>> steps_;
  AgeSet running_;       // by start
  AgeSet compensating_;  // by start
  AgeSet parked_steps_;  // by the beginning of their parking
  int64_t parked_sagas_ = 0;
};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_DEFINITION_SERIES_H_
