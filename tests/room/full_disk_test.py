"""A volume that runs full under the orchestrator: new sagas are refused while there is still room for operators and the
drain; when there is none at all it ends, and does not start, with the reason; what is made free is used again."""

import os
import subprocess
import sys

from shop_stack import ShopStack, expect, shop
from stack.processes import StackError, wait_until
from stack.volume import Volume, quietly

MEGABYTES = 192
RESERVE = 12 << 20
CHARACTERS = 20_000


def leave(volume, free):
    """A neighbour takes all but that much."""
    room = os.statvfs(volume.path)
    with open(os.path.join(volume.path, "ballast"), "wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, room.f_bavail * room.f_frsize - free)


def files(folder):
    return {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}


def starts_are_refused_and_words_are_not(stack):
    parked, _ = stack.order_many("parked", 10, 1, CHARACTERS)
    stack.await_parked(parked)
    wait_until("the reserve", lambda: stack.metric("tutti_store_reserve_bytes") == RESERVE)
    leave(stack.volume, RESERVE // 2)
    wait_until("a start to be refused", lambda: stack.probe() == "DISK_SHORT", every=0.2)
    expect("the reserve while it is not needed", stack.metric("tutti_store_reserve_bytes"), RESERVE)
    stack.volume.fill()
    # The log may have blocks of its own to write to for a while.
    for _ in range(100):
        for saga_id in parked:
            stack.retry(saga_id)
        stack.await_parked(parked)
        if stack.metric("tutti_store_reserve_bytes") == 0:
            break
    expect("the reserve on a full disk", stack.metric("tutti_store_reserve_bytes"), 0)
    for saga_id in parked[1:]:
        stack.resolve(saga_id)
    expect("a start on a full disk", stack.probe(), "DISK_SHORT")
    expect("the end of a drain on a full disk", stack.orchestrator.terminate(), 0)
    return parked[0]


def a_start_without_room_changes_nothing(stack, store):
    stack.volume.fill()
    before = files(store)
    status, said = stack.refused_start()
    expect("the status of a start on a full disk", status, 1)
    if "the disk is full" not in said or store not in said or "bytes of room to open" not in said:
        raise StackError(f"the reason is not told: {said}")
    expect("files after a refusal", files(store), before)


def a_volume_that_cannot_be_written(stack, store):
    if not quietly("mount", "-o", "remount,ro", stack.volume.path):
        print("LEFT OUT: no remount here", file=sys.stderr)
        return
    try:
        before = files(store)
        status, said = stack.refused_start()
        expect("the status of a start on a read-only disk", status, 1)
        if "Read-only file system" not in said:
            raise StackError(f"the reason is not told: {said}")
        expect("files after a refusal", files(store), before)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", stack.volume.path], check=True)


def room_again(stack, parked):
    stack.volume.relieve()
    stack.restart("orchestrator")
    stack.await_accepted()
    wait_until("the reserve", lambda: stack.metric("tutti_store_reserve_bytes") == RESERVE)
    expect("a saga from before", stack.get(parked).parked, True)


def the_last_byte(stack, parked):
    """Operators go on and on where nobody makes room."""
    stack.volume.fill()
    os.truncate(stack.orchestrator.log_path, 0)

    def ended():
        try:
            stack.retry(parked)
        except Exception:  # noqa: BLE001  (not parked yet, or gone)
            pass
        return not stack.orchestrator.running()

    wait_until("the process to end", ended, seconds=120, every=0)
    expect("its status", stack.orchestrator.popen.returncode, 75)
    with open(stack.orchestrator.log_path, encoding="utf-8") as log:
        said = log.read()
    if "the disk is full" not in said:
        raise StackError(f"the reason is not told: {said}")
    stack.volume.relieve()
    stack.restart("orchestrator")
    wait_until("the saga to be parked again", lambda: stack.get(parked).parked)


def a_shorter_retention_makes_room(stack):
    taken, refused = stack.order_many("ended", 800, 0, CHARACTERS)
    expect("refusals", refused, "")
    wait_until("them to end", lambda: stack.metric("tutti_sagas_in_flight", state="running") == 1)
    expect("the end", stack.orchestrator.terminate(), 0)
    stack.restart("orchestrator")
    before = stack.metric("tutti_store_size_bytes", kind="sst")
    expect("the end", stack.orchestrator.terminate(), 0)
    stack.orchestrator.set_option("--id-retention", "2s")
    stack.restart("orchestrator")
    wait_until("them to be forgotten", lambda: stack.metric("tutti_sagas_expired_total") >= len(taken))
    wait_until("their room", lambda: stack.metric("tutti_store_size_bytes", kind="sst") < before / 4)
    after = stack.metric("tutti_store_size_bytes", kind="sst")
    print(f"tables had {before / 1e6:.1f} MB before {len(taken)} sagas were forgotten, and {after / 1e6:.1f} MB after")
    wait_until("the sweep to be through", lambda: stack.metric("tutti_sweep_oldest_overdue_seconds") == 0)


def main():
    arguments = ("--disk-reserve", str(RESERVE), "--command-horizon", "1s", "--late-reply-grace", "1s", "--sweep-interval",
                 "200ms", "--id-retention", "1d")
    with shop() as settings, ShopStack(settings, orchestrator_args=arguments,
                                       volume=lambda folder: Volume(folder, MEGABYTES)) as stack:
        if not stack.volume.can_be_full:
            print("SKIPPED: no file system can be mounted here")
            return 77
        store = os.path.join(stack.volume.path, "orchestrator", "store")
        parked = starts_are_refused_and_words_are_not(stack)
        a_start_without_room_changes_nothing(stack, store)
        a_volume_that_cannot_be_written(stack, store)
        room_again(stack, parked)
        the_last_byte(stack, parked)
        a_shorter_retention_makes_room(stack)
    print(f"on {stack.volume.kind}: refused while short, ended with a reason when full, and came back")
    return 0


if __name__ == "__main__":
    sys.exit(main())
