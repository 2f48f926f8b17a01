"""Everybody is restarted in turn, by SIGTERM, under load: nothing is lost, and no client sees an error that it should not
answer by asking again.
"""

import argparse
import collections
import os
import random
import sys
import threading

# While every call of a client fails at once, nobody drives its connection but a timer of the client library, every 5 s:
# clients would miss a restarted server for that long. The library reads this when it is loaded.
os.environ["GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS"] = "50"

import grpc

from stack.audit import Audit
from stack.lanes import Operator
from stack.load import CONCERT, Crowd
from stack.processes import wait_until
from stack.scenarios import ALL
from stack.services import Client
from stack.stack import CHANNEL_OPTIONS, PARTICIPANTS, Stack
from stack.world import World

SEATS = 100_000
WORKERS = 16
STARTS_BETWEEN_RESTARTS = 40  # so that every restart meets a load that has recovered from the one before
TURN = [name for participant in PARTICIPANTS for name in ("orchestrator", participant)]
# What a drain may answer; a mailbox that is full says so, and is asked again as well.
RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
PATIENCE_SECONDS = 30.0  # longer than any restart, so that no deadline of a client hides what the server said


class Errors(grpc.UnaryUnaryClientInterceptor):
    """Every error that any client sees, by method, code and words."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = collections.Counter()

    def intercept_unary_unary(self, continuation, call_details, request):
        call = continuation(call_details, request)
        if call.code() != grpc.StatusCode.OK:
            method = call_details.method.rsplit("/", 1)[1]
            words = (call.details() or "").split(";")[0]
            with self.lock:
                self.seen[method, call.code(), words] += 1
        return call

    def unfair(self):
        return {error: count for error, count in self.seen.items()
                if error[1] not in RETRYABLE and error[:2] not in self.ANSWERS}

    # Answers of the business, not failures: too late to cancel, no longer parked.
    ANSWERS = {("CancelSaga", grpc.StatusCode.FAILED_PRECONDITION), ("RetrySaga", grpc.StatusCode.FAILED_PRECONDITION)}


class WatchedStack(Stack):
    """Its clients have connections of their own, as clients on many machines have."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.errors = Errors()

    def client(self, process, service, timeout=PATIENCE_SECONDS):
        channel = grpc.insecure_channel(self.processes[process].address,
                                        options=[*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)])
        self.channels.append(channel)
        return Client(grpc.intercept_channel(channel, self.errors), service, max(timeout, PATIENCE_SECONDS))


def acknowledged(crowd):
    return sum(1 for note in crowd.notes if note.uid)


def roll(stack, crowd, rounds):
    """What went wrong with the restarts themselves."""
    wrong = []
    for name in TURN * rounds:
        goal = acknowledged(crowd) + STARTS_BETWEEN_RESTARTS
        wait_until(f"{goal} acknowledged starts", lambda: acknowledged(crowd) >= goal or crowd.failed())
        crowd.raise_error()
        status = stack.processes[name].terminate()
        if status != 0:
            wrong.append(f"{name} ended with status {status} after SIGTERM")
        stack.restart(name)
    return wrong


def under_load(stack, scenarios, rng, rounds):
    """A pivot may spend its attempts on a participant that is away; its clients wait until the operator gives it more."""
    done = threading.Event()
    operator = Operator(stack, done)
    operator.start()
    try:
        with Crowd(stack, scenarios, SEATS, WORKERS, rng) as crowd:
            wrong = roll(stack, crowd, rounds)
        wait_until("every saga to end", lambda: stack.unfinished() == 0, seconds=60, every=0.2)
    finally:
        done.set()
        operator.join()
    if operator.error:
        raise operator.error
    return crowd, operator, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    scenarios = [scenario for scenario in ALL if scenario.folder == "participants/sagas" or
                 scenario.definition == "ticket-by-pivot"]

    with WatchedStack(args.build_dir, log_level="warning") as stack:
        for scenario in scenarios:
            stack.apply_definition(scenario.path)
        World(stack).reservation.CreateConcert(concert_id=CONCERT, seat_count=SEATS)
        crowd, operator, wrong = under_load(stack, scenarios, random.Random(args.seed), args.rounds)
        unfair = stack.errors.unfair()  # before the audit, which asks after sagas that never came to be
        codes = collections.Counter()
        for (_, code, words), count in stack.errors.seen.items():
            codes[f"{code.name} {words[:40]}"] += count
        audit = Audit(stack, crowd.notes).run()

    wrong += [f"{method} answered {code.name}, “{words}”, {count} times"
              for (method, code, words), count in unfair.items()]
    wrong += audit.violations
    print(f"{len(TURN) * args.rounds} restarts, {acknowledged(crowd)} of {len(crowd.notes)} starts acknowledged, "
          f"{audit.acknowledged_lost} lost, outcomes {audit.outcomes}, {operator.retried} retried by hand")
    for code, count in codes.most_common():
        print(f"  {count:6} {code}")
    print(f"{len(wrong)} violations")
    for violation in wrong[:20]:
        print(f"  {violation}")
    if not all(audit.outcomes.values()):
        print("a run without both outcomes proves little")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
