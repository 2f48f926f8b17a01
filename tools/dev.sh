#!/usr/bin/env bash
# The one way to do each thing, for people and for CI alike.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'USAGE'
usage: tools/dev.sh COMMAND
  build [PRESET]   configure and build (release, debug, asan, tsan; default release)
  test [ARGS…]     build release and run every test; ARGS go to ctest
  lint             include rules, shell syntax, formatting
  format           rewrite C++ in the project's format
  asan             every test under AddressSanitizer and UndefinedBehaviorSanitizer
  model            the model check at its full bound, and what each mutation is caught by (about 10 minutes)
  simulate [ARGS…] the whole engine under seeded faults; ARGS go to tutti-simulate, e.g. --seeds 10000
  fuzz [NAME] [SECONDS]
                   one fuzz target, or all of them, for so long each (default 60); finds go to build/fuzz/findings
  chart            rewrite the chart's README and golden files after a change of its values or templates
  cluster [TEST]   the chart in a real Kubernetes API server, which is built first, once: some 12 minutes
  night            what may happen in one night, each with its alert, its repair and the way back
  image            build the Dockerfile without Docker and start every program in it (root; minutes)
  tsan             what has threads of its own and nothing of gRPC, under ThreadSanitizer
USAGE
}

sources() { git ls-files '*.cc' '*.h'; }

build() {
  local preset="${1:-release}"
  echo "== packages"
  tools/setup.sh
  echo "== building ${*:-release}"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "${TUTTI_JOBS:-2}" "${@:2}"
}

run_tests() {
  local preset="$1"
  shift
  ctest --test-dir "build/$preset" -j "${TUTTI_JOBS:-2}" --output-on-failure "$@"
}

# New inputs are kept under build/; the corpus in git holds seeds and findings. Where one run reaches tens of thousands of
# features, the books of the entropic schedule take a third of the time.
fuzz() {
  tools/setup.sh clang-14 libclang-rt-14-dev
  local names=("${1:-}") name
  [ -n "${names[0]}" ] || mapfile -t names < <(ls tests/fuzz/corpus)
  build fuzz --target "${names[@]/%/_fuzz}"
  for name in "${names[@]}"; do
    echo "== fuzzing $name"
    mkdir -p "build/fuzz/corpus/$name" "build/fuzz/findings"
    "build/fuzz/fuzz/${name}_fuzz" -max_total_time="${2:-60}" -timeout=10 -entropic=0 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
  done
}

case "${1:-}" in
  build) shift; build "$@" ;;
  test) shift; build release; run_tests release "$@" ;;
  lint)
    tools/setup.sh clang-format
    tools/check_includes.py
    git ls-files '*.sh' .ci/run | xargs -n1 bash -n
    sources | xargs clang-format --dry-run --Werror
    ;;
  format) tools/setup.sh clang-format; sources | xargs clang-format -i ;;
  # Exhaustive searches and crash runs are about schedules, not memory; a sanitizer only makes them ten times longer. Tests
  # with other people's tools (`full`) judge times and preload a library, which the sanitizer's own does not suffer. It keeps
  # freed memory for a while, so what holds memory against a bound (`memory`) says nothing there.
  asan)
    build asan
    # The distribution's c-ares leaks a few bytes for every name it resolves.
    export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
    run_tests asan -LE 'crash|exhaustive|sim|full|memory' "${@:2}"
    ;;
  cluster)
    tools/setup.sh --full etcd-server
    PYTHONPATH=tools /usr/bin/python3 tests/chart/cluster/cluster_test.py "${@:2}"
    ;;
  # Twelve hours of outage in promtool's time; then in ours: a full disk, a bad certificate, memory and descriptors that run
  # short, a backup, the loss of the volume, and the restored store that is held until an operator has compared the books.
  night)
    build release
    tools/setup.sh --full
    export TUTTI_FULL=1 PYTHONPATH="$PWD/tools:$PWD/build/release/python"
    run_tests release -j1 -R '^(alerts_test|full_disk_test|memory_test|backup_test)$'
    /usr/bin/python3 tests/observability/alerts_live_test.py build/release --only TuttiDiskFilling TuttiCertificateRejected \
      TuttiMemoryShort TuttiDescriptorsRunningOut TuttiApiDeaf TuttiBackupOld
    ;;
  image) tools/image.sh "${@:2}" ;;
  chart) tools/setup.sh --full; PYTHONPATH=tools /usr/bin/python3 tests/chart/render_test.py --update ;;
  fuzz) fuzz "${@:2}" ;;
  tsan) build tsan --target tsan_tests; run_tests tsan -L tsan "${@:2}" ;;
  model)
    build release --target model_check model_mutations
    build/release/bin/model_check --full
    build/release/bin/model_mutations --shortest
    ;;
  simulate) build release --target tutti-simulate; build/release/bin/tutti-simulate "${@:2}" ;;
  *) usage; exit 2 ;;
esac
