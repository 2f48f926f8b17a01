"""Do the sagas get through? The dashboard to open first."""

from grafana.vocabulary import SAGAS, PLACE, areas, dashboard, lines, quantiles, query, rate, stat, table

ALARM_ABOVE_ZERO = (("green", None), ("red", 1))


def total(metric, selector=SAGAS):
    return f"sum(increase({metric}{{{selector}}}[$__range]))"


SUCCEEDED = f'{SAGAS}, outcome="succeeded"'
FAULTS = f'{SAGAS}, cause=~"step_unknown|saga_timeout|resolved"'

NOW = ("Now", [
    stat("In flight", "Sagas that have not reached a terminal state, parked ones included.", "short",
         f"sum(tutti_sagas_in_flight{{{SAGAS}}})"),
    stat("Parked", "Sagas of which at least one step waits for an operator: `tuttictl parked` names them.", "short",
         f"sum(tutti_sagas_parked{{{SAGAS}}})", ALARM_ABOVE_ZERO),
    stat("Oldest in flight", "Age of the oldest saga that has not ended.", "s",
         f"max(tutti_sagas_oldest_in_flight_seconds{{{SAGAS}}})", (("green", None), ("orange", 300), ("red", 900))),
    stat("Success ratio", "Of the sagas that ended in the time shown, the part that succeeded. Business refusals count as "
         "not succeeded; the alerts look at faults only.", "percentunit",
         f"{total('tutti_sagas_finished_total', SUCCEEDED)} / {total('tutti_sagas_finished_total')}", max=1, decimals=2),
    stat("Started", "Sagas started in the time shown.", "short", total("tutti_sagas_started_total"), decimals=0),
    stat("Finished", "Sagas that succeeded or were compensated in the time shown.", "short",
         total("tutti_sagas_finished_total"), decimals=0),
])

FLOW = ("Flow", [
    areas("Started", "Sagas accepted a second, by definition.", "ops",
          query(rate("tutti_sagas_started_total", SAGAS, "definition"), "{{definition}}")),
    areas("Finished", "Sagas that reached a terminal state a second, by definition and outcome.", "ops",
          query(rate("tutti_sagas_finished_total", SAGAS, "definition, outcome"), "{{definition}} {{outcome}}")),
    areas("In flight", "Sagas that have not ended, by definition and state. A rising line is work that does not end.",
          "short", query(f"sum by (definition, state) (tutti_sagas_in_flight{{{SAGAS}}})", "{{definition}} {{state}}")),
])

OUTCOME = ("Outcome", [
    lines("Success ratio", "Of the sagas that ended, the part that succeeded, by definition.", "percentunit",
          query(f"""{rate('tutti_sagas_finished_total', SUCCEEDED, 'definition')} /
                    {rate('tutti_sagas_finished_total', SAGAS, 'definition')}""", "{{definition}}"), max=1),
    areas("Compensation by trigger", "What turned sagas round: a refusal and a cancel are business; an unknown outcome, a "
          "timeout and an operator's word are faults.", "ops",
          query(rate("tutti_sagas_aborted_total", SAGAS, "cause"), "{{cause}}")),
    lines("Faults of the decided", "Of the sagas that passed their commit point or turned round, the part that turned "
          "round through a fault. The alerts TuttiSuccessBurn… compare this with the objective of 0.1 %.", "percentunit",
          query(f"""{rate('tutti_sagas_aborted_total', FAULTS, 'definition')} /
                    ({rate('tutti_saga_commit_point_seconds_count', SAGAS, 'definition')} +
                     {rate('tutti_sagas_aborted_total', SAGAS, 'definition')})""", "{{definition}}")),
])

LATENCY = ("Latency", [
    lines("Start to end", "Quantiles of a saga's whole life, by outcome. Parked time counts.", "s",
          *quantiles("tutti_saga_duration_seconds", SAGAS, "outcome"), width=12),
    lines("Start to commit point", "Quantiles of what a client of RunSaga waits for by default.", "s",
          *quantiles("tutti_saga_commit_point_seconds", SAGAS), width=12),
])

WAITING = ("Waiting", [
    lines("Oldest in flight", "Age of the oldest saga, by definition and state; 0 when there is none.", "s",
          query(f"max by (definition, state) (tutti_sagas_oldest_in_flight_seconds{{{SAGAS}}})",
                "{{definition}} {{state}}")),
    table("Parked steps", "Where operators are awaited, and why. `tuttictl parked` lists the sagas.", "short",
          f"sum by (definition, step, operation, cause) (tutti_steps_parked{{{SAGAS}}}) > 0",
          ("definition", "step", "operation", "cause"), "steps", width=16),
    lines("Oldest parked", "How long the longest parked step has been waiting, by definition.", "s",
          query(f"max by (definition) (tutti_steps_oldest_parked_seconds{{{SAGAS}}})", "{{definition}}")),
    lines("Parkings", "Steps that parked, a second, by step and cause.", "ops",
          query(rate("tutti_steps_parkings_total", SAGAS, "step, cause"), "{{step}} {{cause}}")),
    lines("Forgotten", "Ended sagas a second whose `--id-retention` is over.", "ops",
          query(rate("tutti_sagas_expired_total", SAGAS, "definition"), "{{definition}}")),
    lines("Operator words", "Cancels, retries and resolutions a second, and whether they were accepted.", "ops",
          query(rate("tutti_operator_words_total", PLACE, "word, result"), "{{word}} {{result}}")),
])


def build():
    return dashboard("tutti-saga-progress", "Tutti / Saga progress", "How sagas flow, end, turn round and wait.",
                     [NOW, FLOW, OUTCOME, LATENCY, WAITING])
