"""Clients of the stack's gRPC services, built from the generated messages' descriptors."""

import importlib

import grpc

MESSAGES = {
    "tutti.v1.SagaService": "tutti.v1.saga_service_pb2",
    "tutti.v1.DefinitionService": "tutti.v1.definition_service_pb2",
    "tutti.payment.v1.PaymentService": "tutti.payment.v1.payment_service_pb2",
    "tutti.reservation.v1.ReservationService": "tutti.reservation.v1.reservation_service_pb2",
    "tutti.token.v1.TokenService": "tutti.token.v1.token_service_pb2",
    "tutti.participant.v1.FaultService": "tutti.participant.v1.fault_service_pb2",
    "acme.voucher.v1.VoucherService": "voucher_pb2",  # of the chaos test
    "grpc.health.v1.Health": "grpc_health_pb2",
}


class Client:
    """client.Method(field=value, ...) -> response message. Errors are grpc.RpcError."""

    def __init__(self, channel, service, timeout=10.0):
        descriptor = importlib.import_module(MESSAGES[service]).DESCRIPTOR.services_by_name[service.rsplit(".", 1)[1]]
        for method in descriptor.methods:
            setattr(self, method.name, self._method(channel, service, method, timeout))

    @staticmethod
    def _method(channel, service, method, default_timeout):
        request_class, response_class = method.input_type._concrete_class, method.output_type._concrete_class
        kind = channel.unary_stream if method.name.startswith("Watch") else channel.unary_unary
        call = kind(f"/{service}/{method.name}", request_serializer=request_class.SerializeToString,
                    response_deserializer=response_class.FromString)

        def invoke(timeout=default_timeout, metadata=(), **fields):
            return call(request_class(**fields), timeout=timeout, metadata=metadata)

        return invoke


def pages(method, collection, **fields):
    """Every item of a paged listing."""
    token = ""
    while True:
        page = method(page_token=token, page_size=1000, **fields)
        yield from getattr(page, collection)
        token = page.next_page_token
        if not token:
            return


def struct(values):
    """google.protobuf.Struct from a dict; whole numbers beyond 2^53 must come as strings."""
    from google.protobuf import struct_pb2
    message = struct_pb2.Struct()
    message.update(values)
    return message
