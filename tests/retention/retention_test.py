"""An id is one saga until its retention is over, across restarts, and another one afterwards."""

import sys
import urllib.request

import grpc

from stack.processes import wait_until
from stack.scenarios import BOOK_TICKET
from stack.services import struct
from stack.stack import Stack


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def answer(call):
    """Of a server that may just have come back, or be about to forget: UNAVAILABLE is no answer yet."""
    def attempt():
        try:
            return call()
        except grpc.RpcError as error:
            return None if error.code() == grpc.StatusCode.UNAVAILABLE else error
    result = wait_until("an answer", attempt)
    if isinstance(result, grpc.RpcError):
        raise result
    return result


def code_of(call):
    try:
        answer(call)
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


def metric(stack, name):
    port = stack.processes["orchestrator"].ports["metrics"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))


def restart(stack, retention):
    orchestrator = stack.processes["orchestrator"]
    orchestrator.set_option("--id-retention", retention)
    if orchestrator.running():
        expect("the end of a drained orchestrator", orchestrator.terminate(), 0)
    stack.restart("orchestrator")


def play(stack):
    from tutti.v1 import saga_service_pb2
    stack.apply_definition(BOOK_TICKET.path)
    sagas = stack.sagas(timeout=60)

    def run(price):
        values = {"user_id": "nobody", "reservation_id": "r", "token_id": "t", "price": price}
        return answer(lambda: sagas.RunSaga(saga_id="order-1", definition="book-ticket", input=struct(values),
                                            wait_until=saga_service_pb2.WAIT_UNTIL_FINISHED))

    first = run(10)
    for _ in range(2):
        again = run(10)
        expect("the same start", (again.already_started, again.saga.uid), (True, first.saga.uid))
        expect("another start of the id", code_of(lambda: run(20)), grpc.StatusCode.ALREADY_EXISTS)
        stack.processes["orchestrator"].kill9()
        stack.restart("orchestrator")

    restart(stack, "2s")
    wait_until("the saga to be forgotten",
               lambda: code_of(lambda: sagas.GetSaga(saga_id="order-1")) == grpc.StatusCode.NOT_FOUND)
    wait_until("its count", lambda: metric(stack, "tutti_sagas_expired_total") == 1)
    expect("its listing", len(answer(sagas.ListSagas).sagas), 0)
    expect("its history", code_of(lambda: sagas.GetSagaHistory(saga_id="order-1")), grpc.StatusCode.NOT_FOUND)

    restart(stack, "1h")
    second = run(20)
    expect("a later start of the id is its own saga", second.already_started, False)
    if second.saga.uid == first.saga.uid:
        raise SystemExit("the new saga has the old one's uid")
    stack.processes["orchestrator"].kill9()
    stack.restart("orchestrator")
    expect("the new saga after a crash", answer(lambda: sagas.GetSaga(saga_id="order-1")).saga.uid, second.saga.uid)
    expect("the old start by now", code_of(lambda: run(10)), grpc.StatusCode.ALREADY_EXISTS)


def main():
    arguments = ("--command-horizon", "1s", "--late-reply-grace", "1s", "--sweep-interval", "100ms", "--id-retention", "1h")
    with Stack(sys.argv[1], orchestrator_args=arguments) as stack:
        play(stack)
    print("an id was one saga until its retention was over, and another one afterwards")


if __name__ == "__main__":
    main()
