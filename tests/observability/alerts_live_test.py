"""Every alert fired and cleared for real: the fault is caused on the real stack, under a load, and mended again.

A real Prometheus evaluates the chart's own rules; only their time is shortened (prometheus.shortened says how).
"""

import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import grpc
import yaml

import prometheus
from latecomer import Latecomer
from prometheus import Prometheus
from stack.processes import StackError, wait_until
from stack.scrape import scrape
from stack.sealed import Sealed
from stack.services import struct
from stack.stack import Stack, repository
from stack.volume import Volume
from troubles import CONFIRM, REFUND, Stream, Troubles, voucher

EXPIRE = "tutti.token.v1.TokenService/ExpireToken"
UNAVAILABLE = 14
FIRES_SECONDS, CLEARS_SECONDS = 60, 90
VOLUME_MEGABYTES = 256
GRACE = "2s"
LISTINGS = 400
IDLE_CONNECTIONS = 400
MEMORY_LIMIT = "8GiB"
SWEEP_INTERVAL = "1s"  # well below the shortened thresholds of TuttiSweepLagging
LATE = "voucher-for-latecomers"


@contextlib.contextmanager
def repeated(act, every):
    """`act`, `every` so many seconds after it last ended, beside what is done inside. At least once."""
    stop = threading.Event()
    failures = []

    def go_on():
        try:
            act()
            while not stop.wait(every):
                act()
        except Exception as error:  # noqa: BLE001  (told where somebody hears it)
            failures.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


