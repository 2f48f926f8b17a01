#!/usr/bin/python3
"""Fails on an include that breaks the table of rooms in ARCHITECTURE.md."""

import re
import subprocess
import sys

# Room -> project rooms it may include, and third-party headers it must not. A room always may include itself.
# Longest prefix wins.
ROOMS = {
    "common/": ([], []),
    "orchestrator/saga/": (["common/"], ["grpc", "rocksdb/", "prometheus/", "yaml-cpp/", "<thread>", "<chrono>", "<random>", "<mutex>"]),
    "orchestrator/definition/": (["common/", "orchestrator/saga/"], ["grpc", "rocksdb/", "prometheus/"]),
    "orchestrator/store/": (["common/", "orchestrator/saga/"], ["grpc", "prometheus/", "yaml-cpp/"]),
    "orchestrator/catalog/": (["common/", "orchestrator/saga/", "orchestrator/definition/", "orchestrator/store/"],
                              ["grpc", "rocksdb/", "yaml-cpp/"]),
    "orchestrator/doctor/": (["common/", "orchestrator/saga/", "orchestrator/definition/", "orchestrator/store/",
                              "orchestrator/catalog/"], ["grpc", "yaml-cpp/", "prometheus/"]),
    "orchestrator/effects/": (["common/", "orchestrator/saga/"], ["rocksdb/", "yaml-cpp/"]),
    "orchestrator/shard/": (["common/", "orchestrator/saga/", "orchestrator/store/", "orchestrator/effects/"],
                            ["grpc", "rocksdb/", "yaml-cpp/"]),
    "orchestrator/retention/": (["common/", "orchestrator/store/", "orchestrator/shard/"], ["grpc", "rocksdb/", "yaml-cpp/"]),
    "orchestrator/metrics/": (["common/", "orchestrator/saga/", "orchestrator/shard/"], ["grpc", "rocksdb/", "yaml-cpp/"]),
    "orchestrator/api/": (["common/", "orchestrator/saga/", "orchestrator/definition/", "orchestrator/catalog/",
                           "orchestrator/store/", "orchestrator/effects/", "orchestrator/shard/"],
                          ["rocksdb/", "yaml-cpp/", '"orchestrator/saga/state_machine.h"']),
    "orchestrator/server/": (["common/", "orchestrator/"], []),
    "participants/sdk/": (["common/"], ["yaml-cpp/"]),
    "participants/payment/": (["common/", "participants/sdk/"], ["yaml-cpp/"]),
    "participants/reservation/": (["common/", "participants/sdk/"], ["yaml-cpp/"]),
    "participants/token/": (["common/", "participants/sdk/"], ["yaml-cpp/"]),
    # `tuttictl doctor` looks at a store without a server, with the server's own readers.
    "tools/": (["common/", "orchestrator/doctor/"], ["rocksdb/"]),
    "tests/": (["common/", "orchestrator/", "participants/"], []),
}
PROJECT = ("common/", "orchestrator/", "participants/", "tools/", "tests/")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"][^>"]+[>"])')


def room_of(path):
    found = [room for room in ROOMS if path.startswith(room)]
    return max(found, key=len) if found else None


def violation(path, include):
    room = room_of(path)
    if room is None:
        return "belongs to no room"
    allowed, forbidden = ROOMS[room]
    target = include.strip('<>"')
    if target.startswith(PROJECT):
        if not any(target.startswith(prefix) for prefix in [room, *allowed]):
            return f"{room} may not include {target}"
    if any(include == word or target.startswith(word) for word in forbidden):
        return f"{room} may not include {target}"
    return None


def main():
    files = subprocess.run(["git", "ls-files", "*.cc", "*.h"], capture_output=True, text=True, check=True).stdout.split()
    broken = 0
    for path in files:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                match = INCLUDE.match(line)
                why = violation(path, match.group(1)) if match else None
                if why:
                    print(f"{path}:{number}: {why}")
                    broken += 1
    if not files:
        print("no sources found")
        return 1
    print(f"include rules: {len(files)} files, {broken} violations")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
