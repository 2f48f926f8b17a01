"""A small load whose every trouble is meant: refusals, timeouts, late successes, parkings, an outage."""

import itertools
import os
import sys
import threading

import grpc

from stack.clients import stubbornly
from stack.processes import wait_until
from stack.scenarios import ALL, PRICE, SEAT, TOKEN
from stack.services import pages, struct
from stack.stack import repository
from stack.world import World

CONCERT = "hall"
CHARGE = "tutti.payment.v1.PaymentService/Charge"
REFUND = "tutti.payment.v1.PaymentService/Refund"
CONFIRM = "tutti.reservation.v1.ReservationService/Confirm"
SCENARIOS = {scenario.definition: scenario for scenario in ALL}
CALM = {"refuse_grant": False, "refuse_check": False, "refuse_stamp": 0, "refuse_revoke": 0}


def voucher(build_dir):
    """The plain participant of the chaos test, for Stack's `plain`."""
    server = os.path.join(repository(), "tests", "chaos", "voucher_server.py")
    descriptors = os.path.join(os.path.abspath(build_dir), "python", "voucher.binpb")
    return {"voucher": ([sys.executable, server], f'descriptor_set: "{descriptors}"')}


class Troubles:
    def __init__(self, stack, seats=5000):
        from tutti.participant.v1 import fault_service_pb2
        from tutti.v1 import saga_pb2
        self.stack = stack
        self.pb = saga_pb2
        self.faults_pb = fault_service_pb2
        self.world = World(stack)
        self.sagas = stack.sagas(timeout=30)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        for scenario in ALL:
            if "voucher" in stack.participants or "voucher" not in scenario.effects:
                stack.apply_definition(scenario.path)
        self.world.reservation.CreateConcert(concert_id=CONCERT, seat_count=seats)

    def start(self, definition="book-ticket", points=1000, **whims):
        with self.lock:
            number = next(self.numbers)
        scenario, user = SCENARIOS[definition], f"u{number}"
        self.prepare(scenario.effects, user, points, number)
        wanted = {name: CALM[name] for name in scenario.whims} | whims
        stubbornly(self.sagas.StartSaga, saga_id=f"saga-{number}", definition=definition,
                   input=struct(scenario.input(user, wanted)))
        return f"saga-{number}"

    def prepare(self, effects, user, points, seat):
        stubbornly(self.world.payment.TopUp, user_id=user, amount=points, request_id="start")
        if SEAT in effects:
            stubbornly(self.world.reservation.Hold, concert_id=CONCERT, seat=seat, user_id=user,
                       reservation_id=f"r-{user}")
        if TOKEN in effects:
            stubbornly(self.world.token.IssueToken, user_id=user, token_id=f"t-{user}")

    def refused(self, definition="book-ticket"):
        """The wallet is too poor."""
        return self.start(definition, points=PRICE - 1)

    def parked(self):
        """The stamp is refused three times; two retries by an operator help."""
        return self.start("voucher-and-stamp", refuse_stamp=3)

    def fault(self, participant, method, kind, **fields):
        self.stack.faults(participant).SetFault(fault=self.faults_pb.Fault(
            method=method, kind=self.faults_pb.FaultKind.Value(f"FAULT_KIND_{kind}"), **fields))

    def heal(self, *participants):
        for name in participants:
            self.stack.faults(name).ClearFaults()

    def get(self, saga_id):
        return self.sagas.GetSaga(saga_id=saga_id).saga

    def all(self):
        return list(pages(self.sagas.ListSagas, "sagas"))

    def cancelled(self):
        saga_id = self.start("ticket-in-parallel")
        try:
            stubbornly(self.sagas.CancelSaga, saga_id=saga_id, reason="changed my mind", by="test")
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:  # too late to cancel is a fair answer
                raise

    def unfinished(self):
        ended = (self.pb.SAGA_STATE_SUCCEEDED, self.pb.SAGA_STATE_COMPENSATED)
        return [saga for saga in self.all() if saga.state not in ended]

    def quiet(self, parked=0, seconds=60):
        """Until all have ended but `parked` ones, and nothing can land any more."""
        def reached():
            sagas = self.all()
            ended = (self.pb.SAGA_STATE_SUCCEEDED, self.pb.SAGA_STATE_COMPENSATED)
            return (sum(saga.state not in ended for saga in sagas) == parked == sum(saga.parked for saga in sagas) and
                    not any(saga.settling for saga in sagas))

        wait_until(f"all sagas but {parked} parked ones to settle", reached, seconds, every=0.1)

    def retry(self):
        """One round of an operator; how many sagas were given a fresh budget."""
        count = 0
        for saga in stubbornly(self.sagas.ListSagas, filter="parked = true", page_size=1000).sagas:
            steps = [{"step": step.name, "history_sequence": step.parking.history_sequence}
                     for step in saga.steps if step.HasField("parking")]
            if steps:
                self.sagas.RetrySaga(saga_id=saga.saga_id, steps=steps, reason="well again", by="test")
                count += 1
        return count


class Stream:
    """with Stream(troubles.start, per_second): … ; the first error of its thread is raised at the end."""

    def __init__(self, act, per_second=15.0):
        self.act = act
        self.pause = 1.0 / per_second
        self.stop = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.stop.wait(self.pause):
                self.act()
        except BaseException as error:  # reported at the end
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop.set()
        self.thread.join()
        if self.error and kind is None:
            raise self.error
