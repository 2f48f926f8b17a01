"""A participant in another language, without SDK, barrier or reflection, driven by a definition alone."""

import os
import subprocess
import sys

import grpc
import shop_pb2

from stack.services import struct
from stack.stack import Stack

HERE = os.path.dirname(os.path.abspath(__file__))


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def main():
    build_dir, descriptor_set = sys.argv[1:]
    server = subprocess.Popen([sys.executable, os.path.join(HERE, "shop_server.py")], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        shop = {"shop": f'{{target: "127.0.0.1:{port}", descriptor_set: "{descriptor_set}"}}'}
        with Stack(build_dir, foreign=shop) as stack:
            play(stack, f"127.0.0.1:{port}")
    finally:
        server.stdin.close()
        server.wait(30)


def play(stack, shop_address):
    from tutti.v1 import saga_pb2, saga_service_pb2
    stack.apply_definition(os.path.join(HERE, "order-and-pay.yaml"))
    stack.participant("payment").TopUp(user_id="kim", amount=100, request_id="kim")
    sagas = stack.sagas(timeout=60)

    def run(saga_id, **fields):
        values = {"user_id": "kim", "article": "vinyl", "quantity": 2, "price": 60, **fields}
        return sagas.RunSaga(saga_id=saga_id, definition="order-and-pay", input=struct(values),
                             wait_until=saga_service_pb2.WAIT_UNTIL_FINISHED).saga

    def orders():
        list_orders = grpc.insecure_channel(shop_address).unary_unary(
            "/acme.shop.v1.Shop/ListOrders", request_serializer=shop_pb2.ListOrdersRequest.SerializeToString,
            response_deserializer=shop_pb2.ListOrdersResponse.FromString)
        return [(o.article, o.quantity, o.cancelled) for o in list_orders(shop_pb2.ListOrdersRequest()).orders]

    def balance():
        return stack.participant("payment").GetWallet(user_id="kim").wallet.balance

    saga = run("first")
    expect("the first order's state", saga.state, saga_pb2.SAGA_STATE_SUCCEEDED)
    expect("its output", saga.output["order"]["article"], "vinyl")
    expect("orders", orders(), [("vinyl", 2, False)])
    expect("points", balance(), 40)

    saga = run("out-of-stock")
    expect("the second order's state", saga.state, saga_pb2.SAGA_STATE_COMPENSATED)
    expect("its abort", (saga.abort_reason.step, saga.abort_reason.code, saga.abort_reason.message),
           ("order", "FAILED_PRECONDITION", "only 1 left"))

    saga = run("too-dear", quantity=1)
    expect("the third order's state", saga.state, saga_pb2.SAGA_STATE_COMPENSATED)
    expect("its abort", (saga.abort_reason.step, saga.abort_reason.code), ("charge", "FAILED_PRECONDITION"))
    expect("orders", orders(), [("vinyl", 2, False), ("vinyl", 1, True)])
    expect("points", balance(), 40)
    print("a foreign participant was driven by a definition alone")


if __name__ == "__main__":
    main()
