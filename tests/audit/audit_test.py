"""The audit of the crash and chaos runs finds nothing in a healthy world, and every lie that is told about it.

A small world is booked without faults and its answers are recorded; each falsification changes one thing in a copy.
"""

import copy
import os
import sys

from falsifications import ALL, BOOKED, LOST, POOR, STAMPED, UNDONE, Recording
from recorded_stack import RecordedStack

from stack import scenarios
from stack.audit import Audit
from stack.load import CONCERT, POINTS, Note
from stack.processes import wait_until
from stack.services import struct
from stack.stack import Stack, repository
from stack.world import World

SCENARIOS = {scenario.definition: scenario for scenario in scenarios.ALL}
NO_WHIMS = {"ticket-in-parallel": {"refuse_grant": False, "refuse_check": False},
            "voucher-and-stamp": {"refuse_check": False, "refuse_stamp": 0, "refuse_revoke": 0}}
CUSTOMERS = (  # name, definition, points, whims, whether the start arrives
    (BOOKED, "book-ticket", POINTS, {}, True),
    (POOR, "book-ticket", scenarios.PRICE - 1, {}, True),
    (UNDONE, "ticket-in-parallel", POINTS, {"refuse_check": True}, True),
    (STAMPED, "voucher-and-stamp", POINTS, {}, True),
    (LOST, "book-ticket", POINTS, {}, False),
    ("by a pivot", "ticket-by-pivot", POINTS, {}, True),
    ("in parallel", "ticket-in-parallel", POINTS, {}, True),
    ("no voucher", "ticket-in-parallel", POINTS, {"refuse_grant": True}, True),
    ("check said no", "voucher-and-stamp", POINTS, {"refuse_check": True}, True),
)


def book(stack):
    """Every customer's saga, ended: name -> note."""
    for scenario in scenarios.ALL:
        stack.apply_definition(scenario.path)
    world, sagas = World(stack), stack.sagas()
    world.reservation.CreateConcert(concert_id=CONCERT, seat_count=len(CUSTOMERS))
    notes = {}
    for number, (name, definition, points, whims, arrives) in enumerate(CUSTOMERS):
        note = Note(number, SCENARIOS[definition], points, {**NO_WHIMS.get(definition, {}), **whims})
        world.customer(note.user, points, CONCERT, note.seat)
        if arrives:
            note.remember(sagas.StartSaga(saga_id=note.saga_id, definition=definition,
                                          input=struct(note.scenario.input(note.user, note.whims))).saga)
        notes[name] = note
    wait_until("every saga to end", lambda: stack.unfinished() == 0)
    return notes


def record(build_dir):
    server = os.path.join(repository(), "tests", "chaos", "voucher_server.py")
    descriptors = os.path.join(os.path.abspath(build_dir), "python", "voucher.binpb")
    plain = {"voucher": ([sys.executable, server], f'descriptor_set: "{descriptors}"')}
    with Stack(build_dir, log_level="warning", plain=plain) as stack:
        notes = book(stack)
        recorded = RecordedStack(stack)
        healthy = Audit(recorded, list(notes.values())).run()
        return notes, recorded.copy(), healthy


def told_apart(lie, notes, recorded):
    """What is wrong with the audit's answer to one falsification; empty when it is right."""
    notes, stack = copy.deepcopy(notes), recorded.copy()
    note = notes.get(lie.customer)
    before = Audit(stack.copy(), list(copy.deepcopy(notes).values())).run()
    lie.do(Recording(stack, note))
    audit = Audit(stack, list(notes.values())).run()
    if not any(lie.violation in violation for violation in audit.violations):
        return f"expected “{lie.violation}”, found {audit.violations or 'nothing'}"
    strays = [violation for violation in audit.violations if note and not violation.startswith(f"{note.saga_id} ")]
    if strays:
        return f"blamed others as well: {strays}"
    if lie.counter and getattr(audit, lie.counter) != getattr(before, lie.counter) + 1:
        return f"{lie.counter} is {getattr(audit, lie.counter)}"
    return ""


def main():
    notes, recorded, healthy = record(sys.argv[1])
    wrong = [f"a healthy world: {violation}" for violation in healthy.violations]
    if healthy.outcomes != {"SUCCEEDED": 4, "COMPENSATED": 4} or healthy.unstarted != 1:
        wrong.append(f"a healthy world: {healthy.outcomes}, {healthy.unstarted} not started")
    for lie in ALL:
        problem = told_apart(lie, notes, recorded)
        print(f"{'MISSED' if problem else 'found'}  {lie.what}: {problem or lie.violation}")
        if problem:
            wrong.append(lie.what)
    print(f"{len(ALL)} falsifications, {len(wrong)} problems {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
