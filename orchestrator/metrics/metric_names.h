// Every metric of the orchestrator's own, in one place. Those that any server has are in common/metric_names.h.
#ifndef TUTTI_ORCHESTRATOR_METRICS_METRIC_NAMES_H_
#define TUTTI_ORCHESTRATOR_METRICS_METRIC_NAMES_H_

#include "common/metric_names.h"

namespace tutti::metrics {

// Sagas. All of these follow what is durable.
inline constexpr MetricName kSagasStarted{"tutti_sagas_started_total", kCounter, "definition", "Sagas started"};
inline constexpr MetricName kSagasFinished{"tutti_sagas_finished_total", kCounter, "definition, outcome",
                                           "Sagas that reached a terminal state"};
inline constexpr MetricName kSagasExpired{"tutti_sagas_expired_total", kCounter, "definition",
                                          "Ended sagas forgotten after id_retention"};
inline constexpr MetricName kSagasInFlight{"tutti_sagas_in_flight", kGauge, "definition, state",
                                           "Sagas that have not reached a terminal state"};
inline constexpr MetricName kSagasOldest{"tutti_sagas_oldest_in_flight_seconds", kGauge, "definition, state",
                                         "Age of the oldest saga in flight, from its start; 0 when there is none"};
inline constexpr MetricName kSagasParked{"tutti_sagas_parked", kGauge, "definition",
                                         "Sagas with at least one parked step"};
inline constexpr MetricName kSagaDuration{"tutti_saga_duration_seconds", kHistogram, "definition, outcome",
                                          "From start to terminal state"};
inline constexpr MetricName kCommitPointDuration{"tutti_saga_commit_point_seconds", kHistogram, "definition",
                                                 "From start to the commit point"};
inline constexpr MetricName kSagasAborted{"tutti_sagas_aborted_total", kCounter, "definition, cause",
                                          "Sagas that turned round, by what made them"};
inline constexpr MetricName kEffectAfterTerminal{"tutti_effect_after_terminal_total", kCounter, "definition",
                                                 "Unmarked successes of actions after their saga was compensated"};

// Steps and their attempts.
inline constexpr MetricName kAttempts{"tutti_step_attempts_total", kCounter,
                                      "definition, step, operation, code, outcome",
                                      "Attempts answered, timed out or not sent"};
inline constexpr MetricName kAttemptDuration{"tutti_step_attempt_duration_seconds", kHistogram,
                                             "definition, step, operation, outcome",
                                             "From hand-over to the answer that counts, or to the attempt timeout"};
inline constexpr MetricName kStepDuration{"tutti_step_duration_seconds", kHistogram, "definition, step, state",
                                          "From a step's first intent to its rest"};
inline constexpr MetricName kCompensations{"tutti_step_compensations_total", kCounter, "definition, step",
                                           "Compensations that were done"};
inline constexpr MetricName kRetries{"tutti_step_retries_total", kCounter, "definition, step, operation",
                                     "Attempts after the first"};
inline constexpr MetricName kTimeouts{"tutti_step_timeouts_total", kCounter, "definition, step, operation, kind",
                                      "Attempt timeouts and step deadlines that passed"};
inline constexpr MetricName kLateResults{"tutti_late_results_total", kCounter, "definition, step, action",
                                         "Replies that came after they were awaited, by what was done with them"};
inline constexpr MetricName kStepsParked{"tutti_steps_parked", kGauge, "definition, step, operation, cause",
                                         "Steps that wait for an operator"};
inline constexpr MetricName kParkings{"tutti_steps_parkings_total", kCounter, "definition, step, cause",
                                      "Times that a step was parked"};
inline constexpr MetricName kStepsOldestParked{"tutti_steps_oldest_parked_seconds", kGauge, "definition",
                                               "How long the step that was parked first waits; 0 when none does"};
inline constexpr MetricName kOperatorWords{"tutti_operator_words_total", kCounter, "word, result",
                                           "Cancel, retry and resolve requests that a saga answered"};

// The engine: from the mailbox to the disk.
inline constexpr MetricName kMailboxMessages{"tutti_shard_mailbox_messages", kGauge, "shard", "Messages that wait"};
inline constexpr MetricName kMailboxOldest{"tutti_shard_mailbox_oldest_seconds", kGauge, "shard",
                                           "How long the oldest of the messages has waited; 0 when none does"};
inline constexpr MetricName kMailboxWait{"tutti_shard_mailbox_wait_seconds", kHistogram, "",
                                         "How long messages lay in the mailbox before their batch began"};
inline constexpr MetricName kMailboxRefused{"tutti_shard_mailbox_refused_total", kCounter, "shard",
                                            "Requests refused because the mailbox was full"};
inline constexpr MetricName kShardBatchEvents{"tutti_shard_batch_events", kHistogram, "",
                                              "Events stepped for one write set"};
inline constexpr MetricName kCommitDuration{"tutti_commit_duration_seconds", kHistogram, "",
                                            "One synced write of the store"};
inline constexpr MetricName kCommitSagas{"tutti_commit_sagas", kHistogram, "", "Sagas in one synced write"};
inline constexpr MetricName kTimersPending{"tutti_timers_pending", kGauge, "", "Timers that have not fired"};
inline constexpr MetricName kTimerLag{"tutti_timer_lag_seconds", kHistogram, "", "How late timers fire"};

// The store.
inline constexpr MetricName kStoreSync{"tutti_store_sync_duration_seconds", kSummary, "",
                                       "Syncs of the write-ahead log"};
inline constexpr MetricName kStoreStall{"tutti_store_stall_seconds_total", kCounter, "",
                                        "Time that writes were held back for flushes and compactions"};
inline constexpr MetricName kStoreSize{"tutti_store_size_bytes", kGauge, "kind", "Bytes that the store occupies"};
inline constexpr MetricName kStorePending{"tutti_store_pending_compaction_bytes", kGauge, "",
                                          "Bytes that compaction has yet to rewrite, estimated"};
inline constexpr MetricName kRecordsUnreadable{"tutti_records_unreadable", kGauge, "",
                                               "Sagas whose record was met and could not be read"};
inline constexpr MetricName kVolumeSize{"tutti_store_volume_size_bytes", kGauge, "",
                                        "Size of the file system that holds the data folder"};
inline constexpr MetricName kVolumeFree{"tutti_store_volume_free_bytes", kGauge, "",
                                        "What is left of it for this process"};

inline constexpr MetricName kStoreReserve{"tutti_store_reserve_bytes", kGauge, "",
                                          "Room kept on the volume for when it is full; 0 while it is given up"};
inline constexpr MetricName kSweepOverdue{
    "tutti_sweep_oldest_overdue_seconds", kGauge, "",
    "How long the retention of some saga has been over that was there at the last look; 0 when there was none"};
inline constexpr MetricName kSweepFinished{
    "tutti_sweep_last_finished_seconds", kGauge, "",
    "When the sweep last came to its end, or this process began, in seconds since the epoch"};

// Memory.
inline constexpr MetricName kMemoryLimit{"tutti_memory_limit_bytes", kGauge, "",
                                         "What this process may take; from 90 % of it on no new sagas are taken"};
inline constexpr MetricName kOpenSagaBytes{"tutti_open_saga_bytes", kGauge, "",
                                           "Bytes of the records of the sagas that are kept in memory"};

// Backups; only with --backup-dir.
inline constexpr MetricName kBackupLastSuccess{
    "tutti_backup_last_success_timestamp_seconds", kGauge, "",
    "When the newest good backup of this store was asked for; 0: there is none"};
inline constexpr MetricName kBackupRuns{"tutti_backup_runs_total", kCounter, "result",
                                        "Backups that were made or failed"};

// Beginning and end.
inline constexpr MetricName kRecoveryDuration{"tutti_recovery_duration_seconds", kGauge, "",
                                              "How long the recovery at this process's start took; 0 until it is over"};
inline constexpr MetricName kRecoverySagas{"tutti_recovery_sagas", kGauge, "", "Sagas read back by that recovery"};
inline constexpr MetricName kStoreHeld{"tutti_store_held", kGauge, "",
                                       "1 while the store, restored from a backup, is held and takes no new sagas"};
inline constexpr MetricName kReady{"tutti_ready", kGauge, "", "1 while requests are served, 0 before and after"};

// Participants, as the orchestrator sees them.
inline constexpr MetricName kParticipantReady{"tutti_participant_ready", kGauge, "participant",
                                              "1 while there is a connection that calls can go out on"};
inline constexpr MetricName kParticipantConfigured{
    "tutti_participant_configured", kGauge, "participant",
    "1 for what participants.yaml has, 0 for what is called all the same"};
inline constexpr MetricName kParticipantInFlight{"tutti_participant_calls_in_flight", kGauge, "participant",
                                                 "Calls handed over and not over, lingering ones included"};
inline constexpr MetricName kParticipantQueued{"tutti_participant_calls_queued", kGauge, "participant",
                                               "Commands that wait for a connection or a free slot"};
inline constexpr MetricName kParticipantNotSent{"tutti_participant_not_sent_total", kCounter, "participant",
                                                "Commands that ended without having been handed over"};

}  // namespace tutti::metrics

#endif  // TUTTI_ORCHESTRATOR_METRICS_METRIC_NAMES_H_
