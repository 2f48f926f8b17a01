"""Orchestrator and reference participants together."""

import os
import shutil
import sys
import tempfile

import grpc

from stack.fault_proxy import Proxy
from stack.processes import Process, wait_until
from stack.services import Client

PARTICIPANTS = ("payment", "reservation", "token")
SERVICE_OF = {
    "payment": "tutti.payment.v1.PaymentService",
    "reservation": "tutti.reservation.v1.ReservationService",
    "token": "tutti.token.v1.TokenService",
    "voucher": "acme.voucher.v1.VoucherService",
}
# Clients must notice a restarted server at once, or every story waits for the client's own backoff.
CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 50),
                   ("grpc.max_reconnect_backoff_ms", 200), ("grpc.enable_retries", 0)]


def repository():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Stack:
    """with Stack(build_dir) as stack: … ; everything it started is gone afterwards."""

    def __init__(self, build_dir, log_level="info", orchestrator_args=(), foreign=None, plain=None, volume=None,
                 proxied=False):
        """`plain`: name -> (argv, settings), further participants that the stack starts. `volume`: makes the file system
        of the orchestrator's data out of the work folder. `proxied`: the orchestrator reaches them through `proxy`."""
        self.build_dir = os.path.abspath(build_dir)
        self.work_dir = tempfile.mkdtemp(prefix="tutti-stack-")
        self.plain = plain or {}
        self.participants = (*PARTICIPANTS, *self.plain)
        self.volume = volume(self.work_dir) if volume else None
        self.proxied = proxied
        self.proxy = None
        self.channels = []
        self.keep = False
        self.processes = {}
        self.foreign = foreign or {}  # name -> settings in participants.yaml, for services the stack does not start
        for name in PARTICIPANTS:
            self.processes[name] = Process(name, [
                self.binary(f"tutti-{name}"), "--data-dir", os.path.join(self.work_dir, name),
                "--enable-fault-injection", "--log-level", log_level], self.work_dir)
        for name, (argv, _) in self.plain.items():
            self.processes[name] = Process(name, [*argv, "--data-dir", os.path.join(self.work_dir, name)], self.work_dir)
        self.participants_file = os.path.join(self.work_dir, "participants.yaml")
        self.processes["orchestrator"] = Process("orchestrator", [
            self.binary("tutti-orchestrator"), "--data-dir",
            os.path.join(self.volume.path if self.volume else self.work_dir, "orchestrator"), "--participants", self.participants_file, "--log-level", log_level, *orchestrator_args], self.work_dir)

    def binary(self, name):
        return os.path.join(self.build_dir, "bin", name)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        for channel in self.channels:
            channel.close()
        for process in reversed(list(self.processes.values())):
            if process.running():
                process.popen.kill()
                process.popen.wait()
        if self.proxy:
            self.proxy.close()
        if self.volume:
            self.volume.close()
        if kind is None and not self.keep:
            shutil.rmtree(self.work_dir, ignore_errors=True)
        elif not self.keep:
            print(f"logs and data are kept in {self.work_dir}", file=sys.stderr)

    def start(self):
        for name in self.participants:
            self.processes[name].start()
        for name in self.participants:
            self.processes[name].await_serving()
        if self.proxied:
            self.proxy = Proxy({name: self.processes[name].address for name in self.participants})
        self.write_participants_file()
        self.restart("orchestrator")

    def write_participants_file(self):
        with open(self.participants_file, "w", encoding="utf-8") as file:
            file.write("participants:\n")
            for name in self.participants:
                settings = self.plain[name][1] if name in self.plain else "barrier: true"
                file.write(f'  {name}: {{target: "{self.target(name)}", {settings}}}\n')
            for name, settings in self.foreign.items():
                file.write(f"  {name}: {settings}\n")

    def target(self, name):
        return self.proxy.address(name) if self.proxy else self.processes[name].address

    def restart(self, name):
        self.processes[name].start()
        self.processes[name].await_serving()

    def client(self, process, service, timeout=10.0):
        channel = grpc.insecure_channel(self.processes[process].address, options=CHANNEL_OPTIONS)
        self.channels.append(channel)
        return Client(channel, service, timeout)

    def sagas(self, timeout=10.0):
        return self.client("orchestrator", "tutti.v1.SagaService", timeout)

    def unfinished(self):
        """How many sagas have not ended, parked ones included; at most 1,000 a state are counted."""
        sagas = self.sagas(timeout=30)
        return sum(len(sagas.ListSagas(filter=f"state = {state}", page_size=1000).sagas)
                   for state in ("RUNNING", "COMPENSATING"))

    def definitions(self):
        return self.client("orchestrator", "tutti.v1.DefinitionService")

    def participant(self, name):
        return self.client(name, SERVICE_OF[name])

    def faults(self, name):
        return self.client(name, "tutti.participant.v1.FaultService")

    def apply_definition(self, path):
        """Waits for the participants: the orchestrator resolves methods by asking them."""
        with open(path, encoding="utf-8") as file:
            source = file.read()
        definitions = self.definitions()

        def attempt():
            try:
                return definitions.ApplyDefinition(source=source)
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    return None
                raise

        return wait_until(f"{path} to be applied", attempt)
