"""Customers who start sagas, whatever happens to the system, and note what they were told."""

import random
import threading
import time

import grpc

from stack.clients import RETRIED, Numbers, stubbornly
from stack.scenarios import CHARGE, PRICE, SEAT, TOKEN
from stack.services import struct
from stack.world import World

CONCERT = "crash"
POINTS = 1000


class Note:
    """One customer's saga, and what the customer knows of it."""

    def __init__(self, number, scenario, points, whims):
        self.user = f"u{number}"
        self.saga_id = f"saga-{number}"
        self.seat = number + 1
        self.scenario = scenario
        self.points = points
        self.whims = whims
        self.uid = ""             # from an answered start: from then on the saga must exist
        self.told_committed = False
        self.told_ended = None    # a state that absorbs, if an answer showed one
        self.cancelled = False    # the cancel was accepted

    def remember(self, saga):
        from tutti.v1 import saga_pb2
        self.uid = saga.uid
        self.told_committed = self.told_committed or saga.HasField("commit_time")
        if saga.state in (saga_pb2.SAGA_STATE_SUCCEEDED, saga_pb2.SAGA_STATE_COMPENSATED):
            self.told_ended = saga.state


class Load(threading.Thread):
    """Starts sagas until told to stop. Some wallets are too poor, some sagas are cancelled in flight, some clients give
    up after the first try and never learn what became of it."""

    def __init__(self, stack, scenarios, numbers, seed, stop, per_second=1000.0):
        super().__init__(daemon=True)
        self.sagas = stack.sagas(timeout=5)
        self.world = World(stack)
        self.scenarios = scenarios
        self.numbers = numbers
        self.random = random.Random(seed)
        self.stop = stop
        self.pause = 1.0 / per_second
        self.notes = []
        self.error = None

    def run(self):
        try:
            while not self.stop.is_set():
                began = time.monotonic()
                self.one(next(self.numbers))
                self.stop.wait(max(0.0, self.pause - (time.monotonic() - began)))
        except BaseException as error:  # reported by the main thread
            self.error = error

    def one(self, number):
        scenario = self.random.choices(self.scenarios, [scenario.weight for scenario in self.scenarios])[0]
        note = Note(number, scenario, self.random.choice([POINTS] * 5 + [PRICE - 1]),
                    {name: self.random.choice(values) for name, values in scenario.whims.items()})
        self.prepare(note)
        self.notes.append(note)
        fields = {"saga_id": note.saga_id, "definition": scenario.definition,
                  "input": struct(scenario.input(note.user, note.whims))}
        way = self.random.random()
        if way < 0.1:
            note.remember(stubbornly(self.sagas.StartSaga, **fields).saga)
            time.sleep(self.random.choice([0.0, 0.02, 0.3]))
            self.cancel(note)
        elif way < 0.4:
            note.remember(self.run_or_start(fields))
        elif way < 0.9:
            note.remember(stubbornly(self.sagas.StartSaga, **fields).saga)
        else:
            try:
                note.remember(self.sagas.StartSaga(**fields).saga)
            except grpc.RpcError as error:
                if error.code() not in RETRIED:
                    raise

    def run_or_start(self, fields):
        """RunSaga answers at the commit point, which a parked saga does not reach: then the start alone must be answered."""
        try:
            return self.sagas.RunSaga(**fields).saga
        except grpc.RpcError as error:
            if error.code() not in RETRIED:
                raise
            return stubbornly(self.sagas.StartSaga, **fields).saga

    def prepare(self, note):
        world, effects = self.world, note.scenario.effects
        if CHARGE in effects:
            stubbornly(world.payment.TopUp, user_id=note.user, amount=note.points, request_id="start")
        if SEAT in effects:
            stubbornly(world.reservation.Hold, concert_id=CONCERT, seat=note.seat, user_id=note.user,
                       reservation_id=f"r-{note.user}")
        if TOKEN in effects:
            stubbornly(world.token.IssueToken, user_id=note.user, token_id=f"t-{note.user}")

    def cancel(self, note):
        try:
            stubbornly(self.sagas.CancelSaga, saga_id=note.saga_id, reason="changed my mind", by=note.user)
            note.cancelled = True
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:  # too late to cancel is a fair answer
                raise


class Crowd:
    """Several loads at once; `with` ends them, and reports the first error of any."""

    def __init__(self, stack, scenarios, seats, workers, rng, per_second=1000.0):
        self.stop = threading.Event()
        numbers = Numbers(seats)
        self.workers = [Load(stack, scenarios, numbers, rng.randrange(1 << 32), self.stop, per_second / workers)
                        for _ in range(workers)]

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop.set()
        for worker in self.workers:
            worker.join(None if kind is None else 1.0)  # after an error there may be nobody left to answer them
        if kind is None:
            self.raise_error()

    def failed(self):
        return any(worker.error for worker in self.workers)

    def raise_error(self):
        for worker in self.workers:
            if worker.error:
                raise worker.error

    @property
    def notes(self):
        return [note for worker in self.workers for note in worker.notes]
