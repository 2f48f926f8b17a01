"""Load over real processes while they are killed, stopped, cut off and starved of disk; then heals them and audits.

Run through tools/chaos.sh, which builds first. docs/correctness/chaos.md describes the faults and the audit.
"""

import argparse
import json
import os
import random
import signal
import sys
import time

from stack.audit import Audit
from stack.lanes import Chaos, Operator
from stack.load import CONCERT, Crowd
from stack.scenarios import ALL
from stack.stack import Stack, repository
from stack.volume import Volume
from stack.world import World

WORKERS = 12
SAGAS_PER_SECOND = 25.0
GRACE_SECONDS = 6
DRAIN_SECONDS = 240


def plain_participants(build_dir):
    server = os.path.join(repository(), "tests", "chaos", "voucher_server.py")
    descriptors = os.path.join(os.path.abspath(build_dir), "python", "voucher.binpb")
    return {"voucher": ([sys.executable, server], f'descriptor_set: "{descriptors}"')}


def announce(text):
    print(f"== {text}", flush=True)


def stir(stack, seconds, seats, rng):
    """Load and faults together. The load ends first, so that faults still meet what it started."""
    operator = Operator(stack, (chaos := Chaos(stack, rng)).stop)
    crowd = Crowd(stack, ALL, seats, WORKERS, rng, SAGAS_PER_SECOND)
    end = time.monotonic() + seconds
    with crowd, chaos:
        operator.start()
        while time.monotonic() < end - 2:
            time.sleep(0.5)
            chaos.check()
        crowd.stop.set()
        time.sleep(2)
    operator.join()
    if operator.error:
        raise operator.error
    return crowd, chaos, operator


def drain(stack, chaos, operator):
    """Healed: every saga must end, parked ones after a retry. Whether they do is for the audit to say."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while stack.unfinished() > 0 and time.monotonic() < deadline:
        chaos.revive()
        operator.patient_round()
        time.sleep(0.5)
    time.sleep(GRACE_SECONDS + 2)  # what is still on its way must land before the books are read


def report(args, stack, crowd, chaos, operator, audit):
    kills = {name: process.kills for name, process in stack.processes.items()}
    return {
        "seed": args.seed, "seconds": args.seconds, "started": len(crowd.notes) - audit.unstarted,
        "succeeded": audit.outcomes["SUCCEEDED"], "compensated": audit.outcomes["COMPENSATED"], "parked": audit.parked,
        "unfinished": audit.unfinished, "acknowledged_lost": audit.acknowledged_lost, "kills": kills,
        "late_successes_guarded": audit.late_successes, "violations": chaos.complaints + audit.violations,
        "acknowledged": sum(1 for note in crowd.notes if note.uid), "parked_before_the_retry": audit.parked_before,
        "retries": operator.retried, "faults": chaos.counts, "volume": stack.volume.kind,
        "disk_full_tested": chaos.counts["orchestrator"].get("disk_full", 0) > 0,
        "definitions": [scenario.definition for scenario in ALL],
    }


def run(args):
    rng = random.Random(args.seed)
    announce(f"seed {args.seed}, {args.seconds} s")
    seats = int(args.seconds * SAGAS_PER_SECOND * 2) + WORKERS
    grace = ["--late-reply-grace", f"{GRACE_SECONDS}s"]
    with Stack(args.build_dir, log_level="warning", orchestrator_args=grace, plain=plain_participants(args.build_dir),
               volume=Volume, proxied=True) as stack:
        if not stack.volume.can_be_full:
            announce("NO FILE SYSTEM COULD BE MOUNTED: the disk is never full in this run")
        for scenario in ALL:
            stack.apply_definition(scenario.path)
        World(stack).reservation.CreateConcert(concert_id=CONCERT, seat_count=seats)
        crowd, chaos, operator = stir(stack, args.seconds, seats, rng)
        announce(f"healed; draining what is left of {len(crowd.notes)} sagas")
        drain(stack, chaos, operator)
        announce("auditing")
        audit = Audit(stack, crowd.notes).run()
        result = report(args, stack, crowd, chaos, operator, audit)
        if args.out:
            with open(args.out, "w", encoding="utf-8") as file:
                json.dump(result, file, indent=2)
                file.write("\n")
        bad = bool(result["violations"] or audit.acknowledged_lost or audit.unfinished or audit.parked)
        if bad:
            stack.keep = True
            announce(f"logs and data are kept in {stack.work_dir}")
    shown = {**result, "violations": result["violations"][:20]}
    print(json.dumps(shown, indent=2))
    announce(f"{len(result['violations'])} violations, seed {args.seed}")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(prog="tools/chaos.sh", description=__doc__)
    parser.add_argument("--build-dir", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=60, help="of load and faults; healing and audit come on top")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32),
                        help="the same customers and the same order of faults (not the same microseconds)")
    parser.add_argument("--out", metavar="FILE", help="write the report here, as JSON")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is taken down
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
