#!/usr/bin/env bash
# An image with a volume, alone: it counts its boots on it, whatever the platform, and each goes on
# where another stopped; and its stack, when it is over, ends it instead of its data. Under fleet-spt
# and QEMU (virtio, also of ARM64). Needs root, the built images and QEMU.
#   volume_guest_test.sh [spt|virtio|hvt|aarch64.virtio]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${FLEET_BUILD:?FLEET_BUILD is the build folder}"
net=fleet-volume-$$
source "$here/guest.sh"
namespace "$net"
ip -n "$net" tuntap add guest0 mode tap
ip -n "$net" link set guest0 up
mkdir "$work/files"
volume() {  # volume [ARGUMENT]
  guest_volume "$work/files" hostname=boots net0.mac=52:54:00:12:34:56 net0.address=10.77.0.3/24 -- "$@"
}
truncate -s 128K "$work/counter"

boots=0
(($# > 0)) || set -- spt virtio aarch64.virtio
for platform in "$@"; do
  case $platform in
    *virtio) guest_more=(-drive "file=$work/counter,format=raw,if=none,id=counter"
      -device virtio-blk-device,drive=counter,serial=counter) ;;
    *) guest_more=(--block:counter="$work/counter") ;;
  esac
  volume
  for turn in 1 2; do
    guest_boot boots/boots 8 service=guest0=52:54:00:12:34:56
    boots=$((boots + 1))
    until_said "boots: $boots on 131072 bytes"
    until_said 'boots: ready'
    stop
    [[ $(od -An -tu8 -N8 "$work/counter" | tr -d ' ') == "$boots" ]] || fail "the file does not say $boots"
  done
  ok "boot $((boots - 1)) and $boots are counted"
  volume deep
  guest_boot boots/boots 8 service=guest0=52:54:00:12:34:56
  boots=$((boots + 1))
  ended fault
  deepest=$(grep -oE '[0-9]+ KiB deep' "$work/console" | tail -n 1)
  ((${deepest%% *} > 64 && ${deepest%% *} < 128)) || fail "its stack of 128 KiB was $deepest"
  [[ $platform != *virtio ]] || said '(stack overflow)' || fail "the overflow is not told"
  ok "a stack that is over ends it: $deepest"
done
echo "$passed passed, 0 failed"
