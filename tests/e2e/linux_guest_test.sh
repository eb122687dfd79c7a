#!/usr/bin/env bash
# The foreign guest alone: Debian's kernel with busybox boots under QEMU in a network namespace and
# answers HTTP. Needs root, QEMU and curl; fetches the kernel's package the first time.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
guest=${FLEET_BUILD:?FLEET_BUILD is the build folder}/images/linux-web
net=fleet-linux-$$
work=$(mktemp -d)
monitor=

finish() {
  local status=$?
  [[ -z $monitor ]] || kill "$monitor" 2>/dev/null || true
  ip netns del "$net" 2>/dev/null || true
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

"$here/guests/linux-web/build.sh" "$guest"
ip netns add "$net"
ip -n "$net" link set lo up
ip -n "$net" tuntap add guest0 mode tap
ip -n "$net" addr add 10.77.0.1/24 dev guest0
ip -n "$net" link set guest0 up

started=$(date +%s%N)
ip netns exec "$net" qemu-system-x86_64 -M q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off \
  -accel tcg -cpu max -m 128 -nodefaults -no-user-config -no-reboot -display none \
  -device isa-debug-exit,iobase=0xf4,iosize=1 -serial "file:$work/console" \
  -kernel "$guest/vmlinuz" -initrd "$guest/initrd.cpio.gz" \
  -append 'console=ttyS0 quiet panic=-1 ip=10.77.0.4::10.77.0.1:255.255.255.0:web:eth0:off' \
  -netdev tap,id=n0,ifname=guest0,script=no,downscript=no \
  -device virtio-net-pci,netdev=n0,mac=52:54:00:12:34:57,romfile= </dev/null 2>"$work/stderr" &
monitor=$!
page=
for ((i = 0; i < 300; i++)); do
  page=$(ip netns exec "$net" curl -s --max-time 1 http://10.77.0.4/) && break
  kill -0 "$monitor" 2>/dev/null || break
  sleep 0.2
done
if [[ $page != 'Hello from Linux, pushed as it is.' ]]; then
  echo "FAILED: no page from the guest" >&2
  cat "$work/console" "$work/stderr" >&2
  exit 1
fi
echo "ok: first page $((($(date +%s%N) - started) / 1000000)) ms after the monitor's start"
echo "1 passed, 0 failed"
