"""Plays the booking stories over real processes and audits each against the participants' own books.

Run through tools/demo.sh, which builds first.
"""

import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys

import grpc

from stack.processes import StackError, tail, wait_until
from stack.services import struct
from stack.stack import Stack, repository
from stack.world import World

PRICE = 300
POINTS = 1000
CONCERT = "spring-gala"
CHARGE = "tutti.payment.v1.PaymentService/Charge"
CONFIRM = "tutti.reservation.v1.ReservationService/Confirm"


class Unexpected(Exception):
    """A story did not go as promised."""


def expect(what, actual, expected):
    if actual != expected:
        raise Unexpected(f"{what}: expected {expected!r}, found {actual!r}")


class Stage:
    """What every story needs: the stack, its books, and a few verbs."""

    def __init__(self, stack):
        from tutti.participant.v1 import fault_service_pb2
        from tutti.v1 import saga_pb2, saga_service_pb2
        self.stack = stack
        self.pb = saga_pb2
        self.wait_finished = saga_service_pb2.WAIT_UNTIL_FINISHED
        self.fault_kinds = fault_service_pb2.FaultKind
        self.fault_class = fault_service_pb2.Fault
        self.world = World(stack)
        self.sagas = stack.sagas(timeout=60)
        self.seats = 0

    def customer(self, name):
        self.seats += 1
        return {**self.world.customer(name, POINTS, CONCERT, self.seats), "price": PRICE}

    def run(self, saga_id, customer, definition="book-ticket", **fields):
        return self.sagas.RunSaga(saga_id=saga_id, definition=definition, input=struct(customer), **fields).saga

    def start(self, saga_id, customer, definition="book-ticket"):
        return self.sagas.StartSaga(saga_id=saga_id, definition=definition, input=struct(customer))

    def get(self, saga_id):
        return self.sagas.GetSaga(saga_id=saga_id).saga

    def state(self, saga_id):
        return self.pb.SagaState.Name(self.get(saga_id).state).removeprefix("SAGA_STATE_")

    def await_state(self, saga_id, state, seconds=60):
        def reached():
            try:
                return self.state(saga_id) == state
            except grpc.RpcError as error:
                if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    return False
                raise

        wait_until(f"saga {saga_id} to be {state}", reached, seconds)

    def history(self, saga_id):
        return list(self.sagas.GetSagaHistory(saga_id=saga_id).events)

    def events(self, saga_id, kind):
        wanted = self.pb.EventType.Value(f"EVENT_TYPE_{kind}")
        return [event for event in self.history(saga_id) if event.type == wanted]

    def await_event(self, saga_id, kind, **fields):
        def seen():
            return [event for event in self.events(saga_id, kind)
                    if all(getattr(event, name) == value for name, value in fields.items())]

        return wait_until(f"{kind} {fields or ''} in the history of {saga_id}", seen)

    def fault(self, participant, method, kind, **fields):
        self.stack.faults(participant).SetFault(fault=self.fault_class(
            method=method, kind=self.fault_kinds.Value(f"FAULT_KIND_{kind}"), **fields))

    def clear_faults(self):
        for name in ("payment", "reservation", "token"):
            self.stack.faults(name).ClearFaults()

    def expect_booked(self, user):
        expect("the wallet", self.world.balance(user), POINTS - PRICE)
        expect("charges and refunds", self.world.ledger(user), [-PRICE])
        expect("the seat", self.world.seat_status(user), "CONFIRMED")
        expect("the token", self.world.token_status(user), "EXPIRED")

    def expect_undone(self, user, ledger, seat):
        expect("the wallet", self.world.balance(user), POINTS)
        expect("charges and refunds", self.world.ledger(user), ledger)
        expect("the seat", self.world.seat_status(user), seat)
        expect("the token", self.world.token_status(user), "ISSUED")


def booked(stage):
    """Everything works: charged, confirmed, token expired."""
    saga = stage.run("booked", stage.customer("ada"), wait_until=stage.wait_finished)
    expect("the state", stage.state("booked"), "SUCCEEDED")
    stage.expect_booked("ada")
    expect("the output's payment", bool(saga.output["payment_id"]), True)
    return "booked", "charged once, seat confirmed, token expired"


def charge_refused(stage):
    """The wallet is empty: nothing may happen anywhere."""
    customer = stage.customer("bob")
    customer["price"] = POINTS + 1
    saga = stage.run("charge-refused", customer, wait_until=stage.wait_finished)
    expect("the state", stage.state("charge-refused"), "COMPENSATED")
    expect("the abort's step", saga.abort_reason.step, "charge")
    stage.expect_undone("bob", [], "HELD")
    return "charge-refused", f"refused with {saga.abort_reason.code}; no charge, seat still held"


