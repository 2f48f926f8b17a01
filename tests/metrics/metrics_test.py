"""The metrics of a running stack: what they say after a load with refusals, timeouts, late successes and parking, over a
restart and with a participant down; and that headers, docs/metrics.md and /metrics name the same ones."""

import os
import re
import sys
import tempfile
import time

import grpc

from stack.processes import wait_until
from stack.scrape import scrape
from stack.sealed import Sealed
from stack.services import pages, struct
from stack.stack import Stack, repository
from stack.world import World

HERE = os.path.dirname(os.path.abspath(__file__))
SAGAS = os.path.join(repository(), "participants", "sagas")
HEADERS = ("common/metric_names.h", "orchestrator/metrics/metric_names.h", "participants/sdk/participant_metrics.h")
DECLARATION = re.compile(r'MetricName k\w+\{\s*"(\w+)",\s*k(\w+),\s*"([^"]*)"')
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|")
CHARGE = "tutti.payment.v1.PaymentService/Charge"
CONFIRM = "tutti.reservation.v1.ReservationService/Confirm"
EXPIRE = "tutti.token.v1.TokenService/ExpireToken"
POINTS, PRICE = 1000, 300
DEADLINE, IMPATIENT, BOOKING = "ticket-with-deadline", "book-ticket-impatient", "book-ticket"


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def declared():
    """name -> (type, label names), from the headers."""
    found = {}
    for header in HEADERS:
        with open(os.path.join(repository(), header), encoding="utf-8") as file:
            for name, kind, labels in DECLARATION.findall(file.read()):
                expect(f"{name} is declared once", name in found, False)
                found[name] = (kind.lower(), frozenset(re.findall(r"\w+", labels)))
    return found


def documented():
    found = {}
    with open(os.path.join(repository(), "docs", "metrics.md"), encoding="utf-8") as file:
        for name, kind, labels in (row.groups() for row in map(ROW.match, file) if row):
            expect(f"{name} has one row", name in found, False)
            found[name] = (kind, frozenset(re.findall(r"`(\w+)`", labels)))
    return found


def served(scrapes):
    """name -> (type, label names), of all that is ours."""
    found = {}
    for answer in scrapes:
        for name, family in answer.families.items():
            if not name.startswith(("tutti_", "process_")):
                continue
            for labels in answer.labels(name):
                expect(f"{name} is served as one thing", found.setdefault(name, (family.type, labels)),
                       (family.type, labels))
    return found


def compare_names(stack):
    headers = declared()
    expect("the headers were read", len(headers) > 40, True)
    expect("docs/metrics.md against the headers", documented(), headers)
    expect("/metrics against the headers", served(scrape(process) for process in stack.processes.values()), headers)


class Play:
    def __init__(self, stack):
        from tutti.participant.v1 import fault_service_pb2
        from tutti.v1 import saga_pb2, saga_service_pb2
        self.stack = stack
        self.pb, self.words = saga_pb2, saga_service_pb2
        self.faults = fault_service_pb2
        self.world = World(stack)
        self.sagas = stack.sagas(timeout=60)
        self.seats = 0

    def scrape(self):
        return scrape(self.stack.processes["orchestrator"])

    def value(self, sample, **labels):
        return self.scrape().sum(sample, **labels)

    def customer(self, name):
        self.seats += 1
        return self.world.customer(name, POINTS, "gala", self.seats)

    def run(self, saga_id, definition, price=PRICE, wait=True, customer=None):
        customer = customer or self.customer(saga_id)
        fields = {"saga_id": saga_id, "definition": definition, "input": struct({**customer, "price": price})}
        if not wait:
            return self.sagas.StartSaga(**fields).saga
        return self.sagas.RunSaga(wait_until=self.words.WAIT_UNTIL_FINISHED, **fields).saga

    def fault(self, participant, method, kind, **fields):
        fault = self.faults.Fault(method=method, kind=self.faults.FaultKind.Value(f"FAULT_KIND_{kind}"), **fields)
        self.stack.faults(participant).SetFault(fault=fault)

    def clear(self, participant):
        self.stack.faults(participant).ClearFaults()

    def get(self, saga_id):
        return self.sagas.GetSaga(saga_id=saga_id).saga

    def retry(self, saga_id, sequence):
        return self.sagas.RetrySaga(saga_id=saga_id, reason="mended", by="test",
                                    steps=[self.words.ParkedStep(step="expire-token", history_sequence=sequence)])

    def count(self, where):
        return sum(1 for _ in pages(self.sagas.ListSagas, "sagas", filter=where))


