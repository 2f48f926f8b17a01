#!/usr/bin/env bash
# Builds, starts the orchestrator and the three participants, plays the booking stories, audits each of them.
#   tools/demo.sh [--json FILE] [--keep]
set -euo pipefail
cd "$(dirname "$0")/.."

echo "The first run compiles for some minutes; later ones take seconds. [done/all, time]"
export NINJA_STATUS="[%f/%t, %e s] "
tools/dev.sh build release --target tutti_stack
echo "== starting the orchestrator and three services"
export PYTHONPATH="$PWD/tools:$PWD/build/release/python"
exec /usr/bin/python3 tools/demo.py --build-dir build/release "$@"
