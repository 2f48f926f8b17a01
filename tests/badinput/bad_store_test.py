"""The orchestrator's binary on stores that are damaged, foreign or from the future: it says what is wrong and does not
serve. What it must never do is start with less than it had. A damaged saga alone keeps nobody else from being served: it
is named, and left as it is."""

import json
import os
import shutil
import subprocess
import sys

from stack.clients import stubbornly
from stack.load import POINTS
from stack.processes import StackError, wait_until
from stack.scenarios import BOOK_TICKET
from stack.services import struct
from stack.stack import Stack
from stack.world import World

CONCERT = "bad-store"
DAMAGED = "pending-ann"


def files(store, suffix):
    """The largest first."""
    found = [os.path.join(store, name) for name in os.listdir(store) if name.endswith(suffix)]
    return sorted(found, key=os.path.getsize, reverse=True)


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x55]))


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def manifest(store):
    return next(os.path.join(store, name) for name in os.listdir(store) if name.startswith("MANIFEST"))


def foreign_file(store):
    shutil.rmtree(store)
    os.makedirs(store)
    with open(os.path.join(store, "diary.txt"), "w", encoding="utf-8") as file:
        file.write("dear diary")


def a_file_in_its_place(store):
    shutil.rmtree(store)
    with open(store, "w", encoding="utf-8"):
        pass


def log_middle(store):
    log = files(store, ".log")[0]
    flip(log, os.path.getsize(log) // 2)


def cut_record(store):
    """The last one goes, without a trace in the log itself."""
    log = next(path for path in files(store, ".log") if os.path.getsize(path))
    with open(log, "rb") as file:
        content = file.read()
    at = last = 0
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        last = at
        at += 7 + int.from_bytes(content[at + 4 : at + 6], "little")
    os.truncate(log, last)


# Damage by hand -> a word of the message. Those of the second kind need the store's own records.
BY_HAND = {
    "a foreign folder": (foreign_file, "no store of Tutti's"),
    "a file in its place": (a_file_in_its_place, "store"),
    "CURRENT is gone": (lambda store: os.remove(os.path.join(store, "CURRENT")), "lacks CURRENT"),
    "the manifest is gone": (lambda store: os.remove(manifest(store)), "the store at"),
    "the manifest is cut": (lambda store: truncate(manifest(store)), "damaged"),
    "the log is gone": (lambda store: [os.remove(log) for log in files(store, ".log")], "lacks its log"),
    "SYNCED is gone": (lambda store: os.remove(os.path.join(store, "SYNCED")), "lacks SYNCED"),
    "the log is cut": (cut_record, "changes that were acknowledged"),
    "a byte of the log is flipped": (log_middle, "damaged"),
    "a table is gone": (lambda store: os.remove(files(store, ".sst")[0]), "damaged"),
    "a table is cut": (lambda store: truncate(files(store, ".sst")[0]), "damaged"),
    "a table's first byte is flipped": (lambda store: flip(files(store, ".sst")[0], 0), "damaged"),
}
STEPPED_OVER = {
    "garbled-saga": "its stored bytes are damaged",
    "missing-saga": "has no record",
    "saga-without-steps": "does not fit",
    "saga-of-another-name": "the record of another",
}
EDITED = {
    "newer-saga": "newer version",
    "newer-definition": "newer version",
    "garbled-definition": "definition",
    "missing-definition": "book-ticket",
    "missing-descriptors": "book-ticket",
    "one-descriptor-less": "book-ticket",
    "edited-source": "book-ticket",
}


class Victim:
    """Copies of one good store, with a saga in flight in it."""

    def __init__(self, stack, editor):
        self.stack = stack
        self.editor = editor
        self.good = os.path.join(stack.work_dir, "orchestrator")
        self.failures = []

    def copy(self, name):
        copy = os.path.join(self.stack.work_dir, f"copy-{name.replace(' ', '-')}")
        shutil.copytree(self.good, copy)
        return copy

    def serve(self, data_dir):
        """(exit status or None while serving, what it said)"""
        port_file = data_dir + ".ports"
        argv = [self.stack.binary("tutti-orchestrator"), "--data-dir", data_dir, "--participants",
                self.stack.participants_file, "--listen", "127.0.0.1:0", "--port-file", port_file, "--log-level", "error"]
        popen = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                 start_new_session=True)
        try:
            wait_until(f"{data_dir} to be served or refused",
                       lambda: popen.poll() is not None or os.path.exists(port_file))
            status = popen.poll()
        finally:
            if popen.poll() is None:
                popen.kill()
            said = popen.communicate()[1]
        return status, said

    def expect_refusal(self, name, data_dir, word):
        status, said = self.serve(data_dir)
        told = said.strip().splitlines()[-1] if said.strip() else ""
        if status is None:
            self.failures.append(f"{name}: it serves")
        elif status != 1:
            self.failures.append(f"{name}: ended with status {status}: {told}")
        elif word not in told:
            self.failures.append(f"{name}: does not say {word!r}: {told}")
        print(f"{name}: {'serves' if status is None else told}", flush=True)


    def expect_service(self, name, data_dir, word):
        """One saga is damaged; the others are served, and it is told of."""
        status, said = self.serve(data_dir)
        told = [line["reason"] for line in map(json.loads, said.splitlines()) if line.get("saga_id") == DAMAGED]
        if status is not None:
            self.failures.append(f"{name}: is not served: {said}")
        elif len(told) != 1 or word not in told[0]:
            self.failures.append(f"{name}: not told once with {word!r}: {said}")
        print(f"{name}: serves, and says {told}", flush=True)