def known_definitions_are_at_zero(play):
    now = play.scrape()
    for definition in (BOOKING, IMPATIENT, DEADLINE):
        for sample in ("tutti_sagas_started_total", "tutti_sagas_finished_total", "tutti_sagas_in_flight",
                       "tutti_sagas_oldest_in_flight_seconds", "tutti_sagas_parked", "tutti_sagas_aborted_total",
                       "tutti_step_attempts_total", "tutti_step_retries_total", "tutti_late_results_total"):
            expect(f"{sample} of {definition}", now.sum(sample, definition=definition), 0)
    for participant in ("payment", "reservation", "token"):
        expect(f"{participant} not sent", now.sum("tutti_participant_not_sent_total", participant=participant), 0)
    expect("ready", now.sum("tutti_ready"), 1)
    expect("starts before any", now.sum("tutti_grpc_requests_total", method="StartSaga", code="OK"), 0)


def load(play):
    """Five bookings; two refused; one timed out with a late success; one past its deadline; three parked."""
    for number in range(5):
        play.run(f"booked-{number}", BOOKING)
    for number in range(2):
        play.run(f"poor-{number}", BOOKING, price=POINTS + 1)
    play.fault("reservation", CONFIRM, "DELAY_REPLY", delay_ms=1500)
    play.run("late", IMPATIENT)
    play.clear("reservation")
    play.fault("payment", CHARGE, "FAIL", code=grpc.StatusCode.UNAVAILABLE.value[0])
    play.run("slow", DEADLINE)
    play.clear("payment")
    play.fault("token", EXPIRE, "REFUSE")
    for number in range(3):
        play.run(f"parked-{number}", DEADLINE, wait=False)
    wait_until("three sagas to park", lambda: play.value("tutti_sagas_parked", definition=DEADLINE) == 3)
    wait_until("the late success", lambda: play.value("tutti_late_results_total", definition=IMPATIENT) > 0)


