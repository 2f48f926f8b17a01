"""What goes wrong in a chaos run: every process has a lane of faults of its own, so that several fail at once."""

import random
import threading
import time

import grpc

from stack import fault_proxy
from stack.clients import RETRIED
from stack.fault_proxy import PASS
from stack.processes import StackError

# Slightly more than the 30 in 300 s that a run owes each process.
KILLS_PER_SECOND = 36 / 300
# A command held back by several faults at once still lands within its timeout and the grace, on which plain
# participants rely: the longest stall and the longest pause together stay well below the grace.
STALL_SECONDS_MAX = 1.5
PAUSE_SECONDS_MAX = 1.0
CRASHED = 137  # how a participant ends that was asked to crash
METHODS = {
    "payment": ("tutti.payment.v1.PaymentService/Charge", "tutti.payment.v1.PaymentService/Refund"),
    "reservation": ("tutti.reservation.v1.ReservationService/Confirm",
                    "tutti.reservation.v1.ReservationService/CancelConfirmation"),
    "token": ("tutti.token.v1.TokenService/ExpireToken",),
}


class Lane(threading.Thread):
    """Draws faults from a shuffled deck, one at a time, each healed before the next."""

    deck = ()

    def __init__(self, stack, name, seed, stop):
        super().__init__(daemon=True)
        self.stack = stack
        self.process = stack.processes[name]
        self.random = random.Random(seed)
        self.stop = stop
        self.counts = {}
        self.complaints = []
        self.crash_armed = False
        self.error = None

    def run(self):
        began = time.monotonic()
        hand = []
        try:
            while not self.stop.wait(self.random.uniform(0.8, 3.2)):
                self.expect_alive()
                if not hand:
                    hand = self.random.sample(self.deck, len(self.deck))
                late = self.process.kills < (time.monotonic() - began) * KILLS_PER_SECOND
                self.do("kill" if late else hand.pop())
        except BaseException as error:  # reported by the main thread
            self.error = error

    def do(self, fault):
        if fault != "crash":
            self.counts[fault] = self.counts.get(fault, 0) + 1
        if fault in fault_proxy.MODES:
            self.network(fault)
        else:
            getattr(self, fault)()

    def expect_alive(self):
        if self.process.running():
            return
        if self.process.popen.returncode == CRASHED and self.crash_armed:
            self.counts["crash"] = self.counts.get("crash", 0) + 1
        else:
            self.complaints.append(f"{self.process.name} ended by itself with status {self.process.popen.returncode}")
        self.crash_armed = False
        self.stack.restart(self.process.name)

    def kill(self):
        self.process.kill9()
        self.crash_armed = False
        self.stop.wait(self.random.choice([0, 0, self.random.uniform(0, 0.6)]))
        self.stack.restart(self.process.name)

    def pause(self):
        with self.process.paused():
            time.sleep(self.random.uniform(0.1, PAUSE_SECONDS_MAX))

    def network(self, mode):
        self.stack.proxy.set(self.process.name, mode, delay_ms=self.random.choice([20, 100, 300]))
        try:
            self.stop.wait(self.random.uniform(0.1, STALL_SECONDS_MAX))
        finally:
            self.stack.proxy.set(self.process.name, PASS)


class PlainLane(Lane):
    deck = ("kill",) * 6 + ("pause", fault_proxy.DELAY, fault_proxy.STALL, fault_proxy.BLACK_HOLE, fault_proxy.MUTE,
                            fault_proxy.CUT)


class BarrierLane(PlainLane):
    """The reference participants can also be asked to answer late, or to die at the worst moment."""

    deck = PlainLane.deck + ("answer_late", "answer_late", "crash", "crash")

    def fault(self, kind, method, **fields):
        """A crash that was armed earlier may come first: then there is nobody left to be told."""
        from tutti.participant.v1 import fault_service_pb2 as pb
        fault = pb.Fault(method=method, kind=pb.FaultKind.Value(f"FAULT_KIND_{kind}"), **fields)
        self.tell("SetFault", fault=fault)

    def tell(self, method, **fields):
        while self.process.running():
            try:
                return getattr(self.stack.faults(self.process.name), method)(**fields)
            except grpc.RpcError as error:
                if error.code() not in RETRIED:
                    raise
                time.sleep(0.02)  # the channel has not noticed the restart yet
        return None

    def answer_late(self):
        """Later than any attempt's timeout, for a while, so that all attempts of some saga are hit."""
        method = self.random.choice(METHODS[self.process.name])
        self.fault("DELAY_REPLY", method, delay_ms=self.random.randrange(300, 3000), count=40)
        self.stop.wait(self.random.uniform(0.5, 1.5))
        self.tell("ClearFaults")

    def crash(self):
        """The command that dies with it comes when it comes; expect_alive counts the crash and brings it back."""
        kind = self.random.choice(["CRASH_BEFORE_COMMIT", "CRASH_AFTER_COMMIT"])
        self.crash_armed = True
        self.fault(kind, self.random.choice(METHODS[self.process.name]), count=1)
        deadline = time.monotonic() + 2
        while self.process.running() and time.monotonic() < deadline and not self.stop.is_set():
            time.sleep(0.02)


