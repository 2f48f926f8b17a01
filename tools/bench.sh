#!/usr/bin/env bash
# Builds, then measures durable sagas against a chain of calls that persists nothing.
#   tools/bench.sh --out FILE [--quick]
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dev.sh build release --target tutti_stack tutti-bench
export PYTHONPATH="$PWD/tools:$PWD/build/release/python"
exec /usr/bin/python3 tools/bench.py --build-dir build/release "$@"
