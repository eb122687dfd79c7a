#!/usr/bin/env bash
# Our three images for ARM64's virtio platform under QEMU, by the tests that the other platforms pass,
# with both interrupt controllers that a host may have. Needs the release build and what those tests need.
set -euo pipefail
cd "$(dirname "$0")/.."
export FLEET_BUILD=${FLEET_BUILD:-$PWD/../../build/release}
for test in dns_guest runtime_net firewall_guest firewall_route sensor_guest; do
  echo "== $test"
  "./${test}_test.sh" aarch64.virtio
done
echo "== dns_guest, GICv3"
guest_machine=virt,gic-version=3 ./dns_guest_test.sh aarch64.virtio
