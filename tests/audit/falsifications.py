"""Ways in which a system could break its promises, done to a recorded world; each names the violation it must be."""

from dataclasses import dataclass
from typing import Callable

from stack.scenarios import PRICE


@dataclass(frozen=True)
class Falsification:
    what: str
    customer: str     # of the world in audit_test.py
    violation: str    # a part of the message
    do: Callable      # of a Recording
    counter: str = ""  # a field of the audit that must become 1 as well


class Recording:
    """One customer's part of a recorded world."""

    def __init__(self, stack, note):
        from tutti.v1 import saga_pb2
        self.pb = saga_pb2
        self.stack = stack
        self.note = note

    @property
    def saga(self):
        return self.stack.answer("sagas", "GetSaga", saga_id=self.note.saga_id).saga

    @property
    def listed(self):
        return next(saga for saga in self.stack.answer("sagas", "ListSagas").sagas if saga.saga_id == self.note.saga_id)

    @property
    def history(self):
        return self.stack.answer("sagas", "GetSagaHistory", saga_id=self.note.saga_id).events

    @property
    def ledger(self):
        return self.stack.answer("payment", "ListLedger", user_id=self.note.user).entries

    @property
    def wallet(self):
        return self.stack.answer("payment", "GetWallet", user_id=self.note.user).wallet

    @property
    def reservation(self):
        return self.stack.answer("reservation", "GetReservation", reservation_id=f"r-{self.note.user}").reservation

    @property
    def seat(self):
        return next(seat for seat in self.stack.answer("reservation", "ListSeats").seats if seat.seat == self.note.seat)

    @property
    def token(self):
        return self.stack.answer("token", "GetToken", token_id=f"t-{self.note.user}").token

    @property
    def journal(self):
        return self.stack.answer("voucher", "ListEntries").entries

    def both(self, change):
        """The saga, and its listing alike."""
        change(self.saga)
        change(self.listed)

    def entry(self, delta):
        return next(position for position, entry in enumerate(self.ledger)
                    if entry.payment_id and entry.delta == delta)

    def event(self, kind, **fields):
        return next(event for event in self.history if event.type == self.pb.EventType.Value(f"EVENT_TYPE_{kind}") and
                    all(getattr(event, name) == value for name, value in fields.items()))

    def add_event(self, kind, **fields):
        self.both(lambda saga: setattr(saga, "history_sequence", saga.history_sequence + 1))
        self.history.add(type=f"EVENT_TYPE_{kind}", sequence=self.saga.history_sequence, **fields)

    def deed(self, name):
        self.journal.add(saga_id=self.note.saga_id, deed=name)

    def undo_deed(self, name):
        position = next(position for position, entry in enumerate(self.journal)
                        if entry.saga_id == self.note.saga_id and entry.deed == name)
        del self.journal[position]


def ledger_entry_lost(at, delta):
    del at.ledger[at.entry(delta)]


def ledger_entry_twice(at, delta):
    at.ledger.add().CopyFrom(at.ledger[at.entry(delta)])


def swap_compensations(at):
    """`charge` takes the place of a step after it."""
    pb = at.pb
    for event in at.history:
        if event.operation == pb.OPERATION_COMPENSATION and event.type == pb.EVENT_TYPE_ATTEMPT_STARTED:
            event.step = {"charge": "confirm", "confirm": "charge"}.get(event.step, event.step)