class Drills:
    """Each drill is a context: the fault is there inside, and mended outside. Its name is its alert's."""

    def __init__(self, stack, latecomer, sealed):
        self.stack = stack
        self.sealed = sealed
        self.switch = stack.switch
        self.latecomer = latecomer
        self.troubles = Troubles(stack, seats=20000)
        stack.apply_definition(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{LATE}.yaml"))

    @contextlib.contextmanager
    def failing(self, participant, method, kind="FAIL", **fields):
        self.troubles.fault(participant, method, kind, **({"code": UNAVAILABLE} if kind == "FAIL" else {}), **fields)
        yield
        self.troubles.heal(participant)

    @contextlib.contextmanager
    def success_burn_fast(self):
        """Confirm answers nothing but UNAVAILABLE: attempts run out, sagas turn round."""
        with self.failing("reservation", CONFIRM), Stream(lambda: self.troubles.start("book-ticket-impatient")):
            yield {"definition": "book-ticket-impatient"}

    success_burn_slow = success_burn_fast

    @contextlib.contextmanager
    def saga_stuck(self):
        """A retriable step goes on for ever against a service that is always overloaded."""
        with self.failing("token", EXPIRE):
            self.troubles.start("ticket-by-pivot")
            yield {"definition": "ticket-by-pivot", "state": "running"}

    @contextlib.contextmanager
    def step_parked(self):
        """The voucher service refuses to stamp; the operator retries until it does."""
        self.troubles.parked()
        yield {"definition": "voucher-and-stamp", "step": "stamp", "operation": "action", "cause": "refused"}
        wait_until("the operator to be done", lambda: not self.troubles.retry(), every=0.3)

    @contextlib.contextmanager
    def compensation_failing(self):
        """The check says no, and the refund cannot be made."""
        with self.failing("payment", REFUND), Stream(
                lambda: self.troubles.start("ticket-in-parallel", refuse_check=True), per_second=5):
            yield {"definition": "ticket-in-parallel", "step": "charge"}

    @contextlib.contextmanager
    def late_results_surging(self):
        """Confirm answers in 600 ms where 400 are granted."""
        with self.failing("reservation", CONFIRM, "DELAY_REPLY", delay_ms=600), Stream(
                lambda: self.troubles.start("book-ticket-impatient"), per_second=8):
            yield {"definition": "book-ticket-impatient", "step": "confirm"}

    @contextlib.contextmanager
    def effect_after_terminal(self):
        """A replica without the barrier grants a voucher whose saga was undone; the one beside it had refused one."""
        self.late_answer("late-and-refused", keeps_barrier=True)
        self.late_answer("late-and-granted", keeps_barrier=False)
        yield {"definition": LATE}
        found = self.runbook_loop("TuttiEffectAfterTerminal", LATE)
        print("\n".join(f"  the runbook's loop: {line}" for line in found))
        if [line.split()[0] for line in found] != self.latecomer.books:
            raise StackError(f"the runbook's loop finds {found}; vouchers are left of {self.latecomer.books}")
        logged = self.logged_sagas("an action succeeded after its saga was compensated")
        if logged != self.latecomer.books:
            raise StackError(f"the orchestrator's log names {logged}; vouchers are left of {self.latecomer.books}")
        self.latecomer.books.clear()  # by hand, as the runbook says

    def logged_sagas(self, words):
        with open(self.stack.processes["orchestrator"].log_path, encoding="utf-8") as log:
            lines = [json.loads(line) for line in log if words in line]
        return [line["saga_id"] for line in lines]

    def late_answer(self, saga_id, keeps_barrier):
        """A saga that is over, and then the answer to its action."""
        from tutti.v1 import saga_service_pb2
        saga = self.troubles.sagas.RunSaga(saga_id=saga_id, definition=LATE, input=struct({}),
                                           wait_until=saga_service_pb2.WAIT_UNTIL_FINISHED).saga
        if saga.state != self.troubles.pb.SAGA_STATE_COMPENSATED or not saga.settling:
            raise StackError(f"not a saga that is compensated and may yet be answered: {saga}")
        self.latecomer.answer(keeps_barrier)
        wait_until(f"{saga_id} to settle", lambda: not self.troubles.get(saga_id).settling)

    def runbook_loop(self, alert, definition):
        """The lines that a page's loop over sagas prints."""
        with open(os.path.join(repository(), "docs", "runbooks", f"{alert}.md"), encoding="utf-8") as file:
            loop = re.search(r"^    for saga in .*?^    done$", file.read(), re.M | re.S)
        script = textwrap.dedent(loop[0]).replace("NAME", definition)
        environment = {**os.environ, "TUTTI_ADDRESS": self.stack.processes["orchestrator"].address,
                       "PATH": f"{os.path.dirname(self.stack.binary('tuttictl'))}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, stdout=subprocess.PIPE,
                              text=True, check=True, timeout=60)
        return done.stdout.splitlines()

    @contextlib.contextmanager
    def record_unreadable(self):
        """The bytes of one open saga are damaged while the orchestrator is down, and put back in the end."""
        saga_id = self.troubles.parked()
        wait_until(f"{saga_id} to park", lambda: self.troubles.get(saga_id).parked)
        self.invert_record(saga_id)
        yield {"job": "tutti-orchestrator"}
        logged = self.logged_sagas("a record cannot be read and was stepped over")
        if logged != [saga_id]:
            raise StackError(f"the orchestrator's log names {logged}; the damaged record is that of {saga_id}")
        self.invert_record(saga_id)
        wait_until("the operator to be done", lambda: not self.troubles.retry(), every=0.3)

    def invert_record(self, saga_id):
        self.stack.processes["orchestrator"].kill9()
        store = os.path.join(self.stack.volume.path, "orchestrator", "store")
        editor = os.path.join(self.stack.build_dir, "tests", "store_editor")
        subprocess.run([editor, store, "inverted-saga", saga_id], check=True, stdout=subprocess.DEVNULL)
        self.stack.restart("orchestrator")

    @contextlib.contextmanager
    def orchestrator_down(self):
        self.stack.processes["orchestrator"].kill9()
        yield {"job": "tutti-orchestrator"}
        self.stack.restart("orchestrator")

    @contextlib.contextmanager
    def commit_slow(self):
        """Every sync of the disk takes 150 ms longer."""
        with open(self.switch, "w", encoding="utf-8"):
            pass
        yield {"job": "tutti-orchestrator"}
        os.remove(self.switch)

    @contextlib.contextmanager
    def timer_lag(self):
        """The process stands still again and again for more than a second, with many backoffs pending.

        A scrape that meets the first 0.4 s of a standstill runs into its time limit. Turns of 1.8 s let none of two in a row
        do so, and put the end of a standstill between any two that are left of the four in a shortened rule's window.
        """
        stop = threading.Event()

        def starve():
            while not stop.is_set():
                with self.stack.processes["orchestrator"].paused():
                    time.sleep(1.4)
                stop.wait(0.4)

        with self.failing("token", EXPIRE):
            for _ in range(40):
                self.troubles.start("ticket-by-pivot")
            thread = threading.Thread(target=starve)
            thread.start()
            try:
                yield {"job": "tutti-orchestrator"}
            finally:
                stop.set()
                thread.join()

    @contextlib.contextmanager
    def participant_down(self):
        self.stack.processes["token"].kill9()
        yield {"participant": "token"}
        self.stack.restart("token")

    @contextlib.contextmanager
    def participant_missing(self):
        """participants.yaml lacks one that an enabled definition calls, and is taken all the same."""
        settings = self.stack.foreign.pop("latecomer")
        self.reload()
        yield {"participant": "latecomer"}
        self.stack.foreign["latecomer"] = settings
        self.reload()

    def reload(self):
        self.stack.write_participants_file()
        self.stack.processes["orchestrator"].popen.send_signal(signal.SIGHUP)

    @contextlib.contextmanager
    def renewed(self, content):
        """The CA of a participant is replaced."""
        with open(self.sealed.ca, "rb") as file:
            good = file.read()
        self.write_ca(content)
        yield {"side": "client", "participant": "sealed", "kind": "ca"}
        self.write_ca(good)

    def write_ca(self, content):
        with open(self.sealed.ca, "wb") as file:
            file.write(content)

    def certificate_rejected(self):
        with open(self.sealed.ca, "rb") as file:
            content = file.read()
        return self.renewed(content[:len(content) // 2])

    def certificate_ending(self):
        """The connection that stands goes on."""
        return self.renewed(self.sealed.make("ending", days=10)[0])

    @contextlib.contextmanager
    def restarting(self):
        """The token service ends again and again, as soon as it has been seen."""
        def crash():
            self.stack.processes["token"].kill9()
            self.stack.restart("token")

        with repeated(crash, every=1.5):
            yield {"job": "tutti-token"}

    @contextlib.contextmanager
    def scrape_failing(self):
        """The token service hangs, /metrics included."""
        with self.stack.processes["token"].paused():
            yield {"job": "tutti-token"}

    @contextlib.contextmanager
    def requests_refused(self):
        """Somebody lists everything several hundred times at once; 128 listings may wait."""
        from tutti.v1 import saga_service_pb2
        with grpc.insecure_channel(self.stack.processes["orchestrator"].address) as channel:
            listing = channel.unary_unary("/tutti.v1.SagaService/ListSagas",
                                          request_serializer=saga_service_pb2.ListSagasRequest.SerializeToString)
            everything = saga_service_pb2.ListSagasRequest(page_size=1000)

            def rush():
                # Those that are taken are not waited for: they come after the others' work.
                for call in [listing.future(everything, timeout=1) for _ in range(LISTINGS)]:
                    call.exception()  # a refusal is what is wanted

            with repeated(rush, every=0):
                yield {"job": "tutti-orchestrator", "method": "ListSagas"}

    @contextlib.contextmanager
    def descriptors_running_out(self):
        """A client that never closes its connections, where few descriptors may be open."""
        process = self.stack.processes["orchestrator"]
        pid, (host, port) = process.popen.pid, process.address.rsplit(":", 1)
        with contextlib.ExitStack() as held:
            for _ in range(IDLE_CONNECTIONS):
                held.enter_context(socket.create_connection((host, int(port)), timeout=10))
            wait_until("the connections to be taken",
                       lambda: len(os.listdir(f"/proc/{pid}/fd")) > IDLE_CONNECTIONS)
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) * 100 // 85, limits[1]))
            yield {"job": "tutti-orchestrator"}
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

    def restart_with(self, option, value):
        process = self.stack.processes["orchestrator"]
        process.terminate()
        process.set_option(option, value)
        self.stack.restart("orchestrator")

    @contextlib.contextmanager
    def memory_short(self):
        """The limit is what it takes already."""
        self.restart_with("--memory-limit", MEMORY_LIMIT)
        taken = scrape(self.stack.processes["orchestrator"]).sum("process_resident_memory_bytes")
        self.restart_with("--memory-limit", str(int(taken)))
        yield {"job": "tutti-orchestrator"}
        self.restart_with("--memory-limit", MEMORY_LIMIT)

    @contextlib.contextmanager
    def sweep_lagging(self):
        """After its first walk the sweep rests for an hour."""
        self.restart_with("--sweep-interval", "1h")
        yield {"job": "tutti-orchestrator"}
        self.restart_with("--sweep-interval", SWEEP_INTERVAL)

    @contextlib.contextmanager
    def api_deaf(self):
        """All descriptors that connections may take are taken: three quarters of those that there may be."""
        pid = self.stack.processes["orchestrator"].popen.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) * 5 // 4, limits[1]))
        yield {"job": "tutti-orchestrator"}
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

    @contextlib.contextmanager
    def disk_filling(self):
        """A neighbour on the volume leaves 8 % of it."""
        volume = self.stack.volume
        room = os.statvfs(volume.path)
        ballast = (room.f_bavail - room.f_blocks * 8 // 100) * room.f_frsize
        with open(os.path.join(volume.path, "ballast"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, ballast)
        yield {"job": "tutti-orchestrator"}
        volume.relieve()


    @contextlib.contextmanager
    def backup_old(self):
        """All backups are gone, and nobody has made another."""
        process = self.stack.processes["orchestrator"]
        process.terminate()
        shutil.rmtree(self.stack.backups)
        self.stack.restart("orchestrator")
        yield {"job": "tutti-orchestrator"}
        self.stack.back_up()


def alerts():
    """Alert name -> name of its drill. The rule file decides what must be drilled."""
    with open(prometheus.RULES, encoding="utf-8") as file:
        rules = [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    names = [rule["alert"].removeprefix("Tutti") for rule in rules if "alert" in rule]
    return {f"Tutti{name}": "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:] for name in names}


def firing(prometheus_, alert, labels):
    return [found for found in prometheus_.firing().get(alert, ()) if labels.items() <= found.items()]


def drill(prometheus_, alert, fault):
    with fault as labels:
        began = time.monotonic()
        wait_until(f"{alert} to fire for {labels}", lambda: firing(prometheus_, alert, labels), FIRES_SECONDS, every=0.5)
        fired = time.monotonic() - began
        text = prometheus_.annotations(alert, labels)
        if "<no value>" in " ".join(text.values()):
            raise StackError(f"{alert}: {text}")
    began = time.monotonic()
    wait_until(f"{alert} to clear", lambda: not firing(prometheus_, alert, labels), CLEARS_SECONDS, every=0.5)
    print(f"{alert}: fired after {fired:.0f} s, cleared {time.monotonic() - began:.0f} s after the repair\n"
          f"  {text['description']}", flush=True)


def slow_sync(folder):
    """argv prefix under which a process syncs slowly while a switch exists, and the switch."""
    library, switch = os.path.join(folder, "slow_sync.so"), os.path.join(folder, "slow")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_sync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={library}", f"SLOW_SYNC_SWITCH={switch}"], switch


class DrilledStack(Stack):
    def start(self):
        prefix, self.switch = slow_sync(self.work_dir)
        process = self.processes["orchestrator"]
        process.argv = prefix + process.argv
        self.backups = os.path.join(self.work_dir, "backups")
        process.set_option("--backup-dir", self.backups)
        super().start()
        self.back_up()

    def back_up(self):
        subprocess.run([self.binary("tuttictl"), "--address", self.processes["orchestrator"].address, "backup", "create"],
                       check=True, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    parser.add_argument("--only", nargs="*", help="alerts to drill")
    args = parser.parse_args()
    prometheus.tool("prometheus")
    with open(prometheus.RULES, encoding="utf-8") as file:
        rules = prometheus.shortened(file.read())
    with tempfile.TemporaryDirectory(prefix="tutti-sealed-") as folder, Latecomer() as latecomer, \
            Sealed(folder) as sealed, \
            DrilledStack(args.build_dir, orchestrator_args=["--late-reply-grace", GRACE, "--allow-missing",
                                                             "--sweep-interval", SWEEP_INTERVAL],
                         plain=voucher(args.build_dir),
                         foreign={"latecomer": latecomer.settings(args.build_dir), "sealed": sealed.settings()},
                         volume=lambda folder: Volume(folder, VOLUME_MEGABYTES)) as stack, \
            Prometheus(stack, rules) as prometheus_:
        wanted = {alert: name for alert, name in alerts().items() if not args.only or alert in args.only}
        left_out = []
        if not stack.volume.can_be_full:
            left_out = [alert for alert in ("TuttiDiskFilling",) if wanted.pop(alert, None)]
        drills = Drills(stack, latecomer, sealed)
        with Stream(drills.troubles.start, per_second=10):
            time.sleep(5)
            early = {alert: len(found) for alert, found in prometheus_.firing().items() if alert in wanted}
            if early:
                raise StackError(f"firing before anything is wrong: {early}")
            for alert, name in wanted.items():
                wait_until(f"{alert} to be clear first", lambda: not prometheus_.firing().get(alert), CLEARS_SECONDS, 0.5)
                drill(prometheus_, alert, getattr(drills, name)())
        drills.troubles.quiet()
        wait_until("all clear", lambda: not prometheus_.firing(), CLEARS_SECONDS, 0.5)
        print(f"{len(wanted)} alerts fired and cleared; all clear", flush=True)
    if left_out:
        print(f"LEFT OUT: {', '.join(left_out)}: no file system could be mounted", file=sys.stderr)
        return 1 if os.environ.get("TUTTI_FULL") == "1" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
