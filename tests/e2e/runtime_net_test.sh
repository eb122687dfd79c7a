#!/usr/bin/env bash
# The runtime's network under a real guest (the DNS image): a fixed IPv6 address, a router that is not
# believed, an address by DHCP, and two interfaces of which one is the way out. Under fleet-spt and
# QEMU (virtio). Needs root, the built images, busybox, dig, ping and QEMU.
# runtime_net_test.sh [virtio|spt|hvt|aarch64.virtio]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
images=${FLEET_BUILD:?FLEET_BUILD is the build folder}/images
net=fleet-net-$$
source "$here/guest.sh"
inside() { ip netns exec "$net" "$@"; }

namespace "$net"
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
  mkdir -p "$work/files/zones"
  cp "$images/dns/zones/example.test.zone" "$work/files/zones/"
  guest_volume "$work/files" hostname=names "$@"
}

# boot IMAGE MAC0 [MAC1]: the guest in the background, one interface on each tap.
boot() { guest_boot "$1" 16 "service=guest0=$2" ${3:+"second=guest1=$3"}; }

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
  started+=("$server")
  volume net0.mac=52:54:00:12:34:56 net0.address=dhcp
  boot dns/dns 52:54:00:12:34:56
  until_ok answers 10.77.0.40
  echoes 10.77.0.40 10.99.0.1 || fail "no way out by the router that DHCP told"
  ok "takes its address and its way out by DHCP"
  stop
  kill "$server"
  wait "$server" 2>/dev/null || true
  started=()

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
