#!/usr/bin/env bash
# Builds, starts the orchestrator and the three participants, plays the booking stories, audits each of them.
#   tools/demo.sh [--json FILE] [--keep]
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dev.sh build release
export PYTHONPATH="$PWD/tools:$PWD/build/release/python"
exec /usr/bin/python3 tools/demo.py --build-dir build/release "$@"
