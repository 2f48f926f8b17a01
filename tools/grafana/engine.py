"""Is the orchestrator itself well? The dashboard to open when everything is slow."""

from grafana.vocabulary import PLACE, PROCESS, SAGAS, areas, dashboard, lines, mean, quantiles, query, rate, stat

FREE = f"tutti_store_volume_free_bytes{{{PLACE}}}"
SIZE = f"tutti_store_volume_size_bytes{{{PLACE}}}"


def of_ours(expr):
    """process_… metrics are everybody's: only those of processes that say they are Tutti's."""
    return f"{expr} * on ({PROCESS}) group_left () max by ({PROCESS}) (tutti_build_info{{{PLACE}}})"


NOW = ("Now", [
    stat("Serving", "1 while the orchestrator has recovered and serves.", "short", f"min(tutti_ready{{{PLACE}}})",
         (("red", None), ("green", 1))),
    stat("Volume free", "Free part of the volume that holds the store.", "percentunit", f"min({FREE} / {SIZE})",
         (("red", None), ("orange", 0.1), ("green", 0.2)), max=1),
    stat("Commit, p99", "99th percentile of one synced write.", "s",
         quantiles("tutti_commit_duration_seconds", PLACE, "", (0.99,))[0]["expr"],
         (("green", None), ("orange", 0.025), ("red", 0.1))),
    stat("Timer lag, p99", "99th percentile of how late timers fire.", "s",
         quantiles("tutti_timer_lag_seconds", PLACE, "", (0.99,))[0]["expr"],
         (("green", None), ("orange", 0.25), ("red", 1))),
    stat("Last recovery", "How long the last start took to read back what was in flight.", "s",
         f"max(tutti_recovery_duration_seconds{{{PLACE}}})"),
    stat("Sagas read back", "By the last recovery.", "short", f"sum(tutti_recovery_sagas{{{PLACE}}})"),
])

LOAD = ("Load", [
    areas("Sagas started", "Sagas accepted a second, by definition.", "ops",
          query(rate("tutti_sagas_started_total", SAGAS, "definition"), "{{definition}}"), width=6),
    areas("API requests", "Requests a second, by method and status code.", "reqps",
          query(rate("tutti_grpc_requests_total", PLACE, "method, code"), "{{method}} {{code}}"), width=6),
    lines("API latency, p99", "99th percentile by method. RunSaga waits for its saga.", "s",
          *quantiles("tutti_grpc_request_duration_seconds", PLACE, "method", (0.99,)), width=6),
    lines("API requests in flight", "Watchers and RunSaga callers stay in flight while they wait.", "short",
          query(f"sum by (method) (tutti_grpc_requests_in_flight{{{PLACE}}})", "{{method}}"), width=6),
])

COMMIT = ("Commit and sync", [
    lines("Commit", "One synced write of the store, all shards together.", "s",
          *quantiles("tutti_commit_duration_seconds", PLACE), width=6),
    lines("Sync of the log", "Mean time of one sync of the write-ahead log.", "s",
          query(mean("tutti_store_sync_duration_seconds", PLACE, "instance"), "{{instance}}"), width=6),
    lines("Commits", "Synced writes a second.", "ops",
          query(rate("tutti_commit_duration_seconds_count", PLACE, "instance"), "{{instance}}"), width=6),
    lines("Batch size", "Mean number of events stepped for one write set, and of sagas in one synced write.", "short",
          query(mean("tutti_shard_batch_events", PLACE), "events in a write set"),
          query(mean("tutti_commit_sagas", PLACE), "sagas in a commit"), width=6),
])

MAILBOX = ("Mailboxes and timers", [
    lines("Mailbox depth", "Messages that wait for their shard.", "short",
          query(f"sum by (shard) (tutti_shard_mailbox_messages{{{PLACE}}})", "shard {{shard}}"), width=6),
    lines("Oldest message", "How long the message at the head of the queue has been waiting.", "s",
          query(f"max by (shard) (tutti_shard_mailbox_oldest_seconds{{{PLACE}}})", "shard {{shard}}"), width=6),
    lines("Wait in the mailbox", "From posting to stepping.", "s",
          *quantiles("tutti_shard_mailbox_wait_seconds", PLACE), width=6),
    lines("Requests refused", "Client requests a second that found a full mailbox.", "ops",
          query(rate("tutti_shard_mailbox_refused_total", PLACE, "shard"), "shard {{shard}}"), width=6),
    lines("Timer lag", "How late timers fire. Late timers with an idle processor mean a starved process.", "s",
          *quantiles("tutti_timer_lag_seconds", PLACE), width=12),
    lines("Timers pending", "Timeouts, backoffs and deadlines that are set.", "short",
          query(f"sum by (instance) (tutti_timers_pending{{{PLACE}}})", "{{instance}}"), width=12),
])

