"""Clients that nobody wants beside them, for measuring what the others notice of them.

As a process of its own (`python3 -m stack.neighbours KIND ADDRESS`) it goes on until its standard input ends and then
prints, as JSON, how many of its calls were answered with which code. It runs at the lowest priority, so that
what it costs the others is the server's doing and not that of its own processor time.
"""

import collections
import json
import os
import subprocess
import sys
import threading
import uuid
from concurrent import futures
from dataclasses import dataclass

import grpc

BOMB_BYTES = 256 * 1024 * 1024
MISSPELT_KEYS = 7_000
FAR_PAUSE_SECONDS = 0.1
NO_MATCH = 'definition = "null-chain" AND parked = false AND state = COMPENSATED'
MANY = 'definition = "null-chain" AND parked = false'


@dataclass
class Kind:
    clients: int
    method: str
    request: object  # () -> the bytes of one call
    pause_seconds: float = 0.0
    compression: object = None


def always(make):
    """Made once: the client's own work is not what is measured."""
    made = []
    return lambda: made[0] if made else made.append(make().SerializeToString()) or made[0]


def listing(text, page_size):
    from tutti.v1 import saga_service_pb2
    return saga_service_pb2.ListSagasRequest(filter=text, page_size=page_size)


def misspelt():
    from tutti.v1 import saga_service_pb2
    request = saga_service_pb2.StartSagaRequest(saga_id="misspelt", definition="many-fields")
    for index in range(MISSPELT_KEYS):
        request.input[f"customer_fild_nmber_{index}"] = ""
    return request


def far_away():
    from tutti.v1 import saga_service_pb2
    request = saga_service_pb2.StartSagaRequest(saga_id=f"far-{uuid.uuid4()}", definition="far-away")
    request.input["reference"] = "x"
    return request.SerializeToString()


KINDS = {
    "listing": Kind(8, "ListSagas", always(lambda: listing(NO_MATCH, 50))),
    "paging": Kind(8, "ListSagas", always(lambda: listing(MANY, 1000))),
    "gzip_bombs": Kind(4, "StartSaga", lambda: bytes(BOMB_BYTES), compression=grpc.Compression.Gzip),
    "misspelt": Kind(8, "StartSaga", always(misspelt)),
    "far_away": Kind(8, "StartSaga", far_away, pause_seconds=FAR_PAUSE_SECONDS),
}


def start(kind, address):
    """The running process; `end` gives what it prints."""
    return subprocess.Popen([sys.executable, "-m", "stack.neighbours", kind, address], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, start_new_session=True)


def end(process):
    out, _ = process.communicate(timeout=120)
    return json.loads(out)


def disturb(address, kind, over, counts):
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
               ("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options=options) as channel:
        call = channel.unary_unary(f"/tutti.v1.SagaService/{kind.method}")
        while not over.is_set():
            try:
                call(kind.request(), timeout=60, compression=kind.compression)
                counts["OK"] += 1
            except grpc.RpcError as error:
                counts[error.code().name] += 1
            over.wait(kind.pause_seconds)


def come_last():
    """Everybody else's processor time comes before ours. A session may be a scheduling group of its own, within which
    alone `nice` counts; then the group has a niceness, too."""
    os.nice(19)
    try:
        with open("/proc/self/autogroup", "w", encoding="utf-8") as group:
            group.write("19")
    except OSError:
        pass  # not every system has such groups


def main():
    come_last()
    kind, address = KINDS[sys.argv[1]], sys.argv[2]
    over = threading.Event()
    counts = collections.Counter()
    with futures.ThreadPoolExecutor(kind.clients) as pool:
        running = [pool.submit(disturb, address, kind, over, counts) for _ in range(kind.clients)]
        sys.stdin.read()
        over.set()
        for done in running:
            done.result()
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
