#!/usr/bin/env bash
# The DNS image beside NSD with the same zones: every name of them, beside and below them, with every
# type, by UDP and TCP over IPv4 and IPv6, and packets that are no questions. They must say the same,
# section by section, but for what tests/e2e/dns/compare.py lists with a reason.
# dns_conformance_test.sh [spt|hvt]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${FLEET_BUILD:?FLEET_BUILD is the build folder}
platform=${1:-spt}
net=fleet-dnsconf-$$
work=$(mktemp -d)
export PATH=$PATH:/usr/sbin
command -v nsd >/dev/null || { echo "error: nsd is missing: deploy/install-deps.sh" >&2; exit 1; }

cleanup() {
  for pid in $(ip netns pids "$net" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  wait
  ip netns del "$net" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

. "$here/guests/config_volume.sh"
mkdir "$work/zones"
cp "$here"/dns/zones/*.zone "$work/zones/"
# Sets that do not fit a datagram, with EDNS or without.
{ printf '$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n'
  for ((i = 0; i < 40; i++)); do printf 'forty A 192.0.2.%d\n' "$i"; done
  for ((i = 0; i < 200; i++)); do printf 'many AAAA 2001:db8:1::%x\n' "$i"; done
  for ((i = 0; i < 12; i++)); do printf 'wide TXT "%d %0100d"\n' "$i" 0; done
  # Answers of 1225 to 1240 bytes with EDNS: what just fits a datagram, and what just does not.
  for ((i = 0; i < 16; i++)); do
    printf 'brim%02d TXT %0255d %0255d %0255d %0255d %0*d\n' $i 0 0 0 0 $((144 + i)) 0
  done
  for ((i = 0; i < 13; i++)); do
    printf 'cut NS ns%d.cut\nns%d.cut A 198.51.100.%d\nns%d.cut AAAA 2001:db8:2::%x\n' $i $i $i $i $i
  done
} >"$work/zones/big.test.zone"

ip netns add "$net"
ip -n "$net" link set lo up
ip -n "$net" tuntap add guest0 mode tap
ip -n "$net" addr add 10.77.0.1/24 dev guest0
ip -n "$net" addr add 2001:db8:77::1/64 dev guest0 nodad
ip -n "$net" link set guest0 up
config_volume "$work/volume.tar" 10.77.0.2,2001:db8:77::2 52:54:00:12:34:56 "$work/zones"
ip netns exec "$net" "$build/bin/fleet-$platform" --mem=16 --net:service=guest0 \
  --net-mac:service=52:54:00:12:34:56 --block:config="$work/volume.tar" \
  "$build/images/dns/dns.x86_64.$platform" >"$work/console" 2>&1 &

{ cat <<CONF
server:
  ip-address: 10.77.0.1@5300
  ip-address: 2001:db8:77::1@5300
  username: ""
  chroot: ""
  zonesdir: "$work/zones"
  pidfile: "$work/nsd.pid"
  database: ""
  zonelistfile: "$work/zones.list"
  xfrdfile: "$work/xfrd.state"
  logfile: "$work/nsd.log"
  server-count: 1
  rrl-ratelimit: 0
  ipv4-edns-size: 1232
  ipv6-edns-size: 1232
  minimal-responses: yes
  hide-version: yes
  hide-identity: yes
remote-control:
  control-enable: no
CONF
  for zone in "$work"/zones/*.zone; do
    printf 'zone:\n  name: "%s"\n  zonefile: "%s"\n' "$(basename "$zone" .zone)" "$zone"
  done
} >"$work/nsd.conf"
ip netns exec "$net" nsd -d -c "$work/nsd.conf" >"$work/nsd.out" 2>&1 &

inside() { ip netns exec "$net" "$@"; }
fail() {
  echo "FAILED: $*" >&2
  cat "$work"/{console,nsd.out,nsd.log} >&2
  exit 1
}
answers() { inside dig +short +time=1 +tries=1 "$@" www.example.test | grep -qx 192.0.2.80; }
for at in "@10.77.0.2" "@2001:db8:77::2" "@10.77.0.1 -p 5300" "@2001:db8:77::1 -p 5300"; do
  for ((i = 0; i < 20; i++)); do answers $at && break; done
  answers $at || fail "$at does not answer"
done

# What IPv6 stands on, both ways: the guest tells its MAC to who asks, and asks for ours.
inside ping -q -c 2 -i 0.2 -W 2 2001:db8:77::2 >/dev/null || fail "no echo by IPv6"
inside ping -q -c 2 -i 0.2 -W 2 fe80::5054:ff:fe12:3456%guest0 >/dev/null ||
  fail "no echo on its link-local address"
ip -n "$net" neigh show 2001:db8:77::2 dev guest0 | grep -q 'lladdr 52:54:00:12:34:56' ||
  fail "not its neighbour: $(ip -n "$net" neigh)"
ip -n "$net" neigh flush dev guest0
answers @2001:db8:77::2 || fail "no answer to who had forgotten its neighbours"
closed=$(inside dig +time=5 +tries=1 @2001:db8:77::2 -p 54 www.example.test || true)
[[ $closed == *'connection refused'* ]] || fail "a closed port is not told by ICMPv6: $closed"
grep -qF 'dns: listening on [2001:db8:77::2]:53' "$work/console" || fail "the IPv6 address is not told"

inside "$here/dns/compare.py" 10.77.0.2 10.77.0.1:5300 "$work"/zones/*.zone || fail "over IPv4"
echo "ok: over IPv4"
inside "$here/dns/compare.py" 2001:db8:77::2 "[2001:db8:77::1]:5300" "$work"/zones/*.zone ||
  fail "over IPv6"
fragments=$(inside nstat -asz Ip6ReasmReqds | awk '/Ip6ReasmReqds/ { print $2 }')
[[ $fragments == 0 ]] || fail "$fragments fragments of IPv6 came"
echo "ok: over IPv6"
echo "2 passed, 0 failed"
