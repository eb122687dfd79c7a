#!/usr/bin/env bash
# The runtime's network under a real guest (the DNS image): a fixed IPv6 address, a router that is not
# believed, an address by DHCP, and two interfaces of which one is the way out. Under fleet-spt and
# QEMU (virtio). Needs root, the built images, busybox, dig, ping and QEMU.
# runtime_net_test.sh [virtio|spt|hvt]...
set -euo pipefail

images=${FLEET_BUILD:?FLEET_BUILD is the build folder}/images
net=fleet-net-$$
work=$(mktemp -d)
monitor=
server=
passed=0

finish() {
  local status=$?
  [[ -z $monitor ]] || kill "$monitor" 2>/dev/null || true
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  ip netns del "$net" 2>/dev/null || true
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
  echo "FAILED: ${platform:-}: $*" >&2
  cat "$work/console" "$work/stderr" "$work/dhcp.log" >&2 2>/dev/null || true
  exit 1
}
ok() { echo "ok: $platform: $*"; passed=$((passed + 1)); }
inside() { ip netns exec "$net" "$@"; }

ip netns add "$net"
ip -n "$net" link set lo up
for tap in guest0 guest1; do
  ip -n "$net" tuntap add "$tap" mode tap
  ip -n "$net" link set "$tap" up
done
ip -n "$net" addr add 10.77.0.1/24 dev guest0
ip -n "$net" addr add 10.78.0.1/24 dev guest1
ip -n "$net" addr add 2001:db8:77::1/64 dev guest0 nodad
ip -n "$net" addr add 10.99.0.1/32 dev lo
ip -n "$net" addr add 2001:db8:99::1/128 dev lo

# volume LINE...: a config volume with those lines of `config` and one zone.
volume() {
  local root=$work/volume
  rm -rf "$root"
  mkdir -p "$root/files/zones"
  printf 'version=1\nhostname=names\nseed=%s\n' "$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')" \
    >"$root/config"
  printf '%s\n' "$@" >>"$root/config"
  cp "$images/dns/zones/example.test.zone" "$root/files/zones/"
  (cd "$root" && tar --format=ustar -cf "$work/volume.tar" config files/zones/example.test.zone)
}

# boot IMAGE MAC0 [MAC1]: the guest in the background, one interface on each tap.
boot() {
  local image=$images/$1.x86_64.$platform device=0 mac
  local arguments=()
  shift
  : >"$work/console"
  if [[ $platform != virtio ]]; then
    local names=(service second)
    for mac in "$@"; do
      arguments+=(--net:"${names[device]}"=guest$device --net-mac:"${names[device]}"="$mac")
      device=$((device + 1))
    done
    ip netns exec "$net" "$FLEET_BUILD/bin/fleet-$platform" --mem=16 "${arguments[@]}" \
      --block:config="$work/volume.tar" "$image" </dev/null >"$work/console" 2>"$work/stderr" &
    monitor=$!
    return
  fi
  for mac in "$@"; do
    arguments+=(-netdev "tap,id=n$device,ifname=guest$device,script=no,downscript=no"
      -device "virtio-net-device,netdev=n$device,mac=$mac")
    device=$((device + 1))
  done
  ip netns exec "$net" qemu-system-x86_64 -M microvm,acpi=off -accel tcg -m 16 -nodefaults -no-user-config \
    -no-reboot -display none -global virtio-mmio.force-legacy=false \
    -device isa-debug-exit,iobase=0xf4,iosize=1 -serial "file:$work/console" -kernel "$image" \
    -initrd "$work/volume.tar" "${arguments[@]}" </dev/null 2>"$work/stderr" &
  monitor=$!
}
stop() {
  kill "$monitor"
  wait "$monitor" 2>/dev/null || true
  monitor=
}

until_ok() {
  for ((i = 0; i < 200; i++)); do
    ! "$@" >/dev/null 2>&1 || return 0
    kill -0 "$monitor" 2>/dev/null || break
    sleep 0.05
  done
  fail "never came true: $*"
}
# answers ADDRESS [FROM]
answers() {
  [[ $(inside dig +short +time=1 +tries=1 ${2:+-b "$2"} "@$1" www.example.test) == 192.0.2.80 ]]
}
echoes() { inside ping -q -c 1 -W 1 ${2:+-I "$2"} "$1" >/dev/null; }

