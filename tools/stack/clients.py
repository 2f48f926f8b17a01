"""What clients of a system that fails do: ask again, and keep notes of what they were told."""

import threading
import time

import grpc

# What a client may answer by asking again, the same way. Anything else from a system under faults is an error of it.
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)

PATIENCE_SECONDS = 120  # no fault lasts that long, so the system is not coming back


def stubbornly(call, **fields):
    """What a client does that must have an answer: asks again, the same way, until it gets one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call(**fields)
        except grpc.RpcError as error:
            if error.code() not in RETRIED or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Numbers:
    """Thread-safe counting up to a limit."""

    def __init__(self, limit):
        self.lock = threading.Lock()
        self.next = 0
        self.limit = limit

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if self.next >= self.limit:
                raise RuntimeError("more customers than seats; make the concert larger")
            self.next += 1
            return self.next - 1