STORE = ("Store", [
    areas("Size", "The store's files and tables in memory, by kind.", "bytes",
          query(f"sum by (kind) (tutti_store_size_bytes{{{PLACE}}})", "{{kind}}"), width=6),
    lines("Volume free", "Free part of the volume that holds the store.", "percentunit",
          query(f"{FREE} / {SIZE}", "{{instance}}"), max=1, width=6),
    lines("Stalls", "Seconds a second in which the store held writers back.", "percentunit",
          query(rate("tutti_store_stall_seconds_total", PLACE, "instance"), "{{instance}}"), width=6),
    lines("Pending compaction", "What the store still has to rewrite.", "bytes",
          query(f"sum by (instance) (tutti_store_pending_compaction_bytes{{{PLACE}}})", "{{instance}}"), width=6),
    lines("Reserve", "Room kept on the volume for when it is full; 0 while it is given up.", "bytes",
          query(f"max by (instance) (tutti_store_reserve_bytes{{{PLACE}}})", "{{instance}}"), width=6),
    lines("Overdue", "How long the retention of a saga has been over that the last sweep met.", "s",
          query(f"max by (instance) (tutti_sweep_oldest_overdue_seconds{{{PLACE}}})", "{{instance}}"), width=6),
    lines("Since the last sweep", "Time since the sweep came to its end.", "s",
          query(f"max by (instance) (time() - tutti_sweep_last_finished_seconds{{{PLACE}}})", "{{instance}}"), width=6),
    lines("Since the last backup", "Since the newest good backup was asked for. Some fifty years: there is none.", "s",
          query(f"time() - tutti_backup_last_success_timestamp_seconds{{{PLACE}}}", "{{instance}}"), width=6),
    lines("Backups", "Made, and failed.", "short",
          query(f"sum by (instance, result) (increase(tutti_backup_runs_total{{{PLACE}}}[$__rate_interval]))",
                "{{instance}} {{result}}"), width=6),
    lines("Held", "1 while a store that was restored from a backup takes no new sagas.", "short",
          query(f"max by (instance) (tutti_store_held{{{PLACE}}})", "{{instance}}"), max=1, width=6),
])

RECOVERY = ("Recovery", [
    lines("Serving", "0 while it recovers or drains; and for connections, while a process takes no new ones.", "short",
          query(f"min by (instance) (tutti_ready{{{PLACE}}})", "{{instance}}"),
          query(f"min by (job, instance) (tutti_api_listening{{{PLACE}}})", "{{job}} {{instance}} connections"),
          max=1, width=6),
    lines("Recovery", "Length of the last recovery; a step marks a restart.", "s",
          query(f"max by (instance) (tutti_recovery_duration_seconds{{{PLACE}}})", "{{instance}}"), width=6),
    lines("Unreadable records", "Sagas that stand still because their record cannot be read.", "short",
          query(f"sum by (instance) (tutti_records_unreadable{{{PLACE}}})", "{{instance}}"), width=6),
    lines("Uptime", "Age of each process.", "s",
          query(of_ours(f"(time() - process_start_time_seconds{{{PLACE}}})"), "{{job}} {{instance}}"), width=6),
])

RESOURCES = ("Resources", [
    lines("Processor", "Cores in use, by process.", "short",
          query(of_ours(f"rate(process_cpu_seconds_total{{{PLACE}}}[$__rate_interval])"), "{{job}} {{instance}}"), width=6),
    lines("Memory", "Resident memory, by process; what the orchestrator may take, and the records of its open sagas.", "bytes",
          query(of_ours(f"process_resident_memory_bytes{{{PLACE}}}"), "{{job}} {{instance}}"),
          query(f"max by (instance) (tutti_memory_limit_bytes{{{PLACE}}})", "limit of {{instance}}"),
          query(f"max by (instance) (tutti_open_saga_bytes{{{PLACE}}})", "open sagas of {{instance}}"), width=6),
    lines("File descriptors", "Part of the limit in use, by process.", "percentunit",
          query(of_ours(f"process_open_fds{{{PLACE}}} / process_max_fds{{{PLACE}}}"), "{{job}} {{instance}}"), max=1, width=6),
    lines("Connections", "To the gRPC port, by process.", "short",
          query(f"tutti_api_connections{{{PLACE}}}", "{{job}} {{instance}}"), width=6),
    lines("Connections refused", "A second, by the bound that they met.", "ops",
          query(f"rate(tutti_api_connections_refused_total{{{PLACE}}}[$__rate_interval])", "{{job}} {{instance}} {{bound}}"),
          width=6),
    lines("Certificates", "How long those in use are still valid; and 1 where a renewed one cannot be used.", "s",
          query(f"tutti_tls_certificate_not_after_seconds{{{PLACE}}} - time()", "{{job}} {{side}} {{participant}} {{kind}}"),
          query(f"tutti_tls_certificate_rejected{{{PLACE}}}", "{{job}} {{side}} {{participant}} {{kind}} rejected"),
          width=6),
])


def build():
    return dashboard("tutti-engine", "Tutti / Engine", "Commits, shards, timers, store and the process itself.",
                     [NOW, LOAD, COMMIT, MAILBOX, STORE, RECOVERY, RESOURCES])
