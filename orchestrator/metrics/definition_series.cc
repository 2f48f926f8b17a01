#include "orchestrator/metrics/definition_series.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "orchestrator/metrics/metric_names.h"
#include "orchestrator/saga/describe.h"

namespace tutti::metrics {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::Labels;

template <typename Enumerator>
std::string LabelOf(Enumerator enumerator) {
  return absl::AsciiStrToLower(saga::ShortName(enumerator));
}

double Seconds(int64_t ms) {
  return static_cast<double>(ms) / 1000.0;
}

// Looked up by its labels at most once.
Counter& Made(Counter*& slot, Family<Counter>& family, const Labels& labels) {
  if (slot == nullptr) slot = &family.Add(labels);
  return *slot;
}

// The answers of every day. What else participants answer gets its series with the first.
struct UsualAnswer {
  const char* code;
  v1::Outcome outcome;
};
constexpr UsualAnswer kUsualAnswers[] = {{"OK", v1::OUTCOME_SUCCEEDED},
                                         {"FAILED_PRECONDITION", v1::OUTCOME_REJECTED},
                                         {"UNAVAILABLE", v1::OUTCOME_UNKNOWN},
                                         {"DEADLINE_EXCEEDED", v1::OUTCOME_UNKNOWN}};

}  // namespace

const Histogram::BucketBoundaries kLatencySeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                     0.5,   1,      2.5,   5,    10,    30,   60,  300};

SagaFamilies::SagaFamilies(prometheus::Registry* registry)
    : started(CounterFamily(kSagasStarted, registry)),
      finished(CounterFamily(kSagasFinished, registry)),
      expired(CounterFamily(kSagasExpired, registry)),
      saga_duration(HistogramFamily(kSagaDuration, registry)),
      commit_point(HistogramFamily(kCommitPointDuration, registry)),
      aborted(CounterFamily(kSagasAborted, registry)),
      effect_after_terminal(CounterFamily(kEffectAfterTerminal, registry)),
      attempts(CounterFamily(kAttempts, registry)),
      attempt_duration(HistogramFamily(kAttemptDuration, registry)),
      step_duration(HistogramFamily(kStepDuration, registry)),
      compensations(CounterFamily(kCompensations, registry)),
      retries(CounterFamily(kRetries, registry)),
      timeouts(CounterFamily(kTimeouts, registry)),
      late_results(CounterFamily(kLateResults, registry)),
      parkings(CounterFamily(kParkings, registry)) {}

StepSeries::StepSeries(const SagaFamilies& families, const std::string& definition, const std::string& step)
    : families_(families), labels_({{"definition", definition}, {"step", step}}) {}

void StepSeries::MakeAll(bool has_compensation, bool has_deadline) {
  std::vector<v1::Operation> operations = {v1::OPERATION_ACTION};
  if (has_compensation) operations.push_back(v1::OPERATION_COMPENSATION);
  for (const v1::Operation operation : operations) {
    for (const UsualAnswer& answer : kUsualAnswers) AttemptsOf(operation, answer.outcome, answer.code);
    AttemptDuration(operation, v1::OUTCOME_SUCCEEDED);
    Retries(operation);
    AttemptTimeouts(operation);
  }
  if (has_compensation) Compensations();
  if (has_deadline) Deadlines();
  RestDuration(v1::EVENT_TYPE_STEP_SUCCEEDED);
  for (int action = 1; action < v1::LateAction_ARRAYSIZE; ++action) LateResults(static_cast<v1::LateAction>(action));
  for (int cause = 1; cause < v1::ParkingCause_ARRAYSIZE; ++cause) Parkings(static_cast<v1::ParkingCause>(cause));
}

void StepSeries::CountAttempt(const v1::HistoryEvent& event) {
  AttemptsOf(event.operation(), event.outcome(), event.code()).Increment();
  // What was not sent took no time of the participant's.
  if (event.type() == v1::EVENT_TYPE_ATTEMPT_NOT_SENT) return;
  AttemptDuration(event.operation(), event.outcome()).Observe(Seconds(event.duration_ms()));
}

void StepSeries::ObserveRest(v1::EventType type, int64_t duration_ms) {
  RestDuration(type).Observe(Seconds(duration_ms));
}

void StepSeries::Park(v1::Operation operation, v1::ParkingCause cause) {
  ++ParkedBy(operation, cause).steps;
}

void StepSeries::Unpark(v1::Operation operation, v1::ParkingCause cause) {
  --ParkedBy(operation, cause).steps;
}

void StepSeries::CountParking(v1::ParkingCause cause) {
  Parkings(cause).Increment();
}

void StepSeries::Describe(Scrape* scrape) const {
  for (const Parked& parked : parked_) {
    scrape->Set(kStepsParked, With({{"operation", LabelOf(parked.operation)}, {"cause", LabelOf(parked.cause)}}),
                static_cast<double>(parked.steps));
  }
}

Counter& StepSeries::AttemptsOf(v1::Operation operation, v1::Outcome outcome, const std::string& code) {
  for (const Attempts& known : attempts_) {
    if (known.operation == operation && known.outcome == outcome && known.code == code) return *known.counter;
  }
  const Labels labels = With({{"operation", LabelOf(operation)}, {"code", code}, {"outcome", LabelOf(outcome)}});
  attempts_.push_back({operation, outcome, code, &families_.attempts.Add(labels)});
  return *attempts_.back().counter;
}

Histogram& StepSeries::AttemptDuration(v1::Operation operation, v1::Outcome outcome) {
  Histogram*& slot = attempt_duration_[outcome][operation];
  if (slot == nullptr) {
    const Labels labels = With({{"operation", LabelOf(operation)}, {"outcome", LabelOf(outcome)}});
    slot = &families_.attempt_duration.Add(labels, kLatencySeconds);
  }
  return *slot;
}

