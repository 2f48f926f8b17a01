"""A participant declared `barrier: true` that answers a grant when its saga is over, as a test says: like a replica that
keeps the barrier, or like one that does not."""

import os
import queue
from concurrent import futures

import grpc
import voucher_pb2

PATIENCE_SECONDS = 30  # for the test's word; only a test that has failed lets it pass


class Latecomer:
    """with Latecomer() as latecomer: … ; it serves in this process, for one saga at a time."""

    def __init__(self):
        self.books = []  # ids of the sagas whose voucher is there
        self.words = queue.SimpleQueue()
        # A grant waits while its revocation is answered.
        self.server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("acme.voucher.v1.VoucherService", {
            name: grpc.unary_unary_rpc_method_handler(
                function, request_deserializer=getattr(voucher_pb2, f"{name}Request").FromString,
                response_serializer=lambda message: message.SerializeToString())
            for name, function in {"Grant": self.grant, "Revoke": self.revoke}.items()}),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, error, trace):
        self.server.stop(None).wait()

    def settings(self, build_dir):
        """For Stack's `foreign`."""
        descriptors = os.path.join(os.path.abspath(build_dir), "python", "voucher.binpb")
        return f'{{target: "127.0.0.1:{self.port}", barrier: true, descriptor_set: "{descriptors}"}}'

    def answer(self, keeps_barrier):
        """What the grant that waits is answered now."""
        self.words.put(keeps_barrier)

    def grant(self, request, context):
        keeps_barrier = self.words.get(timeout=PATIENCE_SECONDS)
        if keeps_barrier:
            mark_empty(context)
            context.abort(grpc.StatusCode.ABORTED, "revoked before it was granted")
        self.books.append(request.saga_id)
        return voucher_pb2.GrantResponse(voucher_id=f"v-{request.key}")

    def revoke(self, request, context):
        mark_empty(context)
        return voucher_pb2.RevokeResponse()


def mark_empty(context):
    context.set_trailing_metadata((("tutti-barrier", "empty"),))
