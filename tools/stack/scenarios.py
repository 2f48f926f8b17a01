"""What each definition of a load touches, what it is started with, and what it must leave behind."""

import os
from dataclasses import dataclass, field

from stack.stack import repository

PRICE = 300
CHARGE, SEAT, TOKEN, VOUCHER, STAMP = "charge", "seat", "token", "voucher", "stamp"
TICKET = frozenset({CHARGE, SEAT, TOKEN})


@dataclass(frozen=True)
class Scenario:
    """`order`: pairs of steps with compensations, the second after the first, near or far. `whims`: inputs that make a
    participant refuse: name -> the values they are drawn from."""

    definition: str
    folder: str
    effects: frozenset
    order: tuple = ()
    weight: int = 1
    whims: dict = field(default_factory=dict, hash=False)

    @property
    def path(self):
        return os.path.join(repository(), *self.folder.split("/"), f"{self.definition}.yaml")

    def input(self, user, whims):
        values = {"user_id": user, "price": PRICE, **whims}
        if SEAT in self.effects:
            values["reservation_id"] = f"r-{user}"
        if TOKEN in self.effects:
            values["token_id"] = f"t-{user}"
        return values


CHARGE_FIRST = (("charge", "confirm"),)
BOOK_TICKET = Scenario("book-ticket", "participants/sagas", TICKET, CHARGE_FIRST, weight=3)
SELDOM = (False,) * 7 + (True,)
ALL = (
    BOOK_TICKET,
    Scenario("book-ticket-impatient", "participants/sagas", TICKET, CHARGE_FIRST, weight=2),
    Scenario("ticket-by-pivot", "tests/chaos", TICKET, weight=2),
    Scenario("ticket-in-parallel", "tests/chaos", TICKET | {VOUCHER}, (*CHARGE_FIRST, ("charge", "grant")), weight=2,
             whims={"refuse_grant": SELDOM, "refuse_check": SELDOM}),
    Scenario("voucher-and-stamp", "tests/chaos", frozenset({CHARGE, VOUCHER, STAMP}), (("grant", "charge"),), weight=2,
             whims={"refuse_check": SELDOM, "refuse_stamp": (0, 0, 0, 0, 0, 0, 1, 3, 5),
                    "refuse_revoke": (0, 0, 0, 1, 3)}),
)