def confirm_refused(stage):
    """The seat cannot be confirmed: the charge is refunded."""
    customer = stage.customer("cyd")
    stage.fault("reservation", CONFIRM, "REFUSE", count=1)
    stage.run("confirm-refused", customer, wait_until=stage.wait_finished)
    expect("the state", stage.state("confirm-refused"), "COMPENSATED")
    stage.expect_undone("cyd", [-PRICE, PRICE], "HELD")
    return "confirm-refused", "charged, refused, refunded"


def late_success(stage):
    """Confirm is applied, but its answer comes after we gave up: the seat is cancelled and the charge refunded."""
    customer = stage.customer("dee")
    stage.fault("reservation", CONFIRM, "DELAY_REPLY", delay_ms=2500)
    stage.run("late-success", customer, definition="book-ticket-impatient", wait_until=stage.wait_finished)
    expect("the state", stage.state("late-success"), "COMPENSATED")
    expect("timed out attempts", len(stage.events("late-success", "ATTEMPT_TIMED_OUT")) > 0, True)
    stage.await_event("late-success", "LATE_RESULT", step="confirm", outcome=stage.pb.OUTCOME_SUCCEEDED)
    expect("the state after the late success", stage.state("late-success"), "COMPENSATED")
    stage.expect_undone("dee", [-PRICE, PRICE], "CANCELLED")
    return "late-success", "the late success was recorded; seat cancelled, charge refunded"


def token_service_down(stage):
    """The booking does not wait for a service that is down; the token expires when it is back."""
    customer = stage.customer("eve")
    stage.stack.processes["token"].kill9()
    stage.run("token-down", customer)
    expect("the state while the token service is down", stage.state("token-down"), "RUNNING")
    expect("committed", stage.get("token-down").HasField("commit_time"), True)
    expect("the seat", stage.world.seat_status("eve"), "CONFIRMED")
    stage.stack.restart("token")
    stage.await_state("token-down", "SUCCEEDED")
    stage.expect_booked("eve")
    return "token-down", "committed while the service was down, finished when it came back"


def orchestrator_killed(stage):
    """kill -9 in mid-saga: it is finished after the restart."""
    customer = stage.customer("fay")
    stage.fault("reservation", CONFIRM, "DELAY", delay_ms=1000, count=1)
    stage.start("orchestrator-killed", customer)
    stage.await_event("orchestrator-killed", "ATTEMPT_STARTED", step="confirm")
    stage.stack.processes["orchestrator"].kill9()
    stage.stack.restart("orchestrator")
    stage.await_state("orchestrator-killed", "SUCCEEDED")
    expect("attempts lost in the crash", len(stage.events("orchestrator-killed", "ATTEMPT_LOST")), 1)
    stage.expect_booked("fay")
    return "orchestrator-killed", "the attempt lost in the crash was retried; booked exactly once"


def payment_killed(stage):
    """Payment dies after its commit and before its reply: charged once all the same."""
    customer = stage.customer("gus")
    stage.fault("payment", CHARGE, "CRASH_AFTER_COMMIT", count=1)
    stage.start("payment-killed", customer)
    payment = stage.stack.processes["payment"]
    wait_until("payment to crash", lambda: not payment.running())
    expect("payment's exit status", payment.popen.returncode, 137)
    stage.stack.restart("payment")
    stage.await_state("payment-killed", "SUCCEEDED")
    expect("more than one attempt", len(stage.events("payment-killed", "ATTEMPT_STARTED")) > 3, True)
    stage.expect_booked("gus")
    return "payment-killed", "the repeated command found its own charge"


def same_start_ten_times(stage):
    """One saga, whoever asks how often."""
    customer = stage.customer("hal")
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: stage.start("ten-times", customer), range(10)))
    expect("new sagas", sum(not answer.already_started for answer in answers), 1)
    expect("distinct uids", len({answer.saga.uid for answer in answers}), 1)
    stage.await_state("ten-times", "SUCCEEDED")
    stage.expect_booked("hal")
    try:
        stage.start("ten-times", {**customer, "price": 1})
        raise Unexpected("other input under the same id was accepted")
    except grpc.RpcError as error:
        expect("other input under the same id", error.code(), grpc.StatusCode.ALREADY_EXISTS)
    return "ten-times", "one saga, one charge; other input under the same id is ALREADY_EXISTS"