def what_the_load_left(play):
    now = play.scrape()
    for definition in (BOOKING, IMPATIENT, DEADLINE):
        for state, outcome in (("SUCCEEDED", "succeeded"), ("COMPENSATED", "compensated")):
            known = play.count(f"definition = {definition} AND state = {state}")
            expect(f"{definition} {outcome}",
                   now.sum("tutti_sagas_finished_total", definition=definition, outcome=outcome), known)
            expect(f"durations of {definition} {outcome}",
                   now.sum("tutti_saga_duration_seconds_count", definition=definition, outcome=outcome), known)
        expect(f"{definition} in flight", now.sum("tutti_sagas_in_flight", definition=definition, state="running"),
               play.count(f"definition = {definition} AND state = RUNNING"))
        expect(f"{definition} parked", now.sum("tutti_sagas_parked", definition=definition),
               play.count(f"definition = {definition} AND parked = true"))
    expect("succeeded bookings", now.sum("tutti_sagas_finished_total", definition=BOOKING, outcome="succeeded"), 5)
    expect("refusals", now.sum("tutti_sagas_aborted_total", definition=BOOKING, cause="step_rejected"), 2)
    expect("refused attempts", now.sum("tutti_step_attempts_total", definition=BOOKING, step="charge",
                                       operation="action", code="FAILED_PRECONDITION", outcome="rejected"), 2)
    expect("attempts of confirm that timed out",
           now.sum("tutti_step_timeouts_total", definition=IMPATIENT, step="confirm", kind="attempt"), 2)
    expect("and their durations", now.sum("tutti_step_attempt_duration_seconds_count", definition=IMPATIENT,
                                          step="confirm", operation="action", outcome="unknown"), 2)
    expect("retries of confirm",
           now.sum("tutti_step_retries_total", definition=IMPATIENT, step="confirm", operation="action"), 1)
    expect("aborts of the impatient",
           now.sum("tutti_sagas_aborted_total", definition=IMPATIENT, cause="step_unknown"), 1)
    expect("compensated charges",
           now.sum("tutti_step_compensations_total", definition=IMPATIENT, step="charge"), 1)
    expect("deadlines", now.sum("tutti_step_timeouts_total", definition=DEADLINE, step="charge", kind="step_deadline"),
           1)
    expect("parked by cause", now.sum("tutti_steps_parked", definition=DEADLINE, step="expire-token",
                                      operation="action", cause="refused"), 3)
    expect("parkings",
           now.sum("tutti_steps_parkings_total", definition=DEADLINE, step="expire-token", cause="refused"), 3)
    expect("answered RunSaga", now.sum("tutti_grpc_requests_total", service="tutti.v1.SagaService", method="RunSaga",
                                       code="OK"), 9)
    expect("their durations", now.sum("tutti_grpc_request_duration_seconds_count", method="RunSaga"), 9)
    expect("RunSaga in flight", now.sum("tutti_grpc_requests_in_flight", method="RunSaga"), 0)
    for sample in ("tutti_commit_duration_seconds_count", "tutti_shard_batch_events_count",
                   "tutti_shard_mailbox_wait_seconds_count", "tutti_timer_lag_seconds_count",
                   "tutti_store_sync_duration_seconds_count", "tutti_store_sync_duration_seconds_sum",
                   "tutti_timers_pending", "tutti_store_volume_free_bytes", "process_resident_memory_bytes",
                   "process_cpu_seconds_total"):
        expect(f"{sample} is more than nothing", now.sum(sample) > 0, True)
    expect("the log's bytes", now.sum("tutti_store_size_bytes", kind="wal") > 0, True)
    expect("free of size", now.sum("tutti_store_volume_free_bytes") < now.sum("tutti_store_volume_size_bytes"), True)


def a_participant_counts_too(play):
    payment = scrape(play.stack.processes["payment"])
    expect("charges applied", payment.sum("tutti_participant_commands_total", method=CHARGE, mark="applied",
                                          code="OK"), 5 + 1 + 3)
    expect("payment's calls by the interceptor", payment.sum("tutti_grpc_requests_total", method="Charge", code="OK"),
           5 + 1 + 3)
    expect("payment's build", payment.sum("tutti_build_info"), 1)


def gauges_outlive_a_crash(play):
    before = play.scrape()
    active = play.count("state = RUNNING")
    seen_at = time.monotonic()
    play.stack.processes["orchestrator"].kill9()
    play.stack.restart("orchestrator")
    after = play.scrape()
    gone = time.monotonic() - seen_at
    for sample in ("tutti_sagas_in_flight", "tutti_sagas_parked", "tutti_steps_parked"):
        expect(f"{sample} after the restart", after.sum(sample, definition=DEADLINE), before.sum(sample,
                                                                                                definition=DEADLINE))
    for sample in ("tutti_sagas_oldest_in_flight_seconds", "tutti_steps_oldest_parked_seconds"):
        age, earlier = after.sum(sample, definition=DEADLINE), before.sum(sample, definition=DEADLINE)
        expect(f"{sample} went on: {earlier} then {age}", earlier < age < earlier + gone + 1, True)
    expect("sagas read back", after.sum("tutti_recovery_sagas") >= active == 3, True)
    expect("ready", after.sum("tutti_ready"), 1)
    expect("counters began anew", after.sum("tutti_sagas_started_total", definition=DEADLINE), 0)


