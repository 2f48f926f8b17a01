"""Which step, which participant? The dashboard to open when sagas are slow or turn round."""

from grafana.vocabulary import PLACE, STEP, STEPS, areas, dashboard, heatmap, lines, mean, quantiles, query, rate

ATTEMPT_SECONDS = "tutti_step_attempt_duration_seconds"


def latency_of(outcome, meaning):
    return heatmap(f"Attempts {outcome}", f"Time from hand-over to the answer, or to the timeout, of the chosen steps' attempts that "
                   f"{meaning}.",
                   ATTEMPT_SECONDS, f'{STEPS}, outcome="{outcome}"')


LATENCY = ("Latency of attempts", [
    latency_of("succeeded", "succeeded"),
    latency_of("rejected", "were refused"),
    latency_of("unknown", "left open what happened: timeouts, errors of transport, overload"),
    lines("p99 by step and outcome", "99th percentile of an attempt.", "s",
          *quantiles(ATTEMPT_SECONDS, STEPS, "step, operation, outcome", (0.99,)), width=12),
    lines("Steps, p99", "99th percentile from a step's first intent to its rest, retries and waits included, by the state "
          "reached.", "s", *quantiles("tutti_step_duration_seconds", STEPS, "step, state", (0.99,)), width=12),
])

ATTEMPTS = ("Attempts", [
    areas("Attempts by code", "Answers a second by gRPC status code, timeouts included.", "ops",
          query(rate("tutti_step_attempts_total", STEPS, "code"), "{{code}}")),
    areas("Attempts by step and outcome", "Attempts a second by what they told us.", "ops",
          query(rate("tutti_step_attempts_total", STEPS, "step, operation, outcome"),
                "{{step}} {{operation}} {{outcome}}")),
    lines("Retries", "Attempts a second after the first of their command.", "ops",
          query(rate("tutti_step_retries_total", STEPS, "step, operation"), "{{step}} {{operation}}")),
    lines("Timeouts", "Attempts whose time was up without an answer, and steps whose deadline passed, a second.", "ops",
          query(rate("tutti_step_timeouts_total", STEPS, "step, operation, kind"), "{{step}} {{operation}} {{kind}}")),
    lines("Late results", "Replies a second that nobody awaited any more, by what was done with them. `alarm` parks its "
          "step.", "ops", query(rate("tutti_late_results_total", STEPS, "step, action"), "{{step}} {{action}}")),
    lines("Compensations", "Steps undone a second.", "ops",
          query(rate("tutti_step_compensations_total", STEPS, "step"), "{{step}}")),
    lines("Effects after the end", "Unmarked successes that arrived when their saga was already compensated. Any is a "
          "broken contract: check the participant's books.", "short",
          query(f"""sum by (definition) (increase(tutti_effect_after_terminal_total{{{PLACE},
                    definition=~"$definition"}}[$__range]))""", "{{definition}}")),
])

CALLS = ("Participants, as the orchestrator sees them", [
    lines("Ready", "1 while the channel to the participant is connected, commands wait at 0; and whether it is in participants.yaml at all.", "short",
          query(f"min by (participant) (tutti_participant_ready{{{PLACE}}})", "{{participant}}"),
          query(f"min by (participant) (tutti_participant_configured{{{PLACE}}})", "{{participant}} configured"),
          max=1, width=6),
    lines("Calls in flight", "Commands handed over and not answered, lingering ones included.", "short",
          query(f"sum by (participant) (tutti_participant_calls_in_flight{{{PLACE}}})", "{{participant}}"), width=6),
    lines("Calls queued", "Commands that wait for their participant's limit of concurrent calls, or for its channel.",
          "short", query(f"sum by (participant) (tutti_participant_calls_queued{{{PLACE}}})", "{{participant}}"),
          width=6),
    lines("Not sent", "Commands a second that were given up before hand-over: nothing of them reached the participant.",
          "ops", query(rate("tutti_participant_not_sent_total", PLACE, "participant"), "{{participant}}"), width=6),
])

OWN = ("Participants built with the SDK, as they see themselves", [
    areas("Commands by code", "Commands handled a second, by method and status code.", "ops",
          query(rate("tutti_participant_commands_total", PLACE, "method, code"), "{{method}} {{code}}"), width=6),
    areas("Commands by mark", "What the barrier said: applied, refused, undone, empty, or none.", "ops",
          query(rate("tutti_participant_commands_total", PLACE, "operation, mark"), "{{operation}} {{mark}}"), width=6),
    lines("Command duration, p99", "99th percentile of a command in the participant, its commit included.", "s",
          *quantiles("tutti_participant_command_duration_seconds", PLACE, "method", (0.99,)), width=6),
    lines("Commits", "99th percentile of one local commit.", "s",
          *quantiles("tutti_participant_commit_duration_seconds", PLACE, "", (0.5, 0.99)), width=6),
    lines("Commands in one commit", "Mean size of a batch, by process.", "short",
          query(mean("tutti_participant_commit_batch_size", PLACE, "instance"), "{{instance}}"), width=6),
    lines("Inbox rows forgotten", "Rows a second whose life, `--inbox-life-days`, is over.", "ops",
          query(rate("tutti_participant_inbox_expired_total", PLACE, "instance"), "{{instance}}"), width=6),
])


def build():
    return dashboard("tutti-steps", "Tutti / Steps and participants", "How commands fare, by step and by participant.",
                     [LATENCY, ATTEMPTS, CALLS, OWN], variables=(STEP,))
