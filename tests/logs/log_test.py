"""What a stack writes: one JSON object a line, whoever speaks; a line for each start, word, reload and renewed certificate;
and the certificates themselves, from half a file to a new pair, seen by new connections."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

import grpc

from stack.processes import wait_until
from stack.scrape import scrape
from stack.sealed import Sealed
from stack.stack import Stack, repository

BOOKING = os.path.join(repository(), "participants", "sagas", "book-ticket.yaml")
PROGRAMS = ("tutti-orchestrator", "tutti-payment", "tutti-reservation", "tutti-token", "tuttictl", "tutti-bench")
STRANGERS = 40
LINES_OF_A_PLACE = 5
RENEWED_SECONDS = 30


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, found {actual!r}")


def lines(process):
    """All that it wrote, each line an object."""
    with open(process.log_path, encoding="utf-8") as file:
        text = file.read()
    found = []
    for line in text[:text.rfind("\n") + 1].splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            raise SystemExit(f"{process.name} wrote a line that is no JSON: {line!r}") from None
        expect(f"fields of {line}", {"time", "level", "component", "message"} - found[-1].keys(), set())
    return found


def said(process, message):
    return [line for line in lines(process) if message in line["message"]]


def a_start_is_told(stack):
    version = programs_tell_their_version(stack)
    for name, process in stack.processes.items():
        first = lines(process)[0]
        expect(f"{name}'s first line", (first["message"], first["version"]), ("starting", version))
        expect(f"{name}'s component", first["component"], name)
    first = lines(stack.processes["orchestrator"])[0]
    expect("the store", first["data_dir"], os.path.join(stack.work_dir, "orchestrator"))
    expect("the shards, a default", first["shards"], "2")
    expect("a default among the options", "--log-level" in first["options"], False)
    for option in (f"--participants={stack.participants_file}", "--late-reply-grace=300ms", "--listen=127.0.0.1:0"):
        expect(f"{option} in {first['options']}", option in first["options"], True)
    serving = said(stack.processes["orchestrator"], "serving")[0]
    expect("the port", serving["port"], str(stack.processes["orchestrator"].ports["grpc"]))


def programs_tell_their_version(stack):
    versions = set()
    for name in PROGRAMS:
        if name == "tutti-bench" and not os.path.exists(stack.binary(name)):
            continue  # builds with a sanitizer have none
        done = subprocess.run([stack.binary(name), "--version"], capture_output=True, text=True, timeout=30, check=True)
        program, version = done.stdout.split()[:2]
        expect("the program", program, name)
        expect(f"{name}'s standard error", done.stderr, "")
        versions.add(version)
    expect(f"one version of {versions}", len(versions), 1)
    return versions.pop()


def each_word_is_told(stack):
    definitions, sagas = stack.definitions(), stack.sagas()
    stack.apply_definition(BOOKING)
    with open(BOOKING, encoding="utf-8") as file:
        source = file.read()
    definitions.ApplyDefinition(source=source)
    definitions.ApplyDefinition(source=source, dry_run=True)
    definitions.DisableDefinition(name="book-ticket", reason="stock-taking", by="ann")
    refused = None
    try:
        sagas.CancelSaga(saga_id="nobody", reason="mistaken", by="ben")
    except grpc.RpcError as error:
        refused = error.code()
    expect("a cancel of no saga", refused, grpc.StatusCode.NOT_FOUND)
    definitions.EnableDefinition(name="book-ticket")
    sagas.BatchRetrySagas(parkings=[{"saga_id": f"nobody-{index}", "step": "charge", "history_sequence": 7}
                                    for index in (1, 2)], reason="books compared", by="eve")
    orchestrator = stack.processes["orchestrator"]
    words = [line for line in said(orchestrator, " word") if not line["result"].startswith("refused: the participant")]
    expect("the words", [(line["word"], line.get("definition", line.get("saga_id"))) for line in words],
           [("apply", "book-ticket"), ("apply", "book-ticket"), ("disable", "book-ticket"), ("cancel", "nobody"),
            ("enable", "book-ticket"), ("retry", "nobody-1"), ("retry", "nobody-2")])
    expect("their results", [line["result"].split(":")[0] for line in words],
           ["accepted", "unchanged", "accepted", "refused", "accepted", "refused", "refused"])
    expect("who", {line["caller"].rsplit(":", 1)[0] for line in words}, {"ipv4:127.0.0.1"})
    expect("who says so", [line.get("by") for line in words], [None, None, "ann", "ben", None, "eve", "eve"])
    orchestrator.popen.send_signal(signal.SIGHUP)
    wait_until("the reload to be told", lambda: said(orchestrator, "participants reloaded"))


def the_level_follows_its_file(process):
    path = os.path.join(process.argv[process.argv.index("--data-dir") + 1], "log-level")
    for word, level, was in (("error", "error", "info"), ("debug", "debug", "error"), (None, "info", "debug")):
        if word is None:
            os.remove(path)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"{word}\n")
        process.popen.send_signal(signal.SIGHUP)
        wait_until(f"{process.name} to log at {level}",
                   lambda: any((line["is"], line["was"]) == (level, was) for line in said(process, "log level")))


def strangers_do_not_flood(token):
    """Each of them makes gRPC say something."""
    for _ in range(STRANGERS):
        with socket.create_connection(("127.0.0.1", token.ports["grpc"]), timeout=10) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.settimeout(10)
            try:
                while stranger.recv(1024):
                    pass
            except ConnectionError:
                pass
    found = [line for line in lines(token) if line.get("library") == "grpc"]
    places = {}
    for line in found:
        places.setdefault(line["source"], []).append(line)
    expect("gRPC said something", bool(places), True)
    expect("at most so much from each place", max(len(all_) for all_ in places.values()), LINES_OF_A_PLACE)


def connects(token, ca):
    with grpc.secure_channel(f"127.0.0.1:{token.ports['grpc']}", grpc.ssl_channel_credentials(ca),
                             options=[("grpc.ssl_target_name_override", "localhost"),
                                      ("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=3)
            return True
        except grpc.FutureTimeoutError:
            return False


def gauges(token):
    answer = scrape(token)
    labels = {"side": "server", "kind": "identity"}
    return (answer.sum("tutti_tls_certificate_rejected", **labels),
            answer.sum("tutti_tls_certificate_not_after_seconds", **labels))


def certificates_are_held(token, sealed, paths, former):
    def write(index, content):
        with open(paths[index], "wb") as file:
            file.write(content)

    renewed = sealed.make("renewed", days=700)
    expect("a connection at first", connects(token, former[0]), True)
    rejected, ends = gauges(token)
    expect("nothing is rejected at first", rejected, 0)
    write(0, former[0][:len(former[0]) // 2])
    wait_until("half a file to be told", lambda: said(token, "is not used"), RENEWED_SECONDS)
    expect("the gauges with half a file", gauges(token), (1, ends))
    expect("a connection with half a file", connects(token, former[0]), True)
    write(0, renewed[0])
    wait_until("a pair that does not fit to be told",
               lambda: "no PEM key that fits" in said(token, "is not used")[-1]["reason"], RENEWED_SECONDS)
    expect("a connection between the halves", connects(token, former[0]), True)
    write(1, renewed[1])
    wait_until("the new pair to be used", lambda: said(token, "a renewed certificate is used"), RENEWED_SECONDS)
    wait_until("new connections to see it", lambda: connects(token, renewed[0]), RENEWED_SECONDS)
    expect("a client that trusts the former", connects(token, former[0]), False)
    rejected, renewed_ends = gauges(token)
    expect("nothing is rejected any more", rejected, 0)
    expect("it is valid for about 335 days longer", round((renewed_ends - ends) / 86400), 335)


def main():
    with tempfile.TemporaryDirectory(prefix="tutti-sealed-") as folder, \
            Stack(sys.argv[1], orchestrator_args=["--late-reply-grace", "300ms"]) as stack:
        a_start_is_told(stack)
        each_word_is_told(stack)
        the_level_follows_its_file(stack.processes["orchestrator"])
        the_level_follows_its_file(stack.processes["payment"])
        token, sealed = stack.processes["token"], Sealed(folder)
        paths = [os.path.join(folder, name) for name in ("token.crt", "token.key")]
        former = sealed.make("token", days=365)
        expect("the token service's end", token.terminate(), 0)
        token.set_option("--tls-certificate", paths[0])
        token.set_option("--tls-private-key", paths[1])
        stack.restart("token")
        strangers_do_not_flood(token)
        certificates_are_held(token, sealed, paths, former)
        for process in stack.processes.values():
            expect(f"{process.name}'s end", process.terminate(), 0)
            lines(process)
    print("each line is an object, each word has one, and the last good certificate holds")


if __name__ == "__main__":
    main()
