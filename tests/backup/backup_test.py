"""A backup under load, the loss of the store, and the way back: the restored store is held, an operator compares the
books, resumes what was open in bulk, and the books are what they were. And what may go wrong with a backup: kill -9, a
stop, a full volume, two at a time."""

import json
import os
import random
import shutil
import subprocess
import sys
import urllib.request

import grpc

from stack.audit import FAIR_PARKINGS, Audit
from stack.clients import stubbornly
from stack.load import CONCERT, POINTS, Crowd
from stack.processes import StackError, wait_until
from stack.scenarios import BOOK_TICKET, PRICE
from stack.services import pages, struct
from stack.stack import Stack
from stack.volume import Volume
from stack.world import World

SEATS = 5000
BEFORE, AFTER = 150, 60
UNAVAILABLE = 14


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def expect_in(what, part, text):
    if part not in text:
        raise SystemExit(f"{what}: {part!r} is not in {text!r}")


class Shell:
    """An operator's."""

    def __init__(self, stack):
        self.stack = stack
        self.environment = {"PATH": os.environ["PATH"], "USER": "ann", "HOME": stack.work_dir}

    def command(self, *arguments):
        return [self.stack.binary("tuttictl"), "--address", self.stack.processes["orchestrator"].address, *arguments]

    def run(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=120)
        if done.returncode != code:
            raise SystemExit(f"tuttictl {' '.join(arguments)}: ended with {done.returncode}, not {code}\n"
                             f"{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "-o", "json", code=code).stdout)

    def restore(self, backup, code=0):
        done = subprocess.run([self.stack.binary("tutti-orchestrator"), "--data-dir", data_dir(self.stack),
                               "--restore-from", backup], capture_output=True, text=True, timeout=120)
        expect(f"restoring {backup}\n{done.stderr}", done.returncode, code)
        return done.stderr


def data_dir(stack):
    argv = stack.processes["orchestrator"].argv
    return argv[argv.index("--data-dir") + 1]


def metric(stack, name):
    port = stack.processes["orchestrator"].ports["metrics"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{"))]
    return found[0] if found else None


def books(world, notes):
    """What the participants hold of each customer, whoever asked for it."""
    seats = sorted((seat.seat, seat.status, seat.user_id)
                   for seat in pages(world.reservation.ListSeats, "seats", concert_id=CONCERT) if seat.user_id)
    return seats, [(note.user, world.ledger(note.user), world.balance(note.user), world.seat_status(note.user),
                    world.token_status(note.user)) for note in notes]


def ids(stack, filter=""):
    def page(**fields):
        return stubbornly(stack.sagas(60).ListSagas, **fields)  # it may just have come back

    return {saga.saga_id for saga in pages(page, "sagas", filter=filter)}


def open_sagas(stack):
    return ids(stack, "state = RUNNING") | ids(stack, "state = COMPENSATING")


def fault(stack, kind, name, method, **more):
    stack.faults(name).SetFault(fault={"method": method, "kind": kind, **more})


def load(stack, rng, count, meanwhile=None):
    """Sagas until `count` more were started. Clients do not wait for what a fault holds up."""
    crowd = Crowd(stack, [BOOK_TICKET], SEATS, 4, rng, per_second=150.0)
    for worker in crowd.workers:
        worker.run_or_start = lambda fields, worker=worker: worker.sagas.StartSaga(**fields).saga
    return crowd


class Story:
    def __init__(self, stack):
        self.stack = stack
        self.shell = Shell(stack)
        self.world = World(stack)
        self.rng = random.Random(12)
        self.backups = os.path.join(stack.work_dir, "backups")

    def back_up_under_load(self):
        """Of the sagas that are open at the backup, some are past their commit point, some before it."""
        stack = self.stack
        fault(stack, "FAULT_KIND_FAIL", "token", "tutti.token.v1.TokenService/ExpireToken", code=UNAVAILABLE)
        fault(stack, "FAULT_KIND_DELAY", "payment", "tutti.payment.v1.PaymentService/Charge", delay_ms=400)
        crowd = load(stack, self.rng, BEFORE)
        with crowd:
            wait_until("sagas", lambda: sum(1 for note in crowd.notes if note.uid) >= BEFORE)
            self.before = [note for note in list(crowd.notes) if note.uid]
            done = self.shell.run("backup", "create", "--verify", "--keep", "3", "-o", "json")
            already = len(crowd.notes)
            wait_until("sagas after the backup", lambda: len(crowd.notes) >= already + AFTER)
        self.notes = crowd.notes
        self.backup = json.loads(done.stdout)
        expect("the first backup", self.backup["backup_id"], "1")
        expect_in("progress", "copying: 0 %", done.stderr)
        expect_in("progress", "verifying: ", done.stderr)
        expect("the time of the last success", metric(stack, "tutti_backup_last_success_timestamp_seconds") > 1e9, True)

    def go_on_and_lose_the_store(self):
        """What was open at the backup, and what came later, has ended when everything is lost."""
        stack = self.stack
        stack.faults("payment").ClearFaults()
        stack.faults("token").ClearFaults()
        wait_until("all sagas to end", lambda: not open_sagas(stack), 60)
        self.known = ids(stack)
        self.books = books(self.world, self.notes)
        stack.processes["orchestrator"].kill9()
        shutil.rmtree(data_dir(stack))

    def restore(self):
        shell, stack = self.shell, self.stack
        expect_in("a restore", "restored", shell.restore(self.backups + "#1"))
        expect_in("a second restore", "is held", shell.restore(self.backups, code=1))
        report = shell.json("doctor", data_dir(stack))
        expect("flaws", report["flaws"], [])
        expect("sagas in the store", int(report["sagas"]) > 0, True)
        one = self.before[0].saga_id
        expect("the doctor on one saga", shell.json("doctor", data_dir(stack), "--saga", one)["sagas"], "1")
        shell.run("doctor", data_dir(stack), "--saga", "nobody", code=1)
        expect_in("the doctor on backups", "folder of backups", shell.run("doctor", self.backups, code=1).stderr)
        stack.restart("orchestrator")

    def held(self):
        stack, shell = self.stack, self.shell
        self.found = ids(stack)
        missing = [note.saga_id for note in self.before if note.saga_id not in self.found]
        expect("sagas acknowledged before the backup that are gone", missing, [])
        waiting = open_sagas(stack)
        parked = shell.json("parked", "--limit", str(SEATS))["parked"]
        expect("causes", {step["cause"] for step in parked}, {"PARKING_CAUSE_RESTORED"})
        expect("what is parked", {step["saga_id"] for step in parked}, waiting)
        for operation in ("OPERATION_ACTION",):
            expect_in("operations", operation, {step["operation"] for step in parked})
        hold = shell.json("hold", "get")["hold"]
        expect("the hold", (hold["held"], hold["backup_id"], hold["origin_store_id"]),
               (True, "1", self.backup["store_id"]))
        expect("the gauge", metric(stack, "tutti_store_held"), 1)
        self.starts()
        stack.processes["orchestrator"].kill9()
        stack.restart("orchestrator")
        again = shell.json("parked", "--limit", str(SEATS))["parked"]
        expect("parkings after a restart", sorted(step["history_sequence"] for step in again),
               sorted(step["history_sequence"] for step in parked))
        expect("the books while it is held", books(self.world, self.notes), self.books)
        return parked

    def starts(self):
        """A lost saga's client asks again, and is told to wait; a known one's finds its saga."""
        sagas = self.stack.sagas()
        lost = next(note for note in self.notes if note.saga_id in self.known - self.found)
        for note, code in ((lost, grpc.StatusCode.UNAVAILABLE), (self.before[0], grpc.StatusCode.OK)):
            fields = {"saga_id": note.saga_id, "definition": "book-ticket",
                      "input": struct(note.scenario.input(note.user, note.whims))}
            for call in (sagas.StartSaga, sagas.RunSaga):
                try:
                    answer = call(**fields, timeout=3)
                    expect("a repeated start", (answer.already_started, code), (True, grpc.StatusCode.OK))
                except grpc.RpcError as error:
                    if code == grpc.StatusCode.OK and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                        continue  # RunSaga waits for what is parked
                    expect("a new start of a store that is held", error.code(), code)
                    expect_in("its reason", "compared the books", error.details())

    def resume(self, parked):
        """One by hand, the rest in bulk, then new sagas."""
        shell, stack = self.shell, self.stack
        one = parked[0]
        shell.run("retry", one["saga_id"], "--step", one["step"], "--sequence", one["history_sequence"])
        wait_until("the one that was resumed", lambda: one["saga_id"] not in open_sagas(stack))
        stack.processes["orchestrator"].kill9()
        stack.restart("orchestrator")
        would = shell.json("retry", "--all", "--cause", "restored", "--dry-run")
        expect("what would be retried", int(would["retried"]), len(parked) - 1)
        did = shell.json("retry", "--all", "--cause", "RESTORED", "--reason", "the books agree")
        expect("what was retried", (int(did["retried"]), int(did["refused"])), (len(parked) - 1, 0))
        wait_until("all sagas to end", lambda: not open_sagas(stack), 60)
        expect("still held", shell.json("hold", "get")["hold"]["held"], True)
        shell.run("hold", "release", code=2)
        released = shell.json("hold", "release", "--reason", "the books agree")["hold"]
        expect("released", (released["held"], released["released_by"]), (False, "ann"))
        expect("the gauge", metric(stack, "tutti_store_held"), 0)

    def compare(self):
        expect("the books", books(self.world, self.notes), self.books)
        audit = Audit(self.stack, [note for note in self.notes if note.saga_id in self.found],
                      (*FAIR_PARKINGS, "RESTORED")).run()
        expect("the audit's violations", audit.violations[:5], [])
        expect("sagas that were lost with what came after the backup", len(self.known - self.found) > 0, True)
        customer = self.world.customer("afterwards", POINTS, CONCERT, SEATS)
        self.shell.run("saga", "run", "book-ticket", "--id", "afterwards", "--until-finished", "--input",
                       json.dumps({**customer, "price": PRICE}))

    def backups_of_both(self):
        """The restored store may go on in the folder it comes from, under a name of its own."""
        second = self.shell.json("backup", "create")
        expect("another store", second["store_id"] == self.backup["store_id"], False)
        listed = self.shell.json("backup", "list")["backups"]
        expect("backups", [backup["backup_id"] for backup in listed], ["2", "1"])
        expect_in("keep", "keep", self.shell.run("backup", "delete", "--keep", "0", code=2).stderr)
        self.shell.run("backup", "delete", "--keep", "1")
        expect("backups that are left", len(self.shell.json("backup", "list")["backups"]), 1)


class Troubles:
    """On a slow backup."""

    def __init__(self, stack, volume):
        self.stack = stack
        self.volume = volume
        self.shell = Shell(stack)
        self.orchestrator = stack.processes["orchestrator"]

    def fill(self, prefix, count=60):
        """Some MiB that do not compress."""
        sagas = self.stack.sagas(60)
        for number in range(count):
            noise = "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=60_000))
            values = {"user_id": "nobody", "reservation_id": noise, "token_id": "t", "price": PRICE}
            sagas.StartSaga(saga_id=f"{prefix}-{number}", definition="book-ticket", input=struct(values))

    def begin(self):
        """A backup that is under way."""
        process = subprocess.Popen(self.shell.command("backup", "create"), env=self.shell.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = ""
        while "copying: " not in line or "copying: 0 %" in line:
            line = process.stderr.readline()
            if not line:
                raise StackError(f"the backup ended early: {process.communicate()}")
        return process

    def end(self, process, code, reason):
        out, err = process.communicate(timeout=60)
        expect(f"a backup's end\n{out}{err}", process.returncode, code)
        expect_in("its reason", reason, err)

    def intact(self, count):
        listed = self.shell.json("backup", "list")["backups"]
        expect("backups", [backup["problem"] for backup in listed], [""] * count)
        self.shell.run("backup", "verify")

    def play(self):
        self.fill("first")
        expect("the first backup", self.shell.json("backup", "create", "--verify")["backup_id"], "1")
        self.orchestrator.set_option("--backup-rate", "1")
        self.fill("second")
        self.stop()
        self.kill()
        self.walk_away()
        self.two_at_a_time()
        if self.volume.can_be_full:
            self.full()
        else:
            print("no volume of its own may be mounted here: a full one was not tried")

    def stop(self):
        expect("a stop", self.orchestrator.terminate(), 0)
        self.stack.restart("orchestrator")
        process = self.begin()
        expect("a stop during a backup", self.orchestrator.terminate(), 0)
        self.end(process, 6, "SHUTTING_DOWN")
        self.stack.restart("orchestrator")
        self.intact(1)

    def kill(self):
        process = self.begin()
        self.orchestrator.kill9()
        self.end(process, 6, "UNAVAILABLE")
        self.stack.restart("orchestrator")
        self.intact(1)
        left = [name for name in os.listdir(os.path.join(self.volume.path, "backups", "private"))]
        expect("what is left of it", left, ["1"])

    def walk_away(self):
        process = self.begin()
        process.kill()
        process.communicate()
        wait_until("the next backup to be let in", lambda: subprocess.run(
            self.shell.command("backup", "verify"), env=self.shell.environment, capture_output=True).returncode == 0)
        self.intact(1)

    def two_at_a_time(self):
        process = self.begin()
        for arguments in (("create",), ("verify",), ("delete", "--keep", "1")):
            expect_in("another", "BACKUP_BUSY", self.shell.run("backup", *arguments, code=1).stderr)
        expect("a listing meanwhile", len(self.shell.json("backup", "list")["backups"]), 1)
        out, err = process.communicate(timeout=120)
        expect(f"the one that was first\n{out}{err}", process.returncode, 0)
        self.intact(2)

    def full(self):
        self.fill("third")
        process = self.begin()
        self.volume.fill()
        self.end(process, 1, "BACKUP_NO_ROOM")
        refused = self.shell.run("backup", "create", code=1).stderr
        expect_in("a backup for which there is no room", "BACKUP_NO_ROOM", refused)
        expect("the orchestrator runs on", self.orchestrator.running(), True)
        self.fill("fourth", count=2)
        self.volume.relieve()
        self.intact(2)
        expect("a backup that has room again", self.shell.json("backup", "create", "--verify")["problem"], "")


def main():
    build = sys.argv[1]
    with Stack(build) as stack:
        orchestrator = stack.processes["orchestrator"]
        Shell(stack).run("backup", "create", code=1)
        orchestrator.set_option("--backup-dir", os.path.join(stack.work_dir, "backups"))
        expect("a stop", orchestrator.terminate(), 0)
        stack.restart("orchestrator")
        stack.apply_definition(BOOK_TICKET.path)
        World(stack).reservation.CreateConcert(concert_id=CONCERT, seat_count=SEATS)
        story = Story(stack)
        story.back_up_under_load()
        story.go_on_and_lose_the_store()
        story.restore()
        parked = story.held()
        story.resume(parked)
        story.compare()
        story.backups_of_both()
        print(f"{len(story.found)} sagas came back, {len(parked)} of them held; "
              f"{len(story.known - story.found)} were begun after the backup; the books are what they were")
    with Stack(build) as stack:
        volume = Volume(stack.work_dir, megabytes=300)
        try:
            stack.processes["orchestrator"].set_option("--backup-dir", os.path.join(volume.path, "backups"))
            expect("a stop", stack.processes["orchestrator"].terminate(), 0)
            stack.restart("orchestrator")
            stack.apply_definition(BOOK_TICKET.path)
            Troubles(stack, volume).play()
            expect("the end", stack.processes["orchestrator"].terminate(), 0)
        finally:
            volume.close()
        print(f"stopped, killed, left alone and without room ({volume.kind}), a backup harms no earlier one")


if __name__ == "__main__":
    main()
