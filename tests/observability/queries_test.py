"""Every query of every dashboard, on a real Prometheus that scrapes the real stack through a troubled minute.

None may come back empty, and none flat at zero where the load has made the thing happen. The totals that the metrics
tell over a restart are those that the API counts.
"""

import argparse
import math
import random
import sys
import time
from collections import Counter

import prometheus
from prometheus import Prometheus
from stack.processes import StackError
from stack.services import pages
from stack.stack import Stack
from troubles import CHARGE, CONFIRM, REFUND, Stream, Troubles, voucher

# What a healthy engine under a small load may show flat at zero. All other panels must move.
MAY_BE_ZERO = {
    "Forgotten": "nothing is older than the retention",
    "Inbox rows forgotten": "nothing is older than the inbox's life",
    "Effects after the end": "no participant breaks its contract",
    "Requests refused": "the mailbox never fills",
    "Unreadable records": "nothing is damaged",
    "Stalls": "the store keeps up",
    "Pending compaction": "the store keeps up",
    "Mailbox depth": "a scrape seldom meets a message",
    "Oldest message": "a scrape seldom meets a message",
    "Calls queued": "a scrape seldom meets a queue",
    "Last recovery": "rounds to nothing for a few sagas",
    "Recovery": "rounds to nothing for a few sagas",
    "Overdue": "nothing is older than the retention",
    "Held": "the store was never restored",
    "Connections refused": "nobody opens too many",
}
# What is measured only where it is switched on. metrics_test.py reads these.
MAY_BE_EMPTY = {
    "Since the last backup": "no folder is given for backups",
    "Backups": "no folder is given for backups",
    "Certificates": "nothing here speaks TLS",
}
GRACE_SECONDS = 2
PARKED = 3


def trouble(troubles):
    """Each saga of a stream is one of these, drawn by chance from a fixed seed."""
    rng = random.Random(7)
    acts = ([troubles.start] * 5 + [troubles.refused] * 2 +
            [lambda: troubles.start("book-ticket-impatient")] * 3 +
            [lambda: troubles.start("ticket-in-parallel", refuse_check=True)] * 2 +
            [lambda: troubles.start("voucher-and-stamp"), troubles.cancelled])

    return lambda: rng.choice(acts)()


def first_act(stack, troubles):
    act = trouble(troubles)
    with Stream(act):
        time.sleep(3)
    # Confirmed, and answered after everybody gave up: timeouts and late successes.
    troubles.fault("reservation", CONFIRM, "DELAY_REPLY", delay_ms=1200, count=30)
    troubles.fault("payment", CHARGE, "FAIL", code=14, message="overloaded", count=10)
    troubles.fault("payment", REFUND, "FAIL", code=14, message="overloaded", count=5)
    with Stream(act):
        time.sleep(6)
    troubles.heal("reservation", "payment")
    for _ in range(PARKED):
        troubles.parked()
    troubles.fault("reservation", CONFIRM, "DELAY", delay_ms=300, count=3)
    for _ in range(3):
        troubles.start("ticket-by-pivot")  # confirmed when there is no token service to tell
    stack.processes["token"].kill9()
    with Stream(lambda: troubles.start("voucher-and-stamp"), per_second=5):
        time.sleep(3)
    stack.restart("token")
    troubles.quiet(parked=PARKED)


def second_act(stack, prometheus_, troubles):
    """After a restart with parked sagas on board: more of the same, then the operator helps."""
    if stack.processes["orchestrator"].terminate() != 0:
        raise StackError("the orchestrator did not end well")
    stack.restart("orchestrator")
    prometheus_.await_scrape()
    with Stream(trouble(troubles)):
        time.sleep(4)
    troubles.quiet(parked=PARKED)
    prometheus_.await_scrape()
    agree_now(prometheus_, troubles)
    while troubles.retry():
        time.sleep(0.3)
    troubles.quiet()


