"""Every field of every request of the API, at its limits and beyond, against the real server.

The fields come from the descriptors, so a new one is tried without anybody thinking of it. Whatever is sent, the answer
is one that docs/errors.md lists, and the server goes on serving.
"""

import os
import re
import sys

import grpc

from stack.scenarios import BOOK_TICKET
from stack.services import struct
from stack.stack import Stack, repository

KIB = 1024
TEXTS = ("", " ", "a" * 63, "a" * 64, "a" * 128, "a" * 129, "a" * KIB, "a" * (4 * KIB + 1), "a" * (300 * KIB), "a/b", "a|b",
         "A", "-a", "a\0b", "a\nb", "\x1b[31m", "\x7f", "é", "日本語", "\u202e", "\U0001f600", "${input}", "'", '"', "\\",
         "state = ", "parked = maybe", "AAAA", "0", "%s%n", "../../etc/passwd")
NUMBERS = (-(1 << 63), -(1 << 31), -1, 0, 1, 2, 1000, 1001, (1 << 31) - 1, (1 << 53) + 1, (1 << 63) - 1)
ALLOWED = ("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION")
STRUCTS = ({}, {"user_id": None}, {"user_id": 1}, {"user_id": "u", "reservation_id": "r", "token_id": "t", "price": 1e300},
           {"user_id": "u", "reservation_id": "r", "token_id": "t", "price": 0.5},
           {"user_id": "u", "reservation_id": "r", "token_id": "t", "price": "9223372036854775808"},
           {"user_id": "u", "reservation_id": "r", "token_id": "t", "price": 9007199254740993.0},
           {"user_id": "u" * (300 * KIB), "reservation_id": "r", "token_id": "t", "price": 1},
           {"user_id": "u" * 257, "reservation_id": "r", "token_id": "t", "price": 1},  # it is a label
           {"a\0b": 1}, {"日本": "語"}, {"": ""}, {"user_id": {"deep": [[[[{}]]]]}}, {"user_id": [1]}, {"x": True})
# field -> (value, reason): what exactly must be said about the limits that the documentation names.
EXACT = {
    ("StartSaga", "saga_id"): [("", "SAGA_ID_INVALID"), ("a" * 129, "SAGA_ID_INVALID"), ("a b", "SAGA_ID_INVALID"),
                               ("a/b", "SAGA_ID_INVALID"), ("é", "SAGA_ID_INVALID"), ("a\0b", "SAGA_ID_INVALID")],
    ("StartSaga", "definition"): [("", "NAME_INVALID"), ("a" * 64, "NAME_INVALID"), ("A", "NAME_INVALID"),
                                  ("nothing", "DEFINITION_NOT_FOUND")],
    ("StartSaga", "revision"): [(-1, "FIELD_INVALID"), (1000, "DEFINITION_NOT_FOUND")],
    ("RunSaga", "wait_until"): [(77, "FIELD_INVALID")],
    ("GetSaga", "saga_id"): [("", "SAGA_ID_INVALID"), ("nobody", "SAGA_NOT_FOUND")],
    ("ListSagas", "page_size"): [(-1, "PAGE_SIZE_INVALID")],
    ("ListSagas", "page_token"): [("AAAA", "PAGE_TOKEN_INVALID")],
    ("ListSagas", "filter"): [("state = ", "FILTER_INVALID"), ("a" * 4097, "FILTER_INVALID")],
    ("GetSagaHistory", "from_sequence"): [(-1, "FIELD_INVALID")],
    ("CancelSaga", "reason"): [("a" * 1025, "FIELD_INVALID")],
    ("CancelSaga", "by"): [("a" * 257, "FIELD_INVALID")],
    ("ApplyDefinition", "source"): [("", "INVALID_DEFINITION"), ("a" * (1024 * KIB + 1), "INVALID_DEFINITION")],
    ("DisableDefinition", "reason"): [("", "FIELD_INVALID"), ("a" * 513, "FIELD_INVALID")],
    ("DisableDefinition", "by"): [("a" * 257, "FIELD_INVALID")],
    ("DisableDefinition", "name"): [("", "NAME_INVALID"), ("nothing", "DEFINITION_NOT_FOUND")],
    ("EnableDefinition", "name"): [("", "NAME_INVALID"), ("nothing", "DEFINITION_NOT_FOUND")],
    ("GetDefinition", "name"): [("", "NAME_INVALID"), ("nothing", "DEFINITION_NOT_FOUND")],
}


