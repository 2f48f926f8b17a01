#!/usr/bin/env bash
# Builds and runs every test. The last lines are CTest's summary.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup.sh
tools/dev.sh lint
echo "== ThreadSanitizer: saga, shard, timers, watchers"
tools/dev.sh tsan
echo "== AddressSanitizer and UndefinedBehaviorSanitizer"
tools/dev.sh asan
echo "== release"
tools/dev.sh test "$@"