class OrchestratorLane(Lane):
    deck = ("kill",) * 5 + ("reshard", "reshard", "pause", "terminate", "disk_full")
    LEFT_BY_ITSELF = 75  # sysexits' "try again": its store could not say whether a write is on disk

    def reshard(self):
        self.process.kill9()
        self.process.set_option("--shards", str(self.random.choice([1, 2, 3, 5, 8, 16])))
        self.stack.restart(self.process.name)

    def terminate(self):
        status = self.process.terminate()
        if status != 0:
            self.complaints.append(f"orchestrator ended with status {status} after SIGTERM")
        self.stack.restart(self.process.name)

    def disk_full(self):
        """Nobody may be told anything that is not on disk; with room again all that was told is there."""
        volume = self.stack.volume
        if not volume.can_be_full:
            self.counts["disk_full"] -= 1
            return
        volume.fill()
        try:
            self.await_end(seconds=8)
            if self.process.running():
                # The log had room left; the restart below still finds a full disk.
                self.process.kill9()
            elif self.process.popen.returncode != self.LEFT_BY_ITSELF:
                self.complaints.append(f"orchestrator ended with status {self.process.popen.returncode} on a full disk")
            self.process.start()
            self.await_end(seconds=2)
            if self.process.running():
                self.process.kill9()
        finally:
            volume.relieve()
        self.stack.restart(self.process.name)

    def await_end(self, seconds):
        deadline = time.monotonic() + seconds
        while self.process.running() and time.monotonic() < deadline:
            time.sleep(0.05)


class Operator(threading.Thread):
    """Gives every parked step a fresh budget, again and again, as a person with a pager would."""

    def __init__(self, stack, stop):
        super().__init__(daemon=True)
        self.sagas = stack.sagas(timeout=5)
        self.stop = stop
        self.retried = 0
        self.error = None

    def run(self):
        try:
            while not self.stop.wait(1.0):
                self.patient_round()
        except BaseException as error:  # reported by the main thread
            self.error = error

    def patient_round(self):
        try:
            self.round()
        except grpc.RpcError as error:
            if error.code() not in RETRIED:
                raise

    def round(self):
        for saga in self.sagas.ListSagas(filter="parked = true", page_size=100).sagas:
            steps = [{"step": step.name, "history_sequence": step.parking.history_sequence}
                     for step in saga.steps if step.HasField("parking")]
            if not steps:
                continue
            try:
                self.sagas.RetrySaga(saga_id=saga.saga_id, steps=steps, reason="the participant is well again", by="chaos")
                self.retried += 1
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.FAILED_PRECONDITION:  # a reply may have settled it meanwhile
                    raise


class Chaos:
    """with Chaos(stack, rng): … ; everything is healed and running afterwards."""

    def __init__(self, stack, rng):
        self.stack = stack
        self.stop = threading.Event()
        kinds = {name: PlainLane if name in stack.plain else BarrierLane for name in stack.participants}
        kinds["orchestrator"] = OrchestratorLane
        self.lanes = [kind(stack, name, rng.randrange(1 << 32), self.stop) for name, kind in kinds.items()]

    def __enter__(self):
        for lane in self.lanes:
            lane.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop.set()
        for lane in self.lanes:
            lane.join()
        for lane in self.lanes:
            if kind is None and not lane.error:
                lane.expect_alive()
                if isinstance(lane, BarrierLane):
                    lane.tell("ClearFaults")
        for lane in self.lanes:
            if lane.error and kind is None:
                raise StackError(f"the faults of {lane.process.name} stopped: {lane.error!r}") from lane.error

    def check(self):
        for lane in self.lanes:
            if lane.error:
                raise StackError(f"the faults of {lane.process.name} stopped: {lane.error!r}") from lane.error

    def revive(self):
        """A crash that was armed may still come after everything was healed."""
        for lane in self.lanes:
            lane.expect_alive()

    @property
    def complaints(self):
        return [complaint for lane in self.lanes for complaint in lane.complaints]

    @property
    def counts(self):
        return {lane.process.name: dict(sorted(lane.counts.items())) for lane in self.lanes}
