"""The stack with the shop beside it, and sagas of any size that end, or stay parked."""

import contextlib
import itertools
import os
import subprocess
import sys
import threading

import grpc

from stack.clients import stubbornly
from stack.processes import StackError, wait_until
from stack.scrape import scrape
from stack.services import struct
from stack.stack import Stack, repository

HERE = os.path.dirname(os.path.abspath(__file__))
DEFINITION = "order-or-park"
DETAILS = "grpc-status-details-bin"
LANES = 8


def expect(what, actual, expected):
    if actual != expected:
        raise StackError(f"{what}: expected {expected!r}, found {actual!r}")


@contextlib.contextmanager
def shop():
    """Its settings in participants.yaml."""
    server = subprocess.Popen([sys.executable, os.path.join(repository(), "tests", "foreign", "shop_server.py")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        descriptors = os.path.join(os.path.abspath(sys.argv[1]), "python", "shop.binpb")
        yield {"shop": f'{{target: "127.0.0.1:{int(server.stdout.readline())}", descriptor_set: "{descriptors}"}}'}
    finally:
        server.stdin.close()
        server.wait(30)


class ShopStack(Stack):
    """Only the orchestrator."""

    def __init__(self, settings, **options):
        super().__init__(sys.argv[1], foreign=settings, **options)
        self.participants = ()
        self.probes = itertools.count()
        self.orchestrator = self.processes["orchestrator"]
        self.processes = {"orchestrator": self.orchestrator}

    def start(self):
        super().start()
        self.apply_definition(os.path.join(HERE, f"{DEFINITION}.yaml"))
        self.saga_service = self.sagas(timeout=60)

    def probe(self):
        """The reason why a small start is refused; empty when it was taken."""
        return self.order(f"probe-{next(self.probes)}", 0, 10)

    def order(self, saga_id, quantity, characters):
        """The same."""
        # Hexadecimal digits of chance: what compresses well takes no room.
        article = os.urandom(characters // 2).hex()
        try:
            self.saga_service.StartSaga(saga_id=saga_id, definition=DEFINITION,
                                        input=struct({"article": article, "quantity": quantity}))
            return ""
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            details = dict(error.trailing_metadata()).get(DETAILS, b"")
            return next((reason for reason in ("MEMORY_SHORT", "DISK_SHORT", "MAILBOX_FULL", "OVERLOADED")
                         if reason.encode() in details), error.details())

    def order_many(self, prefix, count, quantity, characters):
        """Until so many were taken, or one is refused for want of room. The ids of those taken, and the reason."""
        taken, reasons, lock = [], [], threading.Lock()
        numbers = iter(range(count))

        def lane():
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None or reasons:
                    return
                reason = self.order(f"{prefix}-{number}", quantity, characters)
                while reason in ("MAILBOX_FULL", "OVERLOADED"):
                    reason = self.order(f"{prefix}-{number}", quantity, characters)
                with lock:
                    (reasons if reason else taken).append(reason or f"{prefix}-{number}")

        threads = [threading.Thread(target=lane) for _ in range(LANES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return taken, reasons[0] if reasons else ""

    def await_accepted(self):
        wait_until("starts to be taken again", lambda: not self.probe(), every=0.2)

    def get(self, saga_id):
        return stubbornly(self.saga_service.GetSaga, saga_id=saga_id).saga

    def await_parked(self, saga_ids):
        for saga_id in saga_ids:
            wait_until(f"{saga_id} to be parked", lambda: self.get(saga_id).parked)

    def retry(self, saga_id):
        parking = self.get(saga_id).steps[0].parking
        self.saga_service.RetrySaga(saga_id=saga_id, by="test", reason="once more", steps=[
            {"step": "order", "history_sequence": parking.history_sequence}])

    def resolve(self, saga_id):
        from tutti.v1 import saga_pb2
        self.saga_service.ResolveStep(saga_id=saga_id, step="order", resolution=saga_pb2.RESOLUTION_DONE,
                                      history_sequence=self.get(saga_id).steps[0].parking.history_sequence,
                                      reason="delivered by hand", by="test")

    def metric(self, name, **labels):
        return scrape(self.orchestrator).sum(name, **labels)

    def refused_start(self):
        """Its exit status and what it says, of a start that must fail."""
        os.truncate(self.orchestrator.log_path, 0)
        self.orchestrator.start()
        try:
            self.orchestrator.await_serving()
        except StackError:
            with open(self.orchestrator.log_path, encoding="utf-8") as log:
                return self.orchestrator.popen.returncode, log.read()
        raise StackError("it serves")
