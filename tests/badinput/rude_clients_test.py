"""Clients that one would not want beside oneself, against the real server: what they do stays theirs."""

import sys

import grpc
from deaf_client import DeafClient
from stack.processes import wait_until
from stack.scenarios import BOOK_TICKET
from stack.services import struct
from stack.stack import Stack

MIB = 1024 * 1024
SAGAS = 1000
UNREAD = 300
BOMB_BYTES = 128 * MIB


class Test:
    def __init__(self, stack):
        self.stack = stack
        self.process = stack.processes["orchestrator"]
        self.sagas = stack.sagas(timeout=30)
        self.failures = []

    def check(self, what, right, saw):
        print(f"{'ok' if right else 'FAILED'}: {what}; saw {saw}", flush=True)
        if not right:
            self.failures.append(what)

    def memory_bytes(self):
        """From here on, peak_bytes counts anew."""
        with open(f"/proc/{self.process.popen.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        return self.peak_bytes()

    def peak_bytes(self):
        with open(f"/proc/{self.process.popen.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

    def code_of(self, method, request, **options):
        """Of a call with bytes for a request."""
        with grpc.insecure_channel(self.process.address, options=[("grpc.max_send_message_length", -1)]) as channel:
            try:
                channel.unary_unary(f"/tutti.v1.SagaService/{method}")(request, timeout=60, **options)
                return "OK"
            except grpc.RpcError as error:
                return error.code().name

    def start_sagas(self):
        # Labels make a page large. Nobody of this name has a wallet, so they end soon.
        for index in range(SAGAS):
            self.sagas.StartSaga(saga_id=f"{index:03}-{'i' * 120}", definition=BOOK_TICKET.definition,
                                 input=struct(BOOK_TICKET.input("u" * 200, {})))

    def compressed(self):
        before = self.memory_bytes()
        for how in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            code = self.code_of("StartSaga", bytes(BOMB_BYTES), compression=how)
            self.check("a compressed request is refused", code == "UNIMPLEMENTED", code)
        grown = self.peak_bytes() - before
        self.check("and not inflated", grown < BOMB_BYTES / 4, f"{grown / MIB:.0f} MiB more")

    def unread_listings(self):
        from tutti.v1 import saga_service_pb2
        request = saga_service_pb2.ListSagasRequest(page_size=1000)
        size = self.sagas.ListSagas(page_size=1000).ByteSize()
        before = self.memory_bytes()
        clients = [DeafClient(self.process.address) for _ in range(3)]
        for index in range(UNREAD):
            clients[index % len(clients)].call("/tutti.v1.SagaService/ListSagas", request.SerializeToString())
        self.check("what is small is read at once beside them", self.sagas.GetSaga(saga_id=f"000-{'i' * 120}") is not None,
                   "a saga")
        # Listings are made one after another, and while too many wait, more are refused.
        wait_until("a small listing to be answered", lambda: self.can_list(3), 60)
        wait_until("a large listing to be answered again", lambda: self.can_list(SAGAS), 30)
        grown = self.peak_bytes() - before
        self.check("answers that nobody reads are bounded", grown < 96 * MIB,
                   f"{grown / MIB:.0f} MiB more, {UNREAD} answers would have {UNREAD * size / MIB:.0f}")
        for client in clients:
            client.close()

    def can_list(self, count):
        try:
            return len(self.sagas.ListSagas(page_size=count).sagas) == count
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            return False

    def unread_starts(self):
        from tutti.v1 import saga_service_pb2
        client = DeafClient(self.process.address)
        for index in range(100):
            values = {**BOOK_TICKET.input("nobody", {}), "reservation_id": "r" * 200_000}
            request = saga_service_pb2.StartSagaRequest(saga_id=f"unread-{index}", definition=BOOK_TICKET.definition,
                                                        input=struct(values))
            client.call("/tutti.v1.SagaService/StartSaga", request.SerializeToString())
        answer = self.sagas.StartSaga(saga_id="beside", definition=BOOK_TICKET.definition,
                                      input=struct(BOOK_TICKET.input("nobody", {})))
        self.check("a start beside unread ones is answered whole", not answer.saga.payloads_omitted, "its input")
        client.close()


def main():
    with Stack(sys.argv[1], log_level="error") as stack:
        stack.apply_definition(BOOK_TICKET.path)
        test = Test(stack)
        test.start_sagas()
        test.compressed()
        test.unread_listings()
        test.unread_starts()
        status = stack.processes["orchestrator"].terminate()
        test.check("the orchestrator ends well", status == 0, status)
        return 1 if test.failures else 0


if __name__ == "__main__":
    sys.exit(main())
