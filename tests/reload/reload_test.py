"""SIGHUP, end to end: what a new participants.yaml says holds for the next command, and a broken one changes nothing."""

import os
import signal
import subprocess
import sys
from concurrent import futures

import grpc
import shop_pb2

from stack.processes import wait_until
from stack.services import struct
from stack.stack import Stack

HERE = os.path.dirname(os.path.abspath(__file__))
GRACE_MS = 300
RELOADED = "participants reloaded"
NOT_RELOADED = "participants were not reloaded"


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


class Shop:
    """A plain service on TLS that remembers its calls as (method, authorization headers). Sold out: refuses orders."""

    def __init__(self, certificate, key):
        self.calls = []
        self.sold_out = False
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("acme.shop.v1.Shop", {
            "PlaceOrder": self.handler(self.place, shop_pb2.PlaceOrderRequest),
            "CancelOrder": self.handler(self.cancel, shop_pb2.CancelOrderRequest)}),))
        self.port = self.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
        self.server.start()

    @staticmethod
    def handler(function, request_class):
        return grpc.unary_unary_rpc_method_handler(function, request_deserializer=request_class.FromString,
                                                   response_serializer=lambda message: message.SerializeToString())

    def note(self, method, context):
        self.calls.append((method, [value for key, value in context.invocation_metadata() if key == "authorization"]))

    def place(self, _, context):
        self.note("PlaceOrder", context)
        if self.sold_out:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "sold out")
        return shop_pb2.PlaceOrderResponse()

    def cancel(self, _, context):
        self.note("CancelOrder", context)
        return shop_pb2.CancelOrderResponse()

    def taken(self):
        """The calls since the last look."""
        calls, self.calls = self.calls, []
        return calls


