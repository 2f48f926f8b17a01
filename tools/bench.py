"""Measures durable sagas against the null chain, side by side in one run. Run through tools/bench.sh, which builds first.

Figures are ratios: on another machine, or on this one an hour later, the absolute numbers differ.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys

from stack import neighbours
from stack.fault_proxy import DELAY, Proxy
from stack.processes import Process
from stack.stack import Stack

CLIENTS = (1, 64, 256)
DEFINITION = """
name: null-chain
input: {reference: string}
steps:
  - name: first
    participant: null-participant
    compensation: none
    action: {method: tutti.bench.v1.NullService/Do, request: {reference: "${input.reference}"}}
  - name: second
    participant: null-participant
    compensation: none
    action: {method: tutti.bench.v1.NullService/Do, request: {reference: "${steps.first.reply.reference}"}}
  - name: third
    participant: null-participant
    compensation: none
    action: {method: tutti.bench.v1.NullService/Do, request: {reference: "${steps.second.reply.reference}"}}
"""

ONE_STEP = """
name: {name}
input: {fields}
steps:
  - name: first
    participant: {participant}
    compensation: none
    action: {{method: tutti.bench.v1.NullService/Do, timeout: 20s}}
"""
NEIGHBOUR_CLIENTS = 8
HANDSHAKE_MS = 3_000


class BenchProcess(Process):
    """tutti-bench serves no metrics."""

    def start(self):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv + ["--port-file", self.port_file], stdout=log, stderr=log,
                                          start_new_session=True)


def measure(stack, name, target, clients, seconds, round_number):
    argv = [stack.binary("tutti-bench"), "load", "--target", target, "--definition", "null-chain", "--clients",
            str(clients), "--seconds", str(seconds), "--run-id", f"{name}-{clients}-{round_number}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name} with {clients} clients failed: {done.stdout}{done.stderr}")
    row = json.loads(done.stdout)
    print(f"{name:18} {clients:4} clients  {row['per_s']:9.1f} sagas/s  p50 {row['p50_ms']:8.3f} ms  "
          f"p99 {row['p99_ms']:8.3f} ms", flush=True)
    return {"name": name, **row}


def apply(stack, name, source):
    path = os.path.join(stack.work_dir, f"{name}.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    stack.apply_definition(path)


def peak_memory_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) // 1024


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


def beside_neighbours(stack, rounds, seconds):
    """RunSaga alone and beside each kind of rude neighbour, interleaved: median rows, and p99 as a ratio to alone."""
    orchestrator = stack.processes["orchestrator"]
    apply(stack, "many-fields", ONE_STEP.format(name="many-fields", participant="null-participant", fields="{" + ", ".join(
        f"customer_field_number_{index}: optional string" for index in range(300)) + "}"))
    runs, answers = {}, {}
    for round_number in range(rounds):
        for kind in (None, *neighbours.KINDS):
            forget_peak(orchestrator.popen.pid)
            rude = neighbours.start(kind, orchestrator.address) if kind else None
            name = f"beside_{kind}" if kind else "alone"
            row = measure(stack, name, orchestrator.address, NEIGHBOUR_CLIENTS, seconds, round_number)
            if rude:
                answers.setdefault(name, []).append(neighbours.end(rude))
                print(f"{'':18} answers to them: {answers[name][-1]}")
            row["memory_mib"] = peak_memory_mib(orchestrator.popen.pid)
            runs.setdefault(name, []).append(row)
    rows = {name: {**sorted(found, key=lambda row: row["p99_ms"])[len(found) // 2],
                   "memory_mib": max(row["memory_mib"] for row in found)} for name, found in runs.items()}
    for name, given in answers.items():
        rows[name]["answers"] = given
    ratios = {f"p99_{name}": round(row["p99_ms"] / rows["alone"]["p99_ms"], 2)
              for name, row in rows.items() if name != "alone"}
    return list(rows.values()), ratios


def median_row(rows):
    return sorted(rows, key=lambda row: row["per_s"])[len(rows) // 2]


def serve(stack, name, *role_args):
    """The address of one role of tutti-bench."""
    process = BenchProcess(name, [stack.binary("tutti-bench"), *role_args], stack.work_dir)
    stack.processes[name] = process
    process.start()
    process.await_serving()
    return process.address


def declare(stack, **targets):
    for name, target in targets.items():
        stack.foreign[name] = f'{{target: "{target}"}}'
    stack.write_participants_file()
    stack.processes["orchestrator"].terminate()
    stack.restart("orchestrator")


def neighbours_report(stack, participant, rounds, seconds):
    with contextlib.closing(Proxy({"far": participant})) as proxy:
        declare(stack, **{"null-participant": participant, "far": proxy.address("far")})
        apply(stack, "null-chain", DEFINITION)
        apply(stack, "far-away", ONE_STEP.format(name="far-away", participant="far", fields="{reference: string}"))
        proxy.set("far", DELAY, HANDSHAKE_MS)
        rows, ratios = beside_neighbours(stack, rounds, seconds)
    for row in rows:
        print(f"{row['name']:18} p99 {row['p99_ms']:8.3f} ms  x {ratios.get('p99_' + row['name'], 1.0):5.2f}  "
              f"up to {row['memory_mib']} MiB")
    return {"rows": rows, "ratios": ratios}


def throughput_report(stack, participant, rounds, seconds):
    null_chain = serve(stack, "null-chain", "null-chain", "--participant", participant)
    declare(stack, **{"null-participant": participant})
    apply(stack, "null-chain", DEFINITION)
    targets = {"null_chain_unary": null_chain, "saga_unary": stack.processes["orchestrator"].address}
    runs = {}
    # Interleaved, so that a noisy minute meets both sides.
    for round_number in range(rounds):
        for clients in CLIENTS:
            for name, target in targets.items():
                row = measure(stack, name, target, clients, seconds, round_number)
                runs.setdefault((name, clients), []).append(row)
    rows = [median_row(found) for found in runs.values()]
    per_s = {(row["name"], row["clients"]): row["per_s"] for row in rows}
    ratios = {f"unary_vs_null_{clients}": round(per_s["saga_unary", clients] / per_s["null_chain_unary", clients], 3)
              for clients in CLIENTS}
    ratios["unary_vs_null"] = ratios[f"unary_vs_null_{CLIENTS[-1]}"]
    print("durable sagas per null chain: " +
          ", ".join(f"{ratios[f'unary_vs_null_{clients}']} at {clients} clients" for clients in CLIENTS))
    return {"rows": rows, "ratios": ratios}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench.sh", description=__doc__)
    parser.add_argument("--build-dir", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", metavar="FILE", help="write the rows here, as JSON")
    parser.add_argument("--quick", action="store_true", help="within three minutes after the build")
    parser.add_argument("--neighbours", action="store_true",
                        help="instead: RunSaga alone and beside rude neighbours, p99 of each to that of alone, and memory")
    args = parser.parse_args()
    seconds, rounds = (5, 1) if args.quick else (10, 5)

    with Stack(args.build_dir, log_level="warning") as stack:
        participant = serve(stack, "null-participant", "participant")
        measure_all = neighbours_report if args.neighbours else throughput_report
        report = measure_all(stack, participant, rounds, seconds)
    report = {"cores": os.cpu_count(), "rounds": rounds, "seconds": seconds, **report}
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
