"""Measures durable sagas against the null chain, side by side in one run. Run through tools/bench.sh, which builds first.

Figures are ratios: on another machine, or on this one an hour later, the absolute numbers differ.
"""

import argparse
import json
import os
import subprocess
import sys

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


def median_row(rows):
    return sorted(rows, key=lambda row: row["per_s"])[len(rows) // 2]


def main():
    parser = argparse.ArgumentParser(prog="tools/bench.sh", description=__doc__)
    parser.add_argument("--build-dir", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", metavar="FILE", help="write the rows here, as JSON")
    parser.add_argument("--quick", action="store_true", help="within three minutes after the build")
    args = parser.parse_args()
    seconds, rounds = (5, 1) if args.quick else (10, 5)

    with Stack(args.build_dir, log_level="warning") as stack:
        def serve(name, *role_args):
            process = BenchProcess(name, [stack.binary("tutti-bench"), *role_args], stack.work_dir)
            stack.processes[name] = process
            process.start()
            process.await_serving()
            return process.address

        participant = serve("null-participant", "participant")
        null_chain = serve("null-chain", "null-chain", "--participant", participant)
        stack.foreign["null-participant"] = f'{{target: "{participant}"}}'
        stack.write_participants_file()
        stack.processes["orchestrator"].terminate()
        stack.restart("orchestrator")
        definition = os.path.join(stack.work_dir, "null-chain.yaml")
        with open(definition, "w", encoding="utf-8") as file:
            file.write(DEFINITION)
        stack.apply_definition(definition)

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
    report = {"cores": os.cpu_count(), "rounds": rounds, "seconds": seconds, "rows": rows, "ratios": ratios}
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
            file.write("\n")
    print("durable sagas per null chain: " +
          ", ".join(f"{ratios[f'unary_vs_null_{clients}']} at {clients} clients" for clients in CLIENTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
