"""What the participants' own books and the sagas' histories say, held against what was promised."""

from collections import Counter

import grpc

from stack.load import CONCERT
from stack.scenarios import CHARGE, PRICE, SEAT, STAMP, TOKEN, VOUCHER
from stack.services import pages
from stack.world import World

# The only reasons for parking that a system may have whose participants keep their contracts.
FAIR_PARKINGS = ("ATTEMPTS_SPENT", "REFUSED")


class Audit:
    """Audit(stack, notes).run(), then read the fields."""

    def __init__(self, stack, notes, fair=FAIR_PARKINGS):
        from tutti.v1 import saga_pb2
        self.pb = saga_pb2
        self.notes = notes
        self.fair = fair  # causes of parking that are nobody's fault
        self.world = World(stack)
        self.sagas = stack.sagas(timeout=60)
        self.voucher = stack.participant("voucher") if "voucher" in stack.participants else None
        self.violations = []
        self.outcomes = {"SUCCEEDED": 0, "COMPENSATED": 0}
        self.parked = self.unfinished = self.acknowledged_lost = self.late_successes = self.unstarted = 0
        self.parked_before = 0

    def run(self):
        self.seats = {}
        if any(SEAT in note.scenario.effects for note in self.notes):
            self.seats = {seat.seat: seat for seat in pages(self.world.reservation.ListSeats, "seats",
                                                            concert_id=CONCERT)}
        self.deeds = Counter()
        if self.voucher:
            self.deeds.update((entry.saga_id, entry.deed) for entry in pages(self.voucher.ListEntries, "entries"))
        listed = {saga.saga_id: saga for saga in pages(self.sagas.ListSagas, "sagas")}
        for note in self.notes:
            self.one(note, listed.pop(note.saga_id, None))
        for saga_id in listed:
            self.violations.append(f"{saga_id}: nobody started it")
        return self

    def one(self, note, listed):
        """The listing is an index of its own, so what it says is held against the saga itself."""
        try:
            saga = self.sagas.GetSaga(saga_id=note.saga_id).saga
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            saga = None
        if saga is None:
            self.missing(note)
            return
        if listed is None or listed.state != saga.state or listed.parked != saga.parked:
            self.complain(note, saga, "the listing disagrees with the saga")
        if note.uid and note.uid != saga.uid:
            self.acknowledged_lost += 1
            self.complain(note, saga, f"was acknowledged as {note.uid} and is {saga.uid}")
        state = self.pb.SagaState.Name(saga.state).removeprefix("SAGA_STATE_")
        if saga.parked:
            self.parked += 1
            why = [f"{step.name}: {step.parking.message}" for step in saga.steps if step.HasField("parking")]
            self.complain(note, saga, f"{state} and still parked after the retry: {'; '.join(why)}")
        elif state not in self.outcomes:
            self.unfinished += 1
            self.complain(note, saga, "did not end")
        else:
            self.outcomes[state] += 1
            self.told(note, saga)
            self.effects(note, saga, state == "SUCCEEDED")
        self.history(note, saga)

    def complain(self, note, saga, what):
        self.violations.append(f"{note.saga_id} ({note.scenario.definition}, "
                               f"{self.pb.SagaState.Name(saga.state) if saga else 'not started'}): {what}")

    def missing(self, note):
        if note.uid:
            self.acknowledged_lost += 1
            self.complain(note, None, "was acknowledged and is gone")
        else:
            self.unstarted += 1
            self.effects(note, None, False)

    def told(self, note, saga):
        if note.told_ended not in (None, saga.state):
            self.complain(note, saga, f"a client was told that it had ended {self.pb.SagaState.Name(note.told_ended)}")
        if note.told_committed and saga.state != self.pb.SAGA_STATE_SUCCEEDED:
            self.complain(note, saga, "a client was told that it was committed")
        if note.cancelled and saga.state != self.pb.SAGA_STATE_COMPENSATED:
            self.complain(note, saga, "a client was told that it was cancelled")

    def effects(self, note, saga, done):
        effects, user = note.scenario.effects, note.user

        def expect(what, found, *allowed):
            if found not in allowed:
                self.complain(note, saga, f"{what}: {found}, not {' or '.join(map(str, allowed))}")

        if CHARGE in effects:
            charged = [[-PRICE]] if done else [[], [-PRICE, PRICE]]
            expect("charges and refunds", self.world.ledger(user), *charged)
            expect("balance", self.world.balance(user), note.points - (PRICE if done else 0))
        if SEAT in effects:
            expect("seat", self.world.seat_status(user), *(["CONFIRMED"] if done else ["HELD", "CANCELLED"]))
            owner = self.seats[note.seat].user_id
            expect("owner of the seat", owner, *([user] if done else [user, ""]))
        if TOKEN in effects:
            expect("token", self.world.token_status(user), "EXPIRED" if done else "ISSUED")
        if VOUCHER in effects:
            deeds = (self.deeds[note.saga_id, "grant"], self.deeds[note.saga_id, "revoke"])
            expect("vouchers granted and revoked", deeds, *([(1, 0)] if done else [(0, 0), (1, 1)]))
        if STAMP in effects:
            expect("stamps", self.deeds[note.saga_id, "stamp"], 1 if done else 0)

    def history(self, note, saga):
        pb = self.pb
        events = list(pages(self.sagas.GetSagaHistory, "events", saga_id=note.saga_id))
        if [event.sequence for event in events] != list(range(1, saga.history_sequence + 1)):
            self.complain(note, saga, "its history has gaps")
        aborted = ended = parked = False
        for event in events:
            if event.type == pb.EVENT_TYPE_ATTEMPT_STARTED and ended:
                self.complain(note, saga, f"attempt of {event.step} after the end (history {event.sequence})")
            if event.type == pb.EVENT_TYPE_ATTEMPT_STARTED and aborted and event.operation == pb.OPERATION_ACTION:
                self.complain(note, saga, f"action of {event.step} after the abort (history {event.sequence})")
            if event.type == pb.EVENT_TYPE_EFFECT_AFTER_TERMINAL:
                self.complain(note, saga, f"an effect of {event.step} after the end (history {event.sequence})")
            if event.type == pb.EVENT_TYPE_STEP_PARKED:
                parked = True
                cause = pb.ParkingCause.Name(event.parking_cause).removeprefix("PARKING_CAUSE_")
                if cause not in self.fair:
                    self.complain(note, saga, f"{event.step} parked for {cause} (history {event.sequence})")
            if (event.type == pb.EVENT_TYPE_LATE_RESULT and event.operation == pb.OPERATION_ACTION and aborted and
                    event.outcome == pb.OUTCOME_SUCCEEDED):
                self.late_successes += 1
            aborted = aborted or event.type == pb.EVENT_TYPE_SAGA_ABORTED
            ended = ended or event.type in (pb.EVENT_TYPE_SAGA_SUCCEEDED, pb.EVENT_TYPE_SAGA_COMPENSATED)
        self.parked_before += parked
        self.order(note, saga, events)

    def order(self, note, saga, events):
        """No compensation of a step while a step after it still has one to come."""
        pb = self.pb
        first, done = {}, {}
        for event in events:
            if event.type == pb.EVENT_TYPE_ATTEMPT_STARTED and event.operation == pb.OPERATION_COMPENSATION:
                first.setdefault(event.step, event.sequence)
            if event.type == pb.EVENT_TYPE_STEP_COMPENSATED:
                done[event.step] = event.sequence
        for before, after in note.scenario.order:
            if before in first and after in first and first[before] < done.get(after, saga.history_sequence + 1):
                self.complain(note, saga, f"{before} was compensated before {after}")