def documented_reasons():
    with open(os.path.join(repository(), "docs", "errors.md"), encoding="utf-8") as file:
        return set(re.findall(r"`([A-Z_]{5,})`", file.read()))


class Prober:
    def __init__(self, stack):
        self.clients = (stack.sagas(), stack.definitions())
        self.reasons = documented_reasons()
        self.valid = {"saga_id": "limits", "definition": BOOK_TICKET.definition, "name": BOOK_TICKET.definition,
                      "source": "name: x", "step": "charge", "reason": "because", "by": "me", "history_sequence": 1,
                      "input": struct(BOOK_TICKET.input("nobody", {}))}
        self.calls = 0
        self.failures = []

    def requests(self):
        """(client, method name, request descriptor)"""
        for client, service in zip(self.clients, ("saga_service_pb2", "definition_service_pb2")):
            module = __import__(f"tutti.v1.{service}", fromlist=["DESCRIPTOR"])
            for method in list(module.DESCRIPTOR.services_by_name.values())[0].methods:
                yield client, method.name, method.input_type

    def values(self, field):
        if field.message_type is not None:
            if field.message_type.full_name == "google.protobuf.Struct":
                return [struct(value) for value in STRUCTS]
            parts = [{part.name: value} for part in field.message_type.fields for value in self.values(part)]
            return [[part] for part in parts] + [[], parts[:1] * 1000] if field.label == field.LABEL_REPEATED else parts
        if field.type == field.TYPE_STRING:
            return TEXTS
        if field.type == field.TYPE_ENUM:
            return [-1, 0, 1, 2, 77]
        if field.type == field.TYPE_BOOL:
            return [False, True]
        return [number for number in NUMBERS if field.cpp_type != field.CPPTYPE_INT32 or -(1 << 31) <= number < 1 << 31]

    def send(self, client, method, fields):
        """(code name, reason) of the answer."""
        self.calls += 1
        try:
            answer = getattr(client, method)(timeout=5, **fields)
            if method.startswith("Watch"):
                next(answer, None)
                answer.cancel()
            return "OK", ""
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            found = [reason for reason in self.reasons if re.search(rb"\b" + reason.encode() + rb"\b", details)]
            return error.code().name, max(found, key=len, default="")

    def probe_everything(self):
        for client, method, request in self.requests():
            known = {field.name: self.valid[field.name] for field in request.fields if field.name in self.valid}
            for field in request.fields:
                for value in self.values(field):
                    # A run that is accepted would wait for its participants.
                    wanted = "StartSaga" if method == "RunSaga" and field.name != "wait_until" else method
                    code, reason = self.send(client, wanted, {**known, field.name: value})
                    if code != "OK" and (code not in ALLOWED or not reason):
                        self.failures.append(f"{method}.{field.name} = {str(value)[:60]!r}: {code} {reason}")

    def probe_exactly(self):
        for client, method, request in self.requests():
            known = {field.name: self.valid[field.name] for field in request.fields if field.name in self.valid}
            for field in request.fields:
                for value, expected in EXACT.get((method, field.name), ()):
                    code, reason = self.send(client, method, {**known, field.name: value})
                    if reason != expected:
                        self.failures.append(
                            f"{method}.{field.name} = {str(value)[:60]!r}: {code} {reason}, not {expected}")


def main():
    with Stack(sys.argv[1], log_level="error") as stack:
        stack.apply_definition(BOOK_TICKET.path)
        prober = Prober(stack)
        prober.probe_exactly()
        prober.probe_everything()
        if not stack.processes["orchestrator"].running():
            prober.failures.append("the orchestrator is gone")
        elif stack.processes["orchestrator"].terminate() != 0:
            prober.failures.append("the orchestrator did not end well")
        print(f"{prober.calls} requests, {len(prober.failures)} failures")
        for failure in prober.failures[:40]:
            print(f"FAILED {failure}")
        return 1 if prober.failures else 0


if __name__ == "__main__":
    sys.exit(main())
