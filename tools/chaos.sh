#!/usr/bin/env bash
# Load over real processes while they are killed, stopped, cut off and starved of disk; then an audit of every promise.
#   tools/chaos.sh --seconds N --seed S --out FILE
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dev.sh build release --target tutti_stack foreign_participant
export PYTHONPATH="$PWD/tools:$PWD/build/release/python"
# A mount namespace of its own: the small file system that runs full is seen by nobody else and never outlives the run.
for namespace in "unshare --mount" "unshare --map-root-user --mount"; do
  if $namespace true 2>/dev/null; then
    exec $namespace /usr/bin/python3 tools/chaos.py --build-dir build/release "$@"
  fi
done
exec /usr/bin/python3 tools/chaos.py --build-dir build/release "$@"
