"""A plain participant that keeps its contract through kill -9, and is as forgetful beyond it as the contract allows."""

import argparse
import json
import os
import signal
import sqlite3
import threading
from concurrent import futures

import grpc
import voucher_pb2

SCHEMA = """
create table if not exists held (key text primary key);
create table if not exists stamped (key text primary key);
create table if not exists refusals (key text primary key, count integer not null);
create table if not exists entries (position integer primary key autoincrement, saga_id text, deed text);
"""


class Vouchers:
    """One thread serves them all, so one connection will do."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # What a process has written outlives the process, synced or not; only the machine may not die.
        self.db.execute("pragma synchronous = off")
        self.db.executescript(SCHEMA)

    def apply(self, statement, key, saga_id, deed):
        """The change and its entry in the journal in one transaction; no entry when nothing changed."""
        self.db.execute("begin immediate")
        if self.db.execute(statement, (key,)).rowcount == 1:
            self.db.execute("insert into entries (saga_id, deed) values (?, ?)", (saga_id, deed))
        self.db.execute("commit")

    def refuse_at_first(self, key, times, context):
        row = self.db.execute("select count from refusals where key = ?", (key,)).fetchone()
        count = row[0] if row else 0
        if count < times:
            self.db.execute("insert or replace into refusals values (?, ?)", (key, count + 1))
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"refused {count + 1} of {times} times")

    def grant(self, request, context):
        if request.refuse:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no vouchers left")
        self.apply("insert or ignore into held values (?)", request.key, request.saga_id, "grant")
        return voucher_pb2.GrantResponse(voucher_id=f"v-{request.key}")

    def revoke(self, request, context):
        self.refuse_at_first(f"revoke {request.key}", request.refuse_times, context)
        self.apply("delete from held where key = ?", request.key, request.saga_id, "revoke")
        return voucher_pb2.RevokeResponse()

    def stamp(self, request, context):
        self.refuse_at_first(f"stamp {request.key}", request.refuse_times, context)
        self.apply("insert or ignore into stamped values (?)", request.key, request.saga_id, "stamp")
        return voucher_pb2.StampResponse()

    def check(self, request, context):
        if request.refuse:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the check said no")
        return voucher_pb2.CheckResponse()

    def list_entries(self, request, context):
        after, size = int(request.page_token or 0), request.page_size or 1000
        rows = self.db.execute("select position, saga_id, deed from entries where position > ? order by position limit ?",
                               (after, size)).fetchall()
        return voucher_pb2.ListEntriesResponse(
            entries=[voucher_pb2.Entry(saga_id=saga_id, deed=deed) for _, saga_id, deed in rows],
            next_page_token=str(rows[-1][0]) if len(rows) == size else "")


def handlers(vouchers):
    functions = {"Grant": vouchers.grant, "Revoke": vouchers.revoke, "Stamp": vouchers.stamp, "Check": vouchers.check,
                 "ListEntries": vouchers.list_entries}
    return grpc.method_handlers_generic_handler("acme.voucher.v1.VoucherService", {
        name: grpc.unary_unary_rpc_method_handler(
            function, request_deserializer=getattr(voucher_pb2, f"{name}Request").FromString,
            response_serializer=lambda message: message.SerializeToString()) for name, function in functions.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--metrics-listen", help="taken for symmetry; there are no metrics")
    parser.add_argument("--port-file", required=True)
    args = parser.parse_args()
    os.makedirs(args.data_dir, exist_ok=True)
    vouchers = Vouchers(os.path.join(args.data_dir, "vouchers.sqlite"))
    server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handlers(vouchers),))
    port = server.add_insecure_port(args.listen)
    if port == 0:
        raise SystemExit(f"cannot listen on {args.listen}")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server.start()
    with open(args.port_file + ".new", "w", encoding="utf-8") as file:
        json.dump({"grpc": port, "metrics": 0}, file)
    os.replace(args.port_file + ".new", args.port_file)
    stop.wait()
    server.stop(1).wait()


if __name__ == "__main__":
    main()
