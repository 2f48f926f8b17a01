"""kill -9 of orchestrator and participants at random, under load; then an audit of points, seats and tokens.

The seed is printed; --seed replays the same customers and the same order of kills (not the same microseconds).
"""

import argparse
import os
import random
import sys
import threading
import time

import grpc

from stack.processes import wait_until
from stack.services import pages, struct
from stack.stack import PARTICIPANTS, Stack, repository
from stack.world import World

CONCERT = "crash"
PRICE = 300
WORKERS = 8
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def stubbornly(call, **fields):
    """What a client does that must have an answer: asks again, the same way, until it gets one."""
    while True:
        try:
            return call(**fields)
        except grpc.RpcError as error:
            if error.code() not in RETRIED:
                raise
            time.sleep(0.05)


class Booking:
    """One customer's booking, and what is known of it."""

    def __init__(self, number, points):
        self.user = f"u{number}"
        self.saga_id = f"book-{number}"
        self.points = points
        self.seat = number + 1
        self.acknowledged = False


class Load(threading.Thread):
    """Books tickets until told to stop. Some wallets are too poor, some bookings are cancelled in flight."""

    def __init__(self, stack, world, numbers, seed, stop):
        super().__init__()
        self.sagas = stack.sagas(timeout=5)
        self.world = world
        self.numbers = numbers
        self.random = random.Random(seed)
        self.stop = stop
        self.bookings = []
        self.error = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.book(next(self.numbers))
        except BaseException as error:  # reported by the main thread
            self.error = error

    def book(self, number):
        booking = Booking(number, points=self.random.choice([1000, 1000, 1000, PRICE - 1]))
        world = self.world
        stubbornly(world.payment.TopUp, user_id=booking.user, amount=booking.points, request_id="start")
        stubbornly(world.reservation.Hold, concert_id=CONCERT, seat=booking.seat, user_id=booking.user,
                   reservation_id=f"r-{booking.user}")
        stubbornly(world.token.IssueToken, user_id=booking.user, token_id=f"t-{booking.user}")
        self.bookings.append(booking)
        fields = {"saga_id": booking.saga_id, "definition": "book-ticket",
                  "input": struct({"user_id": booking.user, "reservation_id": f"r-{booking.user}",
                                   "token_id": f"t-{booking.user}", "price": PRICE})}
        if self.random.random() < 0.1:
            stubbornly(self.sagas.StartSaga, **fields)
            booking.acknowledged = True
            try:
                stubbornly(self.sagas.CancelSaga, saga_id=booking.saga_id, reason="changed my mind", by=booking.user)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.FAILED_PRECONDITION:  # too late to cancel is a fair answer
                    raise
        elif self.random.random() < 0.5:
            stubbornly(self.sagas.RunSaga, **fields)
            booking.acknowledged = True
        else:
            stubbornly(self.sagas.StartSaga, **fields)
            booking.acknowledged = True


class Numbers:
    """Thread-safe counting."""

    def __init__(self, limit):
        self.lock = threading.Lock()
        self.next = 0
        self.limit = limit

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if self.next >= self.limit:
                raise RuntimeError("more bookings than seats; make the concert larger")
            self.next += 1
            return self.next - 1


def kill_at_random(stack, seconds, rng):
    """One process at a time, each back before the next goes, the orchestrator as often as all the others together."""
    names = ["orchestrator"] * len(PARTICIPANTS) + list(PARTICIPANTS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.2, 1.0))
        process = stack.processes[rng.choice(names)]
        process.kill9()
        time.sleep(rng.uniform(0, 0.4))
        stack.restart(process.name)


def audit(stack, bookings):
    """Every broken promise, in words."""
    from tutti.v1 import saga_pb2
    world = World(stack)
    sagas = stack.sagas()
    violations = []
    outcomes = {"SUCCEEDED": 0, "COMPENSATED": 0}
    seats = {seat.seat: seat for seat in pages(world.reservation.ListSeats, "seats", concert_id=CONCERT)}
    for booking in bookings:
        try:
            saga = sagas.GetSaga(saga_id=booking.saga_id).saga
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND or booking.acknowledged:
                violations.append(f"{booking.saga_id}: acknowledged, but reading it says {error.code().name}")
            continue
        state = saga_pb2.SagaState.Name(saga.state).removeprefix("SAGA_STATE_")
        booked = state == "SUCCEEDED"
        if state not in outcomes:
            violations.append(f"{booking.saga_id}: {state}, parked={saga.parked}")
            continue
        outcomes[state] += 1
        ledger = world.ledger(booking.user)
        if ledger not in ([[-PRICE]] if booked else [[], [-PRICE, PRICE]]):
            violations.append(f"{booking.saga_id} {state}: ledger {ledger}")
        if world.balance(booking.user) != booking.points - (PRICE if booked else 0):
            violations.append(f"{booking.saga_id} {state}: balance {world.balance(booking.user)}")
        if (world.seat_status(booking.user) == "CONFIRMED") != booked:
            violations.append(f"{booking.saga_id} {state}: seat {world.seat_status(booking.user)}")
        if booked and seats[booking.seat].user_id != booking.user:
            violations.append(f"{booking.saga_id}: its seat belongs to {seats[booking.seat].user_id!r}")
        if (world.token_status(booking.user) == "EXPIRED") != booked:
            violations.append(f"{booking.saga_id} {state}: token {world.token_status(booking.user)}")
    return outcomes, violations


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    rng = random.Random(args.seed)

    with Stack(args.build_dir, log_level="warning") as stack:
        stack.apply_definition(os.path.join(repository(), "participants", "sagas", "book-ticket.yaml"))
        world = World(stack)
        seats = 100_000
        world.reservation.CreateConcert(concert_id=CONCERT, seat_count=seats)
        stop = threading.Event()
        numbers = Numbers(seats)
        workers = [Load(stack, world, numbers, rng.randrange(1 << 32), stop) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        try:
            kill_at_random(stack, args.seconds, rng)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        for worker in workers:
            if worker.error:
                raise worker.error
        bookings = [booking for worker in workers for booking in worker.bookings]

        def drained():
            sagas = stack.sagas()
            return not any(sagas.ListSagas(filter=f"state = {state}", page_size=1).sagas
                           for state in ("RUNNING", "COMPENSATING"))

        wait_until("every saga to end", drained, seconds=120, every=0.5)
        outcomes, violations = audit(stack, bookings)
        kills = {name: process.kills for name, process in stack.processes.items()}

    print(f"bookings {len(bookings)}, outcomes {outcomes}, kills {kills}, violations {len(violations)}")
    for violation in violations[:20]:
        print(f"  {violation}")
    if not all(outcomes.values()) or not all(kills.values()):
        print("a run without both outcomes and a kill of everybody proves little; run it longer")
        return 1
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