# An announcement of a router with a prefix, from a link-local address, to all nodes.
announce_router() {
  inside python3 - "$1" <<'PY'
import socket, struct, sys
link = socket.if_nametoindex("guest0")
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
prefix = socket.inet_pton(socket.AF_INET6, sys.argv[1])
option = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 86400, 0) + prefix
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option, ("ff02::1", 0, 0, link))
PY
}

packets_of() { inside cat "/sys/class/net/$1/statistics/rx_packets"; }

test_platform() {
  volume net0.name=service net0.mac=52:54:00:12:34:56 net0.address=10.77.0.3/24 \
    net0.gateway=10.77.0.1 net0.address6=2001:db8:77::3/64 net0.gateway6=2001:db8:77::1
  boot dns/dns 52:54:00:12:34:56
  until_ok answers 10.77.0.3
  until_ok echoes 2001:db8:77::3
  ok "answers on its IPv4 and its IPv6 address"
  until_ok echoes 2001:db8:77::3 2001:db8:99::1
  echoes 10.77.0.3 10.99.0.1 || fail "IPv4 does not leave by the gateway"
  ok "leaves its subnet by the gateways of its config"
  announce_router 2001:db8:66::
  ip -n "$net" addr add 2001:db8:66::1/64 dev guest0 nodad
  # EUI-64 of its MAC under the announced prefix: what it would have taken.
  for ((i = 0; i < 5; i++)); do
    ! echoes 2001:db8:66::5054:ff:fe12:3456 || fail "it believed a router's announcement"
  done
  echoes 2001:db8:77::3 2001:db8:99::1 || fail "the announcement changed its way out"
  ip -n "$net" addr del 2001:db8:66::1/64 dev guest0
  ok "takes no prefix and no way out from a router that announces itself"
  ! inside ping -q -c 2 -i 0.2 -W 1 -s 4000 2001:db8:77::3 >/dev/null || fail "IPv6 fragments"
  inside ping -q -c 2 -i 0.2 -W 1 -s 4000 10.77.0.3 >/dev/null || fail "no echo in IPv4 fragments"
  ok "answers fragments of IPv4 and none of IPv6"
  stop

  cat >"$work/udhcpd.conf" <<CONF
start 10.77.0.40
end 10.77.0.40
interface guest0
lease_file $work/leases
pidfile $work/pid
option subnet 255.255.255.0
option router 10.77.0.1
option lease 600
CONF
  : >"$work/leases"
  ip netns exec "$net" busybox udhcpd -f "$work/udhcpd.conf" >"$work/dhcp.log" 2>&1 &
  server=$!
  volume net0.mac=52:54:00:12:34:56 net0.address=dhcp
  boot dns/dns 52:54:00:12:34:56
  until_ok answers 10.77.0.40
  echoes 10.77.0.40 10.99.0.1 || fail "no way out by the router that DHCP told"
  ok "takes its address and its way out by DHCP"
  stop
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=

  # The way out is the second interface's: the first one has no gateway.
  volume net0.mac=52:54:00:12:34:56 net0.address=10.77.0.3/24 \
    net1.mac=52:54:00:12:34:57 net1.address=10.78.0.3/24 net1.gateway=10.78.0.1
  boot dns-two/dns 52:54:00:12:34:56 52:54:00:12:34:57
  until_ok answers 10.77.0.3 10.77.0.1
  until_ok answers 10.78.0.3 10.78.0.1
  before=$(packets_of guest1)
  echoes 10.78.0.3 10.99.0.1 || fail "no answer by the second interface's gateway"
  (($(packets_of guest1) > before)) || fail "the answer did not come by the second interface"
  ok "serves on two interfaces and leaves by the one with a gateway"
  stop
}
(($# > 0)) || set -- virtio spt
for platform in "$@"; do test_platform; done
echo "$passed passed, 0 failed"
