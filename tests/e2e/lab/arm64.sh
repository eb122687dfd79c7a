#!/usr/bin/env bash
# Both tenders and our images on ARM64: cross-built, then run in an emulated machine with Debian's
# kernel and a true KVM. Needs g++-aarch64-linux-gnu and qemu-system-arm (deploy/cross-arm64.sh).
set -euo pipefail
LAB_CPU=aarch64
. "$(dirname "$0")/machine.sh"
. "$lab_here/tenders_job.sh"
cross=$root/build/arm64-images
(cd "$root" && cmake --preset arm64-images >/dev/null && cmake --build --preset arm64-images --target \
  fleet-{spt,hvt} {dns,firewall,sensor}_aarch64_{spt,hvt} fleet_sdk \
  tender_guest_{spt,hvt}_{0,2,stretched})
# A guest of hvt without exception vectors, as tenders_test.sh has it, faults for ever on this CPU.
tenders_job "$cross" spt "spt hvt"
lab_run "$work/root" 600 512
