#!/usr/bin/env bash
# Builds and runs every test. The last lines are CTest's summary. With --full it also installs the tools of the tests that
# are labelled `full` (charts, dashboards, alerts), and a missing tool is a failure; without, CTest lists them as skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --full ]; then
  shift
  export TUTTI_FULL=1
  tools/setup.sh --full
else
  tools/setup.sh
fi
tools/dev.sh lint
echo "== ThreadSanitizer"
tools/dev.sh tsan
echo "== AddressSanitizer and UndefinedBehaviorSanitizer"
tools/dev.sh asan
echo "== release"
[ -n "${TUTTI_FULL:-}" ] || echo "== tests that need tools of tools/setup.sh --full are left out where those are missing: see 'Skipped' below"
tools/dev.sh test "$@"
