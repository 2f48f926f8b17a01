"""tuttictl as an operator uses it, against the real stack: every exit code, every format, mending parked sagas, watching,
completion, and the examples of docs/tuttictl.md, word for word."""

import json
import os
import pty
import re
import shlex
import subprocess
import sys

import yaml

from stack.processes import Process, wait_until
from stack.stack import Stack, repository
from stack.world import World

HERE = os.path.dirname(os.path.abspath(__file__))
GRACE_MS = 500
PRICE = 300
UNAVAILABLE = 14


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def expect_in(what, part, text):
    if part not in text:
        raise SystemExit(f"{what}: {part!r} is not in {text!r}")


class Operator:
    """A person at a shell."""

    def __init__(self, stack):
        self.stack = stack
        self.binary = stack.binary("tuttictl")
        self.environment = {"PATH": os.path.dirname(self.binary) + ":" + os.environ["PATH"], "USER": "ann",
                            "TUTTI_ADDRESS": stack.processes["orchestrator"].address, "HOME": stack.work_dir}

    def run(self, *arguments, code=0, text=None):
        done = subprocess.run([self.binary, *arguments], env=self.environment, input=text, capture_output=True,
                              text=True, timeout=60)
        if done.returncode != code:
            raise SystemExit(f"tuttictl {shlex.join(arguments)}: ended with {done.returncode}, not {code}\n"
                             f"{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "-o", "json", code=code).stdout)

    def yaml(self, *arguments, code=0):
        return yaml.safe_load(self.run(*arguments, "-o", "yaml", code=code).stdout)

    def park(self, saga_id, user):
        """A saga whose only step is parked, and can be resolved: nothing of it can land any more."""
        faults = self.stack.faults("payment")
        faults.SetFault(fault={"method": "tutti.payment.v1.PaymentService/Charge", "kind": "FAULT_KIND_FAIL",
                               "code": UNAVAILABLE})
        saga = self.json("saga", "run", "pay-at-once", "--id", saga_id, "--until-finished", "--input",
                         json.dumps({"user_id": user, "price": PRICE}), code=4)
        faults.ClearFaults()
        expect(f"{saga_id} is parked", saga["parked"], True)
        return saga


def definitions(me):
    path = os.path.join(HERE, "pay-at-once.yaml")
    dry = me.run("definition", "apply", "-f", path, "--dry-run")
    expect("a dry run", dry.stdout, "pay-at-once revision 1 valid, not applied\n")
    me.run("definition", "get", "pay-at-once", code=1)
    expect("applied", me.json("definition", "apply", "-f", path)["definition"]["name"], "pay-at-once")
    with open(path, encoding="utf-8") as file:
        source = file.read()
    expect("again", me.run("definition", "apply", text=source).stdout, "pay-at-once revision 1 unchanged\n")
    expect("its source", me.run("definition", "get", "pay-at-once").stdout, source)
    expect("its source as YAML", me.yaml("definition", "get", "pay-at-once")["source"], source)
    expect("its source as JSON", me.json("definition", "get", "pay-at-once")["source"], source)
    wrong = me.run("definition", "apply", text="name: x", code=1)
    expect("standard output of an error", wrong.stdout, "")
    expect_in("a wrong definition", "INVALID_DEFINITION", wrong.stderr)
    listed = [definition["name"] for definition in me.yaml("definition", "list")["definitions"]]
    expect("the list", listed, ["book-ticket", "pay-at-once"])


def exit_codes(me, world):
    ticket = world.customer("rich", 1000, "hall", 1)
    run = ["saga", "run", "book-ticket", "--until-finished", "--input"]
    done = me.run(*run, json.dumps({**ticket, "price": PRICE}), "--id", "booked")
    expect_in("a saga", "SUCCEEDED", done.stdout)
    again = me.run(*run, json.dumps({**ticket, "price": PRICE}), "--id", "booked")
    expect_in("repeating it", "an earlier, identical start", again.stderr)
    poor = me.run(*run, json.dumps({**world.customer("poor", 1, "hall", 2), "price": PRICE}), "--id", "refused", code=3)
    expect_in("a refused saga", "charge was refused", poor.stdout)
    expect("its watch", me.run("saga", "watch", "refused", "--until-finished", code=3).stderr, "")
    unknown = me.run("saga", "get", "nobody", code=1)
    expect_in("an unknown saga", "SAGA_NOT_FOUND", unknown.stderr)
    me.run("saga", "get", code=2)
    me.run("parked", "--address", "127.0.0.1:1", code=6)
    faults = me.stack.faults("payment")
    faults.SetFault(fault={"method": "tutti.payment.v1.PaymentService/Charge", "kind": "FAULT_KIND_DELAY",
                           "delay_ms": 5000})
    slow = json.dumps({**world.customer("slow", 1000, "hall", 3), "price": PRICE})
    me.run("saga", "run", "book-ticket", "--id", "slow", "--input", slow, "--timeout", "1", code=5)
    faults.ClearFaults()


def formats(me):
    for arguments in (("saga", "get", "booked"), ("saga", "list"), ("saga", "history", "booked"), ("parked",),
                      ("definition", "list")):
        as_json, as_yaml = me.json(*arguments), me.yaml(*arguments)
        expect(f"the fields of {arguments}", sorted(as_json), sorted(as_yaml))
        table = me.run(*arguments).stdout
        expect(f"colours in {arguments}", "\x1b" in table, False)
        expect(f"lines in {arguments}", table.count("\n") > 0, True)
    expect("colour when asked for", "\x1b[32m" in me.run("saga", "history", "booked", "--color", "always").stdout, True)
    saga = me.yaml("saga", "get", "booked")
    expect("a state", saga["state"], "SAGA_STATE_SUCCEEDED")
    expect("a 64-bit integer in YAML", saga["revision"], 1)
    expect("a 64-bit integer in JSON", me.json("saga", "get", "booked")["revision"], "1")


def watching(me):
    plain = me.run("saga", "watch", "booked", "--until-finished").stdout
    expect("watch is history", plain, me.run("saga", "history", "booked").stdout[:len(plain)])
    expect_in("its last line", "SUCCEEDED", plain.splitlines()[-1])
    events = [json.loads(line) for line in me.run("saga", "watch", "booked", "--until-finished", "-o", "json")
              .stdout.splitlines()]
    expect("sequences", [event["sequence"] for event in events], [str(i + 1) for i in range(len(events))])
    documents = list(yaml.safe_load_all(me.run("saga", "watch", "booked", "--until-finished", "-o", "yaml").stdout))
    expect("documents", [document["sequence"] for document in documents], list(range(1, len(events) + 1)))
    on_screen = terminal(me, "saga", "watch", "booked", "--until-finished")
    expect_in("colours on a terminal", "\x1b[32m", on_screen)
    expect_in("the status", "SUCCEEDED", on_screen.splitlines()[-1])
    expect("NO_COLOR", "\x1b[32m" in terminal(me, "saga", "watch", "booked", "--until-finished", NO_COLOR="1"), False)


def terminal(me, *arguments, **environment):
    """What appears on a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([me.binary, *arguments], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
                               env={**me.environment, "TERM": "xterm", **environment})
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # the other end is gone
        pass
    os.close(ours)
    process.wait(60)
    return seen.decode()


def mending(me, world):
    saga = me.park("stuck", "rich")
    parked = me.json("parked")["parked"]
    expect("parked", [(p["saga_id"], p["step"], p["operation"], p["cause"]) for p in parked],
           [("stuck", "charge", "OPERATION_ACTION", "PARKING_CAUSE_ATTEMPTS_SPENT")])
    sequence = parked[0]["history_sequence"]
    expect("its sequence", sequence, saga["steps"][0]["parking"]["history_sequence"])
    expect_in("the table", "ATTEMPTS_SPENT", me.run("parked", "--definition", "pay-at-once").stdout)
    expect("of another definition", me.json("parked", "--definition", "book-ticket")["parked"], [])
    me.run("saga", "watch", "stuck", "--until-finished", code=4)

    stale = me.run("retry", "stuck", "--step", "charge", "--sequence", "1", code=1)
    expect_in("a stale word", f"PARKING_STALE: step charge is parked since history sequence {sequence}, not 1",
              stale.stderr)
    me.run("retry", "stuck", "--reason", "payment is back")
    me.run("saga", "watch", "stuck", "--until-finished")
    expect("after the retry", me.json("saga", "get", "stuck")["state"], "SAGA_STATE_SUCCEEDED")
    words = [event for event in me.json("saga", "history", "stuck")["events"] if event["by"]]
    expect("the record", [(word["type"], word["by"], word["message"]) for word in words],
           [("EVENT_TYPE_STEP_RETRIED", "ann", "payment is back")])
    expect_in("nothing to retry", "saga stuck is not parked", me.run("retry", "stuck", code=1).stderr)

    me.park("seen", "rich")
    resolve(me, "seen", "done", "--reply", '{"payment_id":"by-hand"}')
    expect("done", me.json("saga", "get", "seen")["output"], {"payment_id": "by-hand"})
    expect("its exit code", me.run("saga", "watch", "seen", "--until-finished").stderr, "")
    me.park("gone", "rich")
    resolve(me, "gone", "undone")
    me.run("saga", "watch", "gone", "--until-finished", code=3)
    expect("nobody paid for those", world.balance("rich"), 1000 - PRICE - PRICE)


def resolve(me, saga_id, truth, *more):
    """Again until the grace is over: before that, no word can be true."""
    command = [me.binary, "resolve", saga_id, "charge", "--as", truth, "--reason", "read in the ledger", *more]

    def attempt():
        done = subprocess.run(command, env=me.environment, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            expect_in(f"resolving {saga_id}", "STEP_NOT_SETTLED", done.stderr)
        return done.returncode == 0

    wait_until(f"{saga_id} to be resolved", attempt, every=0.1)


def disabling(me):
    me.run("definition", "disable", "pay-at-once", code=2)
    disabled = me.yaml("definition", "disable", "pay-at-once", "--reason", "fraud")
    expect("disabled", (disabled["disablement"]["reason"], disabled["disablement"]["by"]), ("fraud", "ann"))
    paying = json.dumps({"user_id": "rich", "price": 1})
    refused = me.run("saga", "start", "pay-at-once", "--id", "too-late", "--input", paying, code=1)
    expect_in("a start", "DEFINITION_DISABLED: definition: pay-at-once is disabled and takes no new sagas: fraud (ann)",
              refused.stderr)
    me.stack.processes["orchestrator"].terminate()
    me.stack.restart("orchestrator")
    me.run("saga", "start", "pay-at-once", "--id", "too-late", "--input", paying, code=1)
    me.run("definition", "enable", "pay-at-once")
    me.run("saga", "run", "pay-at-once", "--id", "too-late", "--input", paying)


def completion(me):
    script = """source <(tuttictl completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tuttictl; echo "${COMPREPLY[*]}"; }
try tuttictl def
try tuttictl definition a
try tuttictl resolve x y --as ''
try tuttictl saga get -o y
complete -p tuttictl"""
    done = subprocess.run(["bash", "-c", script], env=me.environment, capture_output=True, text=True, timeout=60)
    expect("completion in bash", done.stdout.splitlines(),
           ["definition", "apply", "done undone", "yaml", "complete -o default -F _tuttictl tuttictl"])


def encrypted(me):
    """An orchestrator that wants to see its clients' certificates."""
    def path(name):
        return os.path.join(me.stack.work_dir, name)

    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "1", "-subj", "/CN=tutti.test", "-addext", "subjectAltName=DNS:tutti.test",
                    "-keyout", path("key.pem"), "-out", path("cert.pem")], check=True, capture_output=True)
    server = Process("orchestrator-tls", [
        me.stack.binary("tutti-orchestrator"), "--data-dir", path("orchestrator-tls"), "--participants",
        me.stack.participants_file, "--tls-certificate", path("cert.pem"), "--tls-private-key", path("key.pem"),
        "--tls-client-ca", path("cert.pem")], me.stack.work_dir)
    server.start()
    try:
        server.await_serving()
        there = ["parked", "--address", server.address]
        trusted = ["--tls-ca", path("cert.pem"), "--tls-server-name", "tutti.test"]
        shown = ["--tls-certificate", path("cert.pem"), "--tls-private-key", path("key.pem")]
        me.run(*there, *trusted, *shown)
        me.run(*there, *trusted, code=6)
        me.run(*there, "--tls-server-name", "tutti.test", *shown, code=6)
        me.run(*there, code=6)
        missing = me.run(*there, "--tls-ca", path("nothing.pem"), code=1)
        expect_in("a missing file", "cannot open", missing.stderr)
    finally:
        server.kill9()


