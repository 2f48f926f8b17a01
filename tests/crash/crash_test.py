"""kill -9 of orchestrator and participants at random, under load; then an audit of points, seats and tokens.

The seed is printed; --seed replays the same customers and the same order of kills (not the same microseconds).
"""

import argparse
import random
import sys
import time

from stack.audit import Audit
from stack.load import CONCERT, Crowd
from stack.processes import wait_until
from stack.scenarios import BOOK_TICKET
from stack.stack import PARTICIPANTS, Stack
from stack.world import World

SEATS = 100_000
WORKERS = 8


def kill_at_random(stack, seconds, rng):
    """One process at a time, each back before the next goes, the orchestrator as often as all the others together."""
    names = ["orchestrator"] * len(PARTICIPANTS) + list(PARTICIPANTS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.2, 1.0))
        process = stack.processes[rng.choice(names)]
        process.kill9()
        time.sleep(rng.uniform(0, 0.4))
        stack.restart(process.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    rng = random.Random(args.seed)

    with Stack(args.build_dir, log_level="warning") as stack:
        stack.apply_definition(BOOK_TICKET.path)
        World(stack).reservation.CreateConcert(concert_id=CONCERT, seat_count=SEATS)
        with Crowd(stack, [BOOK_TICKET], SEATS, WORKERS, rng) as crowd:
            kill_at_random(stack, args.seconds, rng)
        wait_until("every saga to end", lambda: stack.unfinished() == 0, seconds=120, every=0.5)
        audit = Audit(stack, crowd.notes).run()
        kills = {name: process.kills for name, process in stack.processes.items()}

    print(f"sagas {len(crowd.notes)}, outcomes {audit.outcomes}, kills {kills}, violations {len(audit.violations)}")
    for violation in audit.violations[:20]:
        print(f"  {violation}")
    if not all(audit.outcomes.values()) or not all(kills.values()):
        print("a run without both outcomes and a kill of everybody proves little; run it longer")
        return 1
    return 1 if audit.violations else 0


if __name__ == "__main__":
    sys.exit(main())
