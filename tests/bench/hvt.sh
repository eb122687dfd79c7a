#!/usr/bin/env bash
# tender_bench for hvt, in an emulated machine with a true KVM, so that it runs on any host; with
# Solo5's solo5-hvt beside ours where PATH has it. The times are the emulation's: only the ratios
# mean something. tests/bench/hvt.sh [REPEATS]
set -euo pipefail
. "$(dirname "$0")/../e2e/lab/machine.sh"
machine=$work/root
mkdir -p "$machine/job/build/bin" "$machine/job/build/images"
cp "$build"/bin/fleet-hvt "$machine/job/build/bin/"
cp -r "$build"/images/{tender,dns} "$machine/job/build/images/"
programs=(ip "$build/bin/tender_bench")
! command -v solo5-hvt >/dev/null || programs+=(solo5-hvt)
lab_add "$machine" "${programs[@]}"
echo "FLEET_BUILD=/job/build tender_bench hvt ${1:-20}" >"$machine/job/run"
lab_run "$machine" 900