def make_store(stack):
    """A store whose table files and log both hold something, and a saga that waits for the token service."""
    stack.apply_definition(BOOK_TICKET.path)
    world = World(stack)
    world.reservation.CreateConcert(concert_id=CONCERT, seat_count=2)
    stack.processes["token"].kill9()
    start(stack, world, "ann", seat=1)
    stack.processes["orchestrator"].kill9()
    stack.restart("orchestrator")  # moves the log into tables
    start(stack, world, "bea", seat=2)


def start(stack, world, user, seat):
    world.payment.TopUp(user_id=user, amount=POINTS, request_id="start")
    world.reservation.Hold(concert_id=CONCERT, seat=seat, user_id=user, reservation_id=f"r-{user}")
    stubbornly(stack.sagas().RunSaga, saga_id=f"pending-{user}", definition=BOOK_TICKET.definition,
               input=struct(BOOK_TICKET.input(user, {})))


def main():
    build_dir = sys.argv[1]
    with Stack(build_dir, log_level="warning") as stack:
        victim = Victim(stack, os.path.join(build_dir, "tests", "store_editor"))
        make_store(stack)
        victim.expect_refusal("the store is in use", victim.good, "in use by another process")
        stack.processes["orchestrator"].kill9()
        status, said = victim.serve(victim.copy("good"))
        if status is not None:
            raise StackError(f"the undamaged copy is not served: {said}")
        for name, (damage, word) in BY_HAND.items():
            copy = victim.copy(name)
            damage(os.path.join(copy, "store"))
            victim.expect_refusal(name, copy, word)
        for name, word in STEPPED_OVER.items():
            copy = victim.copy(name)
            subprocess.run([victim.editor, os.path.join(copy, "store"), name, DAMAGED], check=True,
                           stdout=subprocess.DEVNULL)
            victim.expect_service(name, copy, word)
        for name, word in EDITED.items():
            copy = victim.copy(name)
            subprocess.run([victim.editor, os.path.join(copy, "store"), name], check=True, stdout=subprocess.DEVNULL)
            victim.expect_refusal(name, copy, word)
        for failure in victim.failures:
            print(f"FAILED {failure}")
        return 1 if victim.failures else 0


if __name__ == "__main__":
    sys.exit(main())