def client_cancels(stage):
    """A cancel while confirm is under way undoes everything."""
    customer = stage.customer("ivy")
    stage.fault("reservation", CONFIRM, "DELAY", delay_ms=800, count=1)
    stage.start("cancelled", customer)
    stage.await_event("cancelled", "ATTEMPT_STARTED", step="confirm")
    stage.sagas.CancelSaga(saga_id="cancelled", reason="changed my mind", by="ivy")
    stage.await_state("cancelled", "COMPENSATED")
    expect("the abort's cause", stage.get("cancelled").abort_reason.cause, stage.pb.ABORT_CAUSE_CANCELLED)
    wait_until("the saga to settle", lambda: not stage.get("cancelled").settling)
    expect("the wallet", stage.world.balance("ivy"), POINTS)
    expect("the token", stage.world.token_status("ivy"), "ISSUED")
    expect("confirmed", stage.world.seat_status("ivy") != "CONFIRMED", True)
    return "cancelled", "undone; the confirm in flight came to nothing"


STORIES = (booked, charge_refused, confirm_refused, late_success, token_service_down, orchestrator_killed,
           payment_killed, same_start_ten_times, client_cancels)


def tell(stage, story):
    """One story's row of the report. A story that fails does not keep the others from being told."""
    name = story.__name__.replace("_", " ")
    row = {"name": name, "ok": False, "saga_id": "", "state": "", "detail": ""}
    print(f"\n== {name}: {story.__doc__.strip()}", flush=True)
    try:
        row["saga_id"], row["detail"] = story(stage)
        row["state"] = stage.state(row["saga_id"])
        row["ok"] = True
        print(timeline(stage, row["saga_id"]), end="")
        print(f"   ok: {row['detail']}")
    except (Unexpected, StackError, grpc.RpcError) as error:
        row["detail"] = str(error)
        print(f"   FAILED: {error}")
    for process in stage.stack.processes.values():
        if process.running():
            continue
        # -9 and 137 are what the stories themselves do to processes.
        if process.popen.returncode not in (-9, 137):
            row["ok"] = False
            row["detail"] = f"{process.name} ended by itself with status {process.popen.returncode}"
            print(f"   FAILED: {row['detail']}\n{tail(process.log_path, 40)}")
        stage.stack.restart(process.name)
    stage.clear_faults()
    return row


def timeline(stage, saga_id):
    stack = stage.stack
    shown = subprocess.run([stack.binary("tuttictl"), "--address", stack.processes["orchestrator"].address, "saga",
                            "history", saga_id], capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        raise Unexpected(f"tuttictl saga history ended with {shown.returncode}: {shown.stderr}")
    return "".join(f"   {line}\n" for line in shown.stdout.splitlines())


def keep(stage):
    """Leaves the stack up until Ctrl-C and says what to try."""
    stack = stage.stack
    booking = json.dumps(stage.customer("jon"), separators=(",", ":"))
    address = stack.processes["orchestrator"].address
    for process in stack.processes.values():
        print(f"{process.name:13} grpc 127.0.0.1:{process.ports['grpc']}  "
              f"metrics http://127.0.0.1:{process.ports['metrics']}/metrics")
    print(f"""
Try, from another terminal:
  grpcurl -plaintext {address} list
  grpcurl -plaintext -d '{{"saga_id":"booked"}}' {address} tutti.v1.SagaService/GetSaga
  grpcurl -plaintext -d '{{"saga_id":"late-success"}}' {address} tutti.v1.SagaService/WatchSaga
  grpcurl -plaintext -d '{{"saga_id":"again","definition":"book-ticket","input":{booking}}}' \\
      {address} tutti.v1.SagaService/RunSaga
  {stack.binary("tuttictl")} --address {address} saga list
Ctrl-C ends the stack.""", flush=True)
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except KeyboardInterrupt:
        pass


def main():
    parser = argparse.ArgumentParser(prog="tools/demo.sh", description=__doc__)
    parser.add_argument("--build-dir", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", metavar="FILE", help="write the stories' results here")
    parser.add_argument("--keep", action="store_true", help="leave the stack up and print grpcurl lines to try")
    args = parser.parse_args()
    if args.keep:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    sagas = os.path.join(repository(), "participants", "sagas")
    with Stack(args.build_dir) as stack:
        for definition in ("book-ticket.yaml", "book-ticket-impatient.yaml"):
            stack.apply_definition(os.path.join(sagas, definition))
        stage = Stage(stack)
        # One more for whoever tries it.
        stage.world.reservation.CreateConcert(concert_id=CONCERT, seat_count=len(STORIES) + 1)
        rows = [tell(stage, story) for story in STORIES]
        ok = all(row["ok"] for row in rows)
        if args.json:
            with open(args.json, "w", encoding="utf-8") as file:
                json.dump({"ok": ok, "stories": rows}, file, indent=2)
                file.write("\n")
        print(f"\n{sum(row['ok'] for row in rows)} of {len(rows)} stories went as promised", flush=True)
        if args.keep:
            keep(stage)
        for process in stack.processes.values():
            expect(f"{process.name}'s exit status after SIGTERM", process.terminate(), 0)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