class Operator:
    """Edits participants.yaml and sends SIGHUP."""

    def __init__(self, stack, descriptor_set):
        self.stack = stack
        self.descriptor_set = descriptor_set
        self.sagas = 0

    def log_lines(self, message):
        with open(self.stack.processes["orchestrator"].log_path, encoding="utf-8") as file:
            return [line for line in file if message in line]

    def path(self, name):
        return os.path.join(self.stack.work_dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def hang_up(self, message, why=""):
        """SIGHUP, and the log line that answers it."""
        before = len(self.log_lines(message))
        self.stack.processes["orchestrator"].popen.send_signal(signal.SIGHUP)
        line = wait_until(f"the log to say: {message}", lambda: self.log_lines(message)[before:])[0]
        if why not in line:
            raise SystemExit(f"{why!r} is not in the log line {line}")

    def shop(self, shop, tls="{ca_file: ca.pem}", **settings):
        """The text of participants.yaml with this shop."""
        lines = [f"    {key}: {value}" for key, value in
                 {"target": f'"localhost:{shop.port}"', "tls": tls, "descriptor_set": f'"{self.descriptor_set}"',
                  **settings}.items()]
        return "participants:\n  shop:\n" + "\n".join(lines) + "\n"

    def reload(self, shop, **settings):
        self.write("participants.yaml", self.shop(shop, **settings))
        self.hang_up(RELOADED)

    def start(self, definition="shop-order"):
        self.sagas += 1
        values = {"article": "vinyl"} if definition == "shop-order" else {}
        return self.stack.sagas().StartSaga(saga_id=f"s{self.sagas}", definition=definition, input=struct(values)).saga

    def run(self, definition="shop-order"):
        """The name of the state it ends in."""
        from tutti.v1 import saga_pb2, saga_service_pb2
        self.sagas += 1
        values = {"article": "vinyl"} if definition == "shop-order" else {}
        saga = self.stack.sagas(timeout=60).RunSaga(
            saga_id=f"s{self.sagas}", definition=definition, input=struct(values),
            wait_until=saga_service_pb2.WAIT_UNTIL_FINISHED).saga
        return saga_pb2.SagaState.Name(saga.state)


def settings_take_effect(operator, shop, other):
    expect("a saga before any reload", operator.run(), "SAGA_STATE_SUCCEEDED")
    expect("the shop's calls", shop.taken(), [("PlaceOrder", [])])

    operator.reload(other)
    expect("a saga after the target changed", operator.run(), "SAGA_STATE_SUCCEEDED")
    expect("the former target's calls", shop.taken(), [])
    expect("the new target's calls", other.taken(), [("PlaceOrder", [])])

    operator.write("first-token", "sesame\n")
    operator.reload(shop, bearer_token_file="first-token")
    expect("a saga after a token came", operator.run(), "SAGA_STATE_SUCCEEDED")
    expect("its token", shop.taken(), [("PlaceOrder", ["Bearer sesame"])])
    expect("a saga with an authorization of its own", operator.run("own-authorization"), "SAGA_STATE_SUCCEEDED")
    expect("what it carried", shop.taken(), [("PlaceOrder", ["mine"])])
    operator.write("other-token", "mellon")
    operator.reload(shop, bearer_token_file="other-token")
    expect("a saga with another token file", operator.run(), "SAGA_STATE_SUCCEEDED")
    expect("its token", shop.taken(), [("PlaceOrder", ["Bearer mellon"])])
    operator.reload(shop)
    expect("a saga after the token went", operator.run(), "SAGA_STATE_SUCCEEDED")
    expect("its calls", shop.taken(), [("PlaceOrder", [])])


def promises_take_effect(operator, shop):
    shop.sold_out = True
    expect("a refused saga", operator.run(), "SAGA_STATE_COMPENSATED")
    expect("final refusals leave nothing to undo", shop.taken(), [("PlaceOrder", [])])
    operator.reload(shop, refusals="open")
    expect("a refused saga", operator.run(), "SAGA_STATE_COMPENSATED")
    expect("open refusals are undone", shop.taken(), [("PlaceOrder", []), ("CancelOrder", [])])
    operator.reload(shop, refusals="final")
    expect("a refused saga", operator.run(), "SAGA_STATE_COMPENSATED")
    expect("final again", shop.taken(), [("PlaceOrder", [])])
    shop.sold_out = False

    operator.reload(shop, barrier="true")
    saga = operator.start()
    wait_until("an unmarked success of a barrier participant to park",
               lambda: operator.stack.sagas().GetSaga(saga_id=saga.saga_id).saga.parked)
    shop.taken()
    operator.reload(shop, barrier="false")
    expect("a saga of a plain participant", operator.run(), "SAGA_STATE_SUCCEEDED")
    shop.taken()


def broken_files_change_nothing(operator, shop):
    operator.write("empty", "")
    operator.write("no-certificate", "hello")
    good = operator.shop(shop)
    broken = [
        ("not YAML", "participants: {shop: [", "line 1"),
        ("an empty file", "", "empty"),
        ("another document", "name: shop-order\n", "participants"),
        ("a typo", good.replace("descriptor_set", "descriptor_sett"), "did you mean `descriptor_set`?"),
        ("a participant that is nothing", "participants:\n  shop:\n", "participants.shop (line 2)"),
        ("a target that is a number", operator.shop(shop, target=5), "participants.shop.target (line 3)"),
        ("a target without a port", operator.shop(shop, target="localhost"), "participants.shop.target (line 3)"),
        ("no slots", operator.shop(shop, concurrency=0), "participants.shop.concurrency (line 6)"),
        ("a missing token", operator.shop(shop, bearer_token_file="nowhere"), "nowhere"),
        ("an empty token", operator.shop(shop, bearer_token_file="empty"), "empty"),
        ("a missing CA", operator.shop(shop, tls="{ca_file: nowhere.pem}"), "nowhere.pem"),
        ("a CA that is none", operator.shop(shop, tls="{ca_file: no-certificate}"), "no PEM certificate"),
        ("a key that is none",
         operator.shop(shop, tls="{ca_file: ca.pem, certificate_file: ca.pem, private_key_file: ca.pem}"), "no PEM key"),
        ("a name that TLS cannot carry", operator.shop(shop, tls="{ca_file: ca.pem, server_name: %s}" % ("x" * 256)),
         "server_name"),
        ("half an identity", operator.shop(shop, tls="{ca_file: ca.pem, certificate_file: ca.pem}"), "go together"),
    ]
    for what, text, why in broken:
        operator.write("participants.yaml", text)
        operator.hang_up(NOT_RELOADED, why)
        expect(f"a saga after {what}", operator.run(), "SAGA_STATE_SUCCEEDED")
        expect("its calls", shop.taken(), [("PlaceOrder", [])])
    os.remove(operator.path("participants.yaml"))
    operator.hang_up(NOT_RELOADED, "No such file")
    expect("a saga after the file went", operator.run(), "SAGA_STATE_SUCCEEDED")
    operator.write("participants.yaml", good)
    operator.hang_up(RELOADED)
    expect("a saga after it was mended", operator.run(), "SAGA_STATE_SUCCEEDED")


def main():
    build_dir, descriptor_set = sys.argv[1:]
    with Stack(build_dir, orchestrator_args=["--late-reply-grace", f"{GRACE_MS}ms"]) as stack:
        certificate, key = (os.path.join(stack.work_dir, name) for name in ("ca.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)
        with open(certificate, "rb") as crt, open(key, "rb") as pem:
            pair = crt.read(), pem.read()
        shop, other = Shop(*pair), Shop(*pair)
        operator = Operator(stack, descriptor_set)
        operator.reload(shop)
        for name in ("shop-order.yaml", "own-authorization.yaml"):
            stack.apply_definition(os.path.join(HERE, name))
        settings_take_effect(operator, shop, other)
        promises_take_effect(operator, shop)
        broken_files_change_nothing(operator, shop)
        if stack.processes["orchestrator"].terminate() != 0:
            raise SystemExit("the orchestrator did not end well")
        for server in (shop.server, other.server):
            server.stop(None).wait()
    print("SIGHUP: settings take effect, broken files change nothing")


if __name__ == "__main__":
    main()