Histogram& StepSeries::RestDuration(v1::EventType type) {
  Histogram*& slot = rest_duration_[type];
  if (slot == nullptr) {
    std::string state = LabelOf(type).substr(sizeof("step_") - 1);
    slot = &families_.step_duration.Add(With({{"state", std::move(state)}}), kLatencySeconds);
  }
  return *slot;
}

Counter& StepSeries::Retries(v1::Operation operation) {
  return Made(retries_[operation], families_.retries, With({{"operation", LabelOf(operation)}}));
}

Counter& StepSeries::AttemptTimeouts(v1::Operation operation) {
  return Made(attempt_timeouts_[operation], families_.timeouts,
              With({{"operation", LabelOf(operation)}, {"kind", "attempt"}}));
}

Counter& StepSeries::Deadlines() {
  return Made(deadlines_, families_.timeouts,
              With({{"operation", LabelOf(v1::OPERATION_ACTION)}, {"kind", "step_deadline"}}));
}

Counter& StepSeries::LateResults(v1::LateAction action) {
  return Made(late_results_[action], families_.late_results, With({{"action", LabelOf(action)}}));
}

Counter& StepSeries::Parkings(v1::ParkingCause cause) {
  return Made(parkings_[cause], families_.parkings, With({{"cause", LabelOf(cause)}}));
}

Counter& StepSeries::Compensations() {
  return Made(compensations_, families_.compensations, labels_);
}

StepSeries::Parked& StepSeries::ParkedBy(v1::Operation operation, v1::ParkingCause cause) {
  for (Parked& known : parked_) {
    if (known.operation == operation && known.cause == cause) return known;
  }
  return parked_.emplace_back(Parked{operation, cause});
}

Labels StepSeries::With(Labels more) const {
  more.insert(labels_.begin(), labels_.end());
  return more;
}

DefinitionSeries::DefinitionSeries(const SagaFamilies& families, std::string definition)
    : families_(families),
      definition_(std::move(definition)),
      started_(families.started.Add({{"definition", definition_}})),
      succeeded_(families.finished.Add({{"definition", definition_}, {"outcome", "succeeded"}})),
      compensated_(families.finished.Add({{"definition", definition_}, {"outcome", "compensated"}})),
      expired_(families.expired.Add({{"definition", definition_}})),
      success_duration_(
          families.saga_duration.Add({{"definition", definition_}, {"outcome", "succeeded"}}, kLatencySeconds)),
      compensation_duration_(
          families.saga_duration.Add({{"definition", definition_}, {"outcome", "compensated"}}, kLatencySeconds)),
      commit_point_(families.commit_point.Add({{"definition", definition_}}, kLatencySeconds)),
      effect_after_terminal_(families.effect_after_terminal.Add({{"definition", definition_}})) {
  for (int cause = 1; cause < v1::AbortCause_ARRAYSIZE; ++cause) {
    aborted_[static_cast<size_t>(cause)] =
        &families.aborted.Add({{"definition", definition_}, {"cause", LabelOf(static_cast<v1::AbortCause>(cause))}});
  }
}

void DefinitionSeries::MakeSteps(const saga::Recipe& recipe) {
  if (recipe.revision <= revision_) return;
  revision_ = recipe.revision;
  for (const saga::StepRecipe& step : recipe.steps) {
    Step(step.name).MakeAll(step.compensation.has_value(), step.deadline_ms > 0);
  }
}

StepSeries& DefinitionSeries::Step(const std::string& step) {
  std::unique_ptr<StepSeries>& series = steps_[step];
  if (series == nullptr) series = std::make_unique<StepSeries>(families_, definition_, step);
  return *series;
}

void DefinitionSeries::Started(int64_t started_ms) {
  started_.Increment();
  running_.Add(started_ms);
}

void DefinitionSeries::Aborted(int64_t started_ms, v1::AbortCause cause) {
  running_.Remove(started_ms);
  compensating_.Add(started_ms);
  if (Counter* counter = aborted_[cause]) counter->Increment();
}

void DefinitionSeries::Committed(int64_t duration_ms) {
  commit_point_.Observe(Seconds(duration_ms));
}

void DefinitionSeries::Finished(int64_t started_ms, bool succeeded, int64_t duration_ms) {
  (succeeded ? running_ : compensating_).Remove(started_ms);
  (succeeded ? succeeded_ : compensated_).Increment();
  (succeeded ? success_duration_ : compensation_duration_).Observe(Seconds(duration_ms));
}

void DefinitionSeries::TakeUp(int64_t started_ms, v1::SagaState state) {
  (state == v1::SAGA_STATE_COMPENSATING ? compensating_ : running_).Add(started_ms);
}

void DefinitionSeries::Describe(int64_t now_ms, Scrape* scrape) const {
  for (const auto& [state, sagas] : {std::pair{"running", &running_}, std::pair{"compensating", &compensating_}}) {
    const Labels labels = {{"definition", definition_}, {"state", state}};
    scrape->Set(kSagasInFlight, labels, static_cast<double>(sagas->size()));
    scrape->Set(kSagasOldest, labels, sagas->OldestSeconds(now_ms));
  }
  const Labels labels = {{"definition", definition_}};
  scrape->Set(kSagasParked, labels, static_cast<double>(parked_sagas_));
  scrape->Set(kStepsOldestParked, labels, parked_steps_.OldestSeconds(now_ms));
  for (const auto& [name, step] : steps_) step->Describe(scrape);
}

}  // namespace tutti::metrics