def history_hole(at):
    del at.history[len(at.history) // 2]


def park(saga):
    saga.parked = True
    saga.steps[-1].parking.message = "somebody must look"


def set_state(state):
    return lambda saga: setattr(saga, "state", state)


def told(**words):
    def do(at):
        for name, word in words.items():
            setattr(at.note, name, getattr(at.pb, word) if isinstance(word, str) and name == "told_ended" else word)
    return do


def forget(at):
    at.stack.forget_saga(at.note.saga_id)


def forget_unacknowledged(at):
    at.note.uid = ""
    forget(at)


def stranger(at):
    at.stack.answer("sagas", "ListSagas").sagas.add(saga_id="saga-of-a-stranger")


BOOKED, POOR, UNDONE, STAMPED, LOST = "booked", "poor", "undone", "stamped", "never started"
F = Falsification
ALL = (
    # The sagas themselves.
    F("an acknowledged saga is gone", BOOKED, "was acknowledged and is gone", forget, "acknowledged_lost"),
    F("an acknowledged saga was started again under another uid", BOOKED, "was acknowledged as",
      lambda at: at.both(lambda saga: setattr(saga, "uid", "another")), "acknowledged_lost"),
    F("a saga that nobody was told of is gone, its charge is not", BOOKED, "charges and refunds", forget_unacknowledged,
      "unstarted"),
    F("a start that nobody was told of left a charge and no saga", LOST, "charges and refunds",
      lambda at: at.ledger.add(delta=-PRICE, payment_id="p")),
    F("a saga that nobody started", "", "saga-of-a-stranger: nobody started it", stranger),
    F("a saga never ends", BOOKED, "did not end", lambda at: at.both(set_state(1)), "unfinished"),
    F("a saga stays parked", UNDONE, "still parked after the retry", lambda at: at.both(park), "parked"),
    F("the listing shows another state", BOOKED, "the listing disagrees", lambda at: set_state(1)(at.listed)),
    F("the listing lacks a saga", BOOKED, "the listing disagrees",
      lambda at: at.stack.answer("sagas", "ListSagas").sagas.remove(at.listed)),
    # What clients were told.
    F("a client heard of another end", BOOKED, "told that it had ended", told(told_ended="SAGA_STATE_COMPENSATED")),
    F("a client heard of a commit, the saga was undone", UNDONE, "told that it was committed", told(told_committed=True)),
    F("a client's cancel was accepted, the saga went through", BOOKED, "told that it was cancelled",
      told(cancelled=True)),
    # Points.
    F("a charge is missing", BOOKED, "charges and refunds", lambda at: ledger_entry_lost(at, -PRICE)),
    F("a charge is applied twice", BOOKED, "charges and refunds", lambda at: ledger_entry_twice(at, -PRICE)),
    F("a refund is missing", UNDONE, "charges and refunds", lambda at: ledger_entry_lost(at, PRICE)),
    F("a refund is applied twice", UNDONE, "charges and refunds", lambda at: ledger_entry_twice(at, PRICE)),
    F("a poor customer was charged", POOR, "charges and refunds", lambda at: at.ledger.add(delta=-PRICE, payment_id="p")),
    F("a point is missing from a wallet", UNDONE, "balance",
      lambda at: setattr(at.wallet, "balance", at.wallet.balance - 1)),
    # Seats.
    F("a booked seat is free again", BOOKED, "seat: CANCELLED",
      lambda at: setattr(at.reservation, "status", status("CANCELLED"))),
    F("a booked seat belongs to somebody else", BOOKED, "owner of the seat",
      lambda at: setattr(at.seat, "user_id", "somebody-else")),
    F("a seat stays confirmed after the undo", UNDONE, "seat: CONFIRMED",
      lambda at: setattr(at.reservation, "status", status("CONFIRMED"))),
    # Tokens.
    F("the token of a booked ticket is still good", BOOKED, "token: ISSUED",
      lambda at: setattr(at.token, "status", token_status("ISSUED"))),
    F("the token was used up by a saga that was undone", UNDONE, "token: EXPIRED",
      lambda at: setattr(at.token, "status", token_status("EXPIRED"))),
    # A plain participant's journal.
    F("a voucher is granted twice", STAMPED, "vouchers granted and revoked: (2, 0)", lambda at: at.deed("grant")),
    F("a voucher is missing", STAMPED, "vouchers granted and revoked: (0, 0)", lambda at: at.undo_deed("grant")),
    F("a voucher was never revoked", UNDONE, "vouchers granted and revoked: (1, 0)", lambda at: at.undo_deed("revoke")),
    F("a voucher's grant landed again after its undo", UNDONE, "vouchers granted and revoked: (2, 1)",
      lambda at: at.deed("grant")),
    F("a stamp is given twice", STAMPED, "stamps: 2", lambda at: at.deed("stamp")),
    # The history.
    F("an entry of the history is missing", BOOKED, "its history has gaps", history_hole),
    F("an action is sent after the abort", UNDONE, "action of charge after the abort",
      lambda at: setattr(at.event("ATTEMPT_STARTED", step="charge", operation=at.pb.OPERATION_COMPENSATION), "operation",
                         at.pb.OPERATION_ACTION)),
    F("a command is sent after the end", BOOKED, "attempt of charge after the end",
      lambda at: at.add_event("ATTEMPT_STARTED", step="charge", operation=at.pb.OPERATION_COMPENSATION)),
    F("a step is undone before one that came after it", UNDONE, "charge was compensated before confirm",
      swap_compensations),
    F("an effect appears after the end", UNDONE, "an effect of grant after the end",
      lambda at: at.add_event("EFFECT_AFTER_TERMINAL", step="grant")),
    F("a step parks for a reason it should never have", BOOKED, "parked for EMPTY_AFTER_SUCCESS",
      lambda at: at.add_event("STEP_PARKED", step="charge", parking_cause="PARKING_CAUSE_EMPTY_AFTER_SUCCESS")),
)


def status(name):
    from tutti.reservation.v1 import reservation_pb2
    return reservation_pb2.ReservationStatus.Value(f"RESERVATION_STATUS_{name}")


def token_status(name):
    from tutti.token.v1 import token_pb2
    return token_pb2.TokenStatus.Value(f"TOKEN_STATUS_{name}")