def masked(text):
    """What differs from run to run, made equal: times, durations and the widths of columns."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"[\d.]+ (ms|s|min)\b", "DURATION", text)
    text = re.sub(r"\+[\d.]+s\b", "OFFSET", text)
    return [re.sub(r" +", " ", line).strip() for line in text.splitlines()]


def documents(me):
    """Every `$` line of the page runs, ends as its `# exit` says, and prints what stands below it."""
    with open(os.path.join(repository(), "docs", "tuttictl.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```console\n(.*?)```", file.read(), re.S)
    count = 0
    for block in blocks:
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            code = re.search(r"  # exit (\d)$", command)
            done = subprocess.run(["bash", "-c", command], env=me.environment, capture_output=True, text=True,
                                  timeout=60, cwd=repository())
            expect(f"{command}\n{done.stderr}", done.returncode, int(code.group(1)) if code else 0)
            if output.strip():
                expect(f"what docs/tuttictl.md says of {command}", masked(done.stdout + done.stderr), masked(output))
            count += 1
    expect("examples in docs/tuttictl.md", count >= 8, True)
    return count


def main():
    with Stack(sys.argv[1], orchestrator_args=["--late-reply-grace", f"{GRACE_MS}ms"]) as stack:
        stack.apply_definition(os.path.join(repository(), "participants", "sagas", "book-ticket.yaml"))
        world = World(stack)
        world.reservation.CreateConcert(concert_id="hall", seat_count=10)
        me = Operator(stack)
        definitions(me)
        exit_codes(me, world)
        formats(me)
        watching(me)
        me.run("saga", "watch", "slow", "--until-finished")
        mending(me, world)
        disabling(me)
        completion(me)
        encrypted(me)
        world.customer("ada", 1000, "hall", 7)
        world.customer("ben", 10, "hall", 8)
        me.park("order-9", "ada")
        examples = documents(me)
        print(f"tuttictl did all an operator asked of it; {examples} examples of its page ran")


if __name__ == "__main__":
    main()
