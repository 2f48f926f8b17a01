// Every metric of the orchestrator, in one place. Base units, `_total` for counters, never a saga id in a label.
#ifndef TUTTI_ORCHESTRATOR_METRICS_METRIC_NAMES_H_
#define TUTTI_ORCHESTRATOR_METRICS_METRIC_NAMES_H_

namespace tutti::metrics {

struct MetricName {
  const char* name;
  const char* help;
};

// Labels: definition.
inline constexpr MetricName kSagasStarted{"tutti_sagas_started_total", "Sagas started"};
// Labels: definition, outcome (succeeded, compensated).
inline constexpr MetricName kSagasFinished{"tutti_sagas_finished_total", "Sagas that reached a terminal state"};
// Labels: definition.
inline constexpr MetricName kSagasExpired{"tutti_sagas_expired_total", "Ended sagas forgotten after id_retention"};
// Labels: definition, state (running, compensating).
inline constexpr MetricName kSagasInFlight{"tutti_sagas_in_flight", "Sagas that have not reached a terminal state"};
// Labels: definition.
inline constexpr MetricName kStepsParked{"tutti_steps_parked", "Steps that wait for an operator"};
// Labels: definition, outcome.
inline constexpr MetricName kSagaDuration{"tutti_saga_duration_seconds", "From start to terminal state"};
// Labels: definition.
inline constexpr MetricName kCommitPointDuration{"tutti_saga_commit_point_seconds", "From start to the commit point"};
// Labels: definition, cause.
inline constexpr MetricName kSagasAborted{"tutti_sagas_aborted_total", "Sagas that turned round, by what made them"};
// Labels: definition, step, operation, code, outcome.
inline constexpr MetricName kAttempts{"tutti_step_attempts_total", "Attempts answered, timed out or not sent"};
// Labels: definition, step, operation.
inline constexpr MetricName kAttemptDuration{"tutti_step_attempt_duration_seconds",
                                             "From hand-over to the awaited answer"};
// Labels: definition, step, state.
inline constexpr MetricName kStepDuration{"tutti_step_duration_seconds", "From a step's first intent to its rest"};
// Labels: definition, step.
inline constexpr MetricName kCompensations{"tutti_step_compensations_total", "Compensations that were done"};
// Labels: definition, step, action (duplicate, recorded, settled, alarm, accepted, nothing).
inline constexpr MetricName kLateResults{"tutti_late_results_total", "Replies that came after they were awaited"};
// Labels: definition.
inline constexpr MetricName kEffectAfterTerminal{"tutti_effect_after_terminal_total",
                                                 "Unmarked successes of actions after their saga was compensated"};
inline constexpr MetricName kCommitDuration{"tutti_commit_duration_seconds", "One synced write of the store"};
inline constexpr MetricName kCommitSagas{"tutti_commit_sagas", "Sagas in one synced write"};
inline constexpr MetricName kShardBatchEvents{"tutti_shard_batch_events", "Events stepped for one write set"};
inline constexpr MetricName kTimerLag{"tutti_timer_lag_seconds", "How late timers fire"};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_METRIC_NAMES_H_