def agree_now(prometheus_, troubles):
    """The gauges against the listing; nothing moves while this looks."""
    in_flight, parked = Counter(), Counter()
    for saga in troubles.unfinished():
        in_flight[saga.definition, troubles.pb.SagaState.Name(saga.state).removeprefix("SAGA_STATE_").lower()] += 1
        parked[saga.definition] += saga.parked
    for metric, labels, counted in (("tutti_sagas_in_flight", ("definition", "state"), in_flight),
                                    ("tutti_sagas_parked", ("definition",), parked)):
        told = {tuple(series[label] for label in labels): value for series, value in prometheus_.query(metric) if value}
        counted = {key if isinstance(key, tuple) else (key,): count for key, count in counted.items() if count}
        if told != counted:
            raise StackError(f"{metric}: Prometheus says {told}, the API {counted}")


def counted_by_the_api(troubles):
    pb = troubles.pb
    counts = {name: Counter() for name in ("started", "finished", "aborted", "attempts", "compensations", "late")}

    def short(enum, value, prefix):
        return enum.Name(value).removeprefix(prefix).lower()

    for saga in troubles.all():
        definition = saga.definition
        counts["started"][definition,] += 1
        counts["finished"][definition, short(pb.SagaState, saga.state, "SAGA_STATE_")] += 1
        if saga.HasField("abort_reason"):
            counts["aborted"][definition, short(pb.AbortCause, saga.abort_reason.cause, "ABORT_CAUSE_")] += 1
        for event in pages(troubles.sagas.GetSagaHistory, "events", saga_id=saga.saga_id):
            if event.type in (pb.EVENT_TYPE_ATTEMPT_FINISHED, pb.EVENT_TYPE_ATTEMPT_TIMED_OUT,
                              pb.EVENT_TYPE_ATTEMPT_NOT_SENT):
                counts["attempts"][definition, event.step] += 1
            elif event.type == pb.EVENT_TYPE_STEP_COMPENSATED:
                counts["compensations"][definition, event.step] += 1
            if event.late_action:
                counts["late"][definition, event.step] += 1
    return counts


def disagreements(prometheus_, troubles):
    api = counted_by_the_api(troubles)
    metrics = {
        "started": ("tutti_sagas_started_total", "definition"),
        "finished": ("tutti_sagas_finished_total", "definition", "outcome"),
        "aborted": ("tutti_sagas_aborted_total", "definition", "cause"),
        "attempts": ("tutti_step_attempts_total", "definition", "step"),
        "compensations": ("tutti_step_compensations_total", "definition", "step"),
        "late": ("tutti_late_results_total", "definition", "step"),
    }
    for name, (metric, *labels) in metrics.items():
        told, counted = prometheus_.grown(metric, *labels), dict(api[name])
        print(f"{metric}: {sum(told.values())}, the API {sum(counted.values())}", flush=True)
        if not counted:
            yield f"{metric}: the load made none"
        for key in sorted(told.keys() | counted.keys()):
            if told.get(key, 0) != counted.get(key, 0):
                yield f"{metric}{key}: {told.get(key, 0)}, the API {counted.get(key, 0)}"


def silent_queries(prometheus_):
    """Every query over the whole run, as a dashboard would draw it."""
    seconds = math.ceil(time.time() - prometheus_.began)
    number = 0
    for dashboard, title, expr in prometheus.queries(**{"$__range": f"{seconds}s"}):
        number += 1
        samples = [value for value in prometheus_.over_time(expr) if math.isfinite(value)]
        if not samples:
            if title not in MAY_BE_EMPTY:
                yield f"{dashboard}: {title}: no data: {expr}"
        elif not any(samples) and title not in MAY_BE_ZERO:
            yield f"{dashboard}: {title}: nothing but zeros: {expr}"
    print(f"{number} queries over {seconds} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    args = parser.parse_args()
    prometheus.tool("prometheus")
    with Stack(args.build_dir, orchestrator_args=["--late-reply-grace", f"{GRACE_SECONDS}s"],
               plain=voucher(args.build_dir)) as stack, Prometheus(stack) as prometheus_:
        troubles = Troubles(stack)
        first_act(stack, troubles)
        prometheus_.await_scrape()
        agree_now(prometheus_, troubles)
        second_act(stack, prometheus_, troubles)
        prometheus_.await_scrape()
        wrong = [*disagreements(prometheus_, troubles), *silent_queries(prometheus_)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