def operators_mend(play):
    play.clear("token")
    sequence = next(step.parking.history_sequence for step in play.get("parked-0").steps if step.HasField("parking"))
    for refused in (lambda: play.retry("parked-0", sequence + 1), lambda: play.retry("nobody", 1),
                    lambda: play.sagas.CancelSaga(saga_id="booked-0")):
        try:
            refused()
            raise SystemExit("a word that should be refused was accepted")
        except grpc.RpcError:
            pass
    for number in range(3):
        steps = play.get(f"parked-{number}").steps
        play.retry(f"parked-{number}", next(s.parking.history_sequence for s in steps if s.HasField("parking")))
    wait_until("all sagas to end", lambda: play.value("tutti_sagas_in_flight") == 0)
    now = play.scrape()
    expect("parked sagas", now.sum("tutti_sagas_parked"), 0)
    expect("parked steps", now.sum("tutti_steps_parked", cause="refused"), 0)
    expect("the oldest parked", now.sum("tutti_steps_oldest_parked_seconds"), 0)
    expect("the oldest in flight", now.sum("tutti_sagas_oldest_in_flight_seconds"), 0)
    expect("mended", now.sum("tutti_sagas_finished_total", definition=DEADLINE, outcome="succeeded"), 3)
    expect("accepted retries", now.sum("tutti_operator_words_total", word="retry", result="accepted"), 3)
    expect("refused retries", now.sum("tutti_operator_words_total", word="retry", result="refused"), 2)
    expect("refused cancels", now.sum("tutti_operator_words_total", word="cancel", result="refused"), 1)


def a_participant_goes_and_comes(play):
    expect("token ready", play.value("tutti_participant_ready", participant="token"), 1)
    customer = play.customer("waits")  # who gets a token while there is somebody to give it
    play.stack.processes["token"].kill9()
    wait_until("token to be missed", lambda: play.value("tutti_participant_ready", participant="token") == 0)
    play.run("waits", DEADLINE, wait=False, customer=customer)
    wait_until("a command to wait", lambda: play.value("tutti_participant_calls_queued", participant="token") == 1)
    wait_until("it to be given up",
               lambda: play.value("tutti_participant_not_sent_total", participant="token") > 0)
    expect("payment is none the worse", play.value("tutti_participant_ready", participant="payment"), 1)
    play.stack.restart("token")
    wait_until("token to be back", lambda: play.value("tutti_participant_ready", participant="token") == 1)
    wait_until("the saga to end", lambda: play.value("tutti_sagas_in_flight") == 0)
    expect("and nothing is parked", play.value("tutti_sagas_parked"), 0)


class BackedUpStack(Stack):
    """Without a folder for backups there are no metrics of them."""

    def start(self):
        self.processes["orchestrator"].set_option("--backup-dir", os.path.join(self.work_dir, "backups"))
        super().start()


def main():
    with tempfile.TemporaryDirectory(prefix="tutti-sealed-") as folder, Sealed(folder) as sealed, \
            BackedUpStack(sys.argv[1], foreign={"sealed": sealed.settings()}) as stack:
        for path in (os.path.join(SAGAS, f"{BOOKING}.yaml"), os.path.join(SAGAS, f"{IMPATIENT}.yaml"),
                     os.path.join(HERE, f"{DEADLINE}.yaml")):
            stack.apply_definition(path)
        play = Play(stack)
        play.world.reservation.CreateConcert(concert_id="gala", seat_count=100)
        for act in (known_definitions_are_at_zero, load, what_the_load_left, a_participant_counts_too,
                    lambda _: compare_names(stack), gauges_outlive_a_crash, operators_mend,
                    a_participant_goes_and_comes):
            act(play)
    print(f"{len(declared())} metrics say what happened")


if __name__ == "__main__":
    main()
