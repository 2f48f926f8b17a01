"""The stores that each released version left on a disk, opened by this one: nothing is lost, and everything goes on.

One archive a version, of all processes' folders at a kill -9: sagas that succeeded, were compensated, are parked, wait to
be tried again. `--keep VERSION` makes one, with the programs of the build folder; it is never made anew.
"""

import argparse
import glob
import json
import os
import sys
import tarfile

from google.protobuf.json_format import MessageToDict
from stack.processes import wait_until
from stack.services import pages
from stack.stack import Stack

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "observability"))
from troubles import Troubles, voucher  # noqa: E402

EXPIRE = "tutti.token.v1.TokenService/ExpireToken"
UNAVAILABLE = 14
LEFT_OUT = ("LOG", "OPTIONS", "LOCK")  # what RocksDB writes for people, with the paths of a machine
ENDED = ("SAGA_STATE_SUCCEEDED", "SAGA_STATE_COMPENSATED")


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def described(stack, saga_id):
    """A saga and its history as JSON. What later versions add is not looked for: see `grown`."""
    sagas = stack.sagas()
    events = [MessageToDict(event) for event in pages(sagas.GetSagaHistory, "events", saga_id=saga_id)]
    return {"saga": MessageToDict(sagas.GetSaga(saga_id=saga_id).saga), "history": events}


def grown(old, new):
    """Whether `new` says all that `old` says, at every depth."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(name in new and grown(value, new[name]) for name, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(grown, old, new))
    return old == new


def live(stack):
    """One of each fate."""
    troubles = Troubles(stack, seats=20)
    for _ in range(3):
        troubles.start()
        troubles.start("ticket-in-parallel")
    troubles.refused()
    troubles.start("ticket-in-parallel", refuse_check=True)
    troubles.quiet()
    for name, process in stack.processes.items():  # a restart writes what the logs hold to tables
        process.kill9()
        stack.restart(name)
    parked = [troubles.parked(), troubles.parked()]
    troubles.quiet(parked=len(parked))
    troubles.fault("token", EXPIRE, "FAIL", code=UNAVAILABLE)
    waiting = [troubles.start("ticket-by-pivot") for _ in range(2)]
    wait_until("the token service's answer to be met", lambda: all(
        sum(event.step == "expire-token" for event in pages(troubles.sagas.GetSagaHistory, "events", saga_id=saga_id)) > 1
        for saga_id in waiting))
    return [saga.saga_id for saga in troubles.all()]


def keep(build_dir, version):
    path = os.path.join(HERE, f"{version}.tar.gz")
    if os.path.exists(path):
        raise SystemExit(f"{path} is there already: what a version left on disks does not change")
    with Stack(build_dir, plain=voucher(build_dir)) as stack:
        told = {saga_id: described(stack, saga_id) for saga_id in live(stack)}
        for process in stack.processes.values():
            process.kill9()
        with open(os.path.join(stack.work_dir, "told.json"), "w", encoding="utf-8") as file:
            json.dump(told, file, indent=1)

        def nameless(member):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return None if os.path.basename(member.name).startswith(LEFT_OUT) else member

        with tarfile.open(path, "w:gz") as archive:
            for name in (*stack.processes, "told.json"):
                if os.path.exists(os.path.join(stack.work_dir, name)):
                    archive.add(os.path.join(stack.work_dir, name), name, filter=nameless)
    print(f"{path}: {len(told)} sagas, {os.path.getsize(path)} bytes")


class Restored(Stack):
    """Every process finds the folder that the archive has for it."""

    def __init__(self, build_dir, archive):
        super().__init__(build_dir, plain=voucher(build_dir))
        with tarfile.open(archive) as file:
            file.extractall(self.work_dir)
        with open(os.path.join(self.work_dir, "told.json"), encoding="utf-8") as file:
            self.told = json.load(file)


def open_again(build_dir, archive):
    with Restored(build_dir, archive) as stack:
        sagas = stack.sagas()
        expect("sagas", sorted(saga.saga_id for saga in pages(sagas.ListSagas, "sagas")), sorted(stack.told))
        for saga_id, told in stack.told.items():
            now = described(stack, saga_id)
            expect(f"uid of {saga_id}", now["saga"]["uid"], told["saga"]["uid"])
            if told["saga"]["state"] in ENDED and not grown(told, now):
                raise SystemExit(f"{saga_id} was\n{json.dumps(told, indent=1)}\nand is\n{json.dumps(now, indent=1)}")
            if not grown(told["history"], now["history"][:len(told["history"])]):
                raise SystemExit(f"{saga_id}: its history was rewritten")
        go_on(stack)
        for process in stack.processes.values():
            process.terminate()
        for name in stack.processes:  # what this version wrote into it can be read as well
            stack.restart(name)
        fates = {saga.saga_id: saga.state for saga in pages(sagas.ListSagas, "sagas")}
        expect("sagas in the end", sorted(fates), sorted(stack.told))
    print(f"{os.path.basename(archive)}: {len(stack.told)} sagas, all as they were; those that were open came to an end")


def go_on(stack):
    """What waited is tried again, and what is parked goes on at an operator's word."""
    sagas = stack.sagas()

    def retried():
        parked = list(sagas.ListSagas(filter="parked = true").sagas)
        for saga in parked:
            steps = [{"step": step.name, "history_sequence": step.parking.history_sequence}
                     for step in saga.steps if step.HasField("parking")]
            sagas.RetrySaga(saga_id=saga.saga_id, steps=steps, reason="a new version", by="test")
        return not parked and not stack.unfinished()

    wait_until("everything to end", retried, every=0.3)
    for saga_id, told in stack.told.items():
        state = MessageToDict(sagas.GetSaga(saga_id=saga_id).saga)["state"]
        was = told["saga"]["state"]
        expect(f"state of {saga_id}", state, was if was in ENDED else "SAGA_STATE_SUCCEEDED")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    parser.add_argument("--keep", metavar="VERSION", help="make the archive of this build's version")
    args = parser.parse_args()
    if args.keep:
        keep(args.build_dir, args.keep)
        return
    archives = sorted(glob.glob(os.path.join(HERE, "*.tar.gz")))
    if not archives:
        raise SystemExit("no version's stores are kept")
    for archive in archives:
        open_again(args.build_dir, archive)


if __name__ == "__main__":
    main()
