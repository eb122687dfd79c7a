#!/usr/bin/env bash
# Builds what is shipped and the unit tests with sanitizers, and passes the tests: house style, units,
# and the whole with real programs, TLS, namespaces and guests. `--all` adds the long run: the cross
# build for ARM64 and a device of it, the thread sanitizer, every fuzz target for a minute, many seeds of the
# simulator, every power cut of the real programs, a fleet of 10,000 simulated devices. Needs root.
#   tests/run.sh [--all] [--only tidy|sim|e2e|faults|unit|arm64|tsan|fuzz] [--jobs N]
set -euo pipefail
cd "$(dirname "$0")/.."

all=0 only="" jobs=$(nproc)
while (($#)); do
  case "$1" in
    --all) all=1 ;;
    --only) only="$2"; shift ;;
    --jobs) jobs="$2"; shift ;;
    -h|--help) sed -n '2,6p' "$0" | sed 's/^# //'; exit 0 ;;
    *) echo "error: $1: not a flag of tests/run.sh; see --help" >&2; exit 2 ;;
  esac
  shift
done

parts=()
failed=0
part() {  # part NAME COMMAND...: runs it, times it, remembers a failure
  local name="$1" started=$SECONDS status=ok
  shift
  echo "== $name"
  "$@" || { status=FAILED; failed=1; }
  parts+=("$(printf '%-12s %4d s  %s' "$name" $((SECONDS - started)) "$status")")
}
wanted() { [[ -z $only || $only == "$1" ]]; }

if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_C_COMPILER_LAUNCHER=ccache
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1  # another checkout's objects serve as well
fi
build() {  # build PRESET [CMAKE-ARGS...]
  local preset="$1"; shift
  cmake --preset "$preset" >/dev/null && cmake --build --preset "$preset" --parallel "$jobs" "$@"
}
totals=$(mktemp)
trap 'rm -f "$totals"' EXIT
suite() {  # suite PRESET CTEST-ARGS...
  local preset="$1"; shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@" | tee -a "$totals"
}

part install deploy/install-deps.sh
if [[ -z $only || $only =~ ^(tidy|sim|e2e|faults|arm64)$ ]]; then  # the lab of arm64 uses its tools
  part build build release
  ((failed)) && { echo "0 passed, 1 failed"; exit 1; }
fi
if wanted tidy; then part tidy suite release -LE 'e2e|sim|faults'; fi
if wanted sim; then part sim suite release -L sim --parallel "$jobs"; fi
# With the tables of what was cut and how it ended.
if [[ -z $only ]]; then part faults suite release -L faults -LE e2e -V; fi
# These have real time in them, and hosts stand still for a second now and then: once more then.
if wanted e2e; then part e2e suite release -L e2e --parallel "$jobs" --repeat until-pass:2; fi
if [[ $only == faults ]]; then part faults suite release -L faults -V; fi
if wanted unit; then
  part unit-build build dev
  part unit suite dev -LE e2e -E '^Tidy' --parallel "$jobs"
fi
long() { [[ $only == "$1" ]] || { ((all)) && [[ -z $only ]]; }; }
if long arm64; then
  part arm64 deploy/cross-arm64.sh "$jobs"
  part arm64-lab tests/e2e/lab/arm64.sh
  part arm64-device env LAB_CPU=aarch64 tests/e2e/lab_device_test.sh
  part arm64-qemu tests/e2e/lab/arm64_qemu.sh
fi
if long tsan; then
  # Only what runs on several threads.
  part tsan-build build tsan --target unit_proto unit_ota unit_agent unit_controller unit_launcher
  part tsan suite tsan -LE e2e -E '^Tidy|^fuzz|NOT_BUILT' --parallel "$jobs"
fi
if long sim; then part sim-long tests/sim/long.sh; fi
if long fuzz; then part fuzz tests/fuzz/run.sh 60; fi
if ((all)) && wanted faults; then part every-cut tests/faults/every_cut.sh; fi
if ((all)) && wanted e2e; then part ten-thousand tests/e2e/fleet_size_test.sh 10000; fi

echo
# The failures once more, where the end of a long log shows them.
awk '/^ *[0-9]+\/[0-9]+ Test +#/ {failed = /\*\*\*/} /^ +Start +[0-9]+: |tests passed, / {failed = 0}
  failed' "$totals" | tail -n 60
printf '%s\n' "${parts[@]}"
# ctest says "N% tests passed, F tests failed out of T" for each suite.
read -r total bad < <(awk '/tests failed out of/ {t += $NF; f += $(NF - 5)} END {print t + 0, f + 0}' "$totals")
((failed && bad == 0)) && bad=1 total=$((total + 1))  # a part that is no suite
echo "$((total - bad)) passed, $bad failed"
exit $((failed != 0))
