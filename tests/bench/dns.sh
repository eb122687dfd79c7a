#!/usr/bin/env bash
# What the DNS image answers beside NSD, on one bridge, asked by the same client in the same run:
# questions per second (dnsperf), and packets per second (ping -f) beside the kernel's own answers.
# Needs root, and the packages nsd and dnsperf. tests/bench/dns.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${FLEET_BUILD:-$PWD/build/release}
rounds=${1:-3}
for program in nsd dnsperf ping; do
  command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
    { echo "error: $program is missing: apt-get install nsd dnsperf iputils-ping" >&2; exit 1; }
done
export PATH=$PATH:/usr/sbin
. tests/e2e/guests/config_volume.sh

work=$(mktemp -d)
space=benchdns-$$
cleanup() {
  for name in client peer; do
    for pid in $(ip netns pids "$space-$name"); do kill "$pid" 2>/dev/null || true; done
  done
  wait
  for name in client peer; do ip netns del "$space-$name" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# The bridge and the client are one namespace; NSD is behind a veth, the guest behind its tap.
ip netns add "$space-client"
ip netns add "$space-peer"
client() { ip netns exec "$space-client" "$@"; }
client ip link add lan type bridge
client ip addr add 10.77.0.1/24 dev lan
client ip link set lan up
client ip tuntap add guest0 mode tap
client ip link set guest0 master lan up
ip -n "$space-client" link add peer0 type veth peer name eth0 netns "$space-peer"
client ip link set peer0 master lan up
ip -n "$space-peer" addr add 10.77.0.3/24 dev eth0
ip -n "$space-peer" link set eth0 up

zone=$build/images/dns/zones/example.test.zone
config_volume "$work/volume.tar" 10.77.0.2 52:54:00:12:34:56 "$zone" --rrl=0
client "$build/bin/fleet-spt" --mem=16 --net:service=guest0 --net-mac:service=52:54:00:12:34:56 \
  --block:config="$work/volume.tar" "$build/images/dns/dns.x86_64.spt" >"$work/console" 2>&1 &
cat >"$work/nsd.conf" <<CONF
server:
  ip-address: 10.77.0.3
  username: ""
  chroot: ""
  zonesdir: "$work"
  pidfile: "$work/nsd.pid"
  database: ""
  zonelistfile: "$work/zones.list"
  xfrdfile: "$work/xfrd.state"
  logfile: "$work/nsd.log"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "example.test"
  zonefile: "$zone"
CONF
ip netns exec "$space-peer" nsd -d -c "$work/nsd.conf" >"$work/nsd.out" 2>&1 &
answers() { client dig +short +time=1 +tries=1 "@$1" www.example.test | grep -qx 192.0.2.80; }
for server in 10.77.0.2 10.77.0.3; do
  for ((i = 0; i < 20; i++)); do answers "$server" && break; done
  answers "$server" || { echo "error: $server does not answer" >&2; cat "$work"/{console,nsd.out} >&2; exit 1; }
done

printf 'www.example.test A\nexample.test SOA\nnothing.example.test A\nexample.test MX\n' >"$work/questions"
asked() {  # asked SERVER: questions answered per second
  client dnsperf -s "$1" -d "$work/questions" -l 4 -c 4 -q 64 2>/dev/null |
    awk '/Queries per second/ {print $4}'
}
flooded() {  # flooded SERVER: echo answers per second
  client ping -f -q -c 20000 "$1" | awk '/packets transmitted/ {n = $4} /^rtt|^round/ {next}
    / time / {sub(/ms/, "", $10); print n * 1000 / $10}'
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
for ((round = 0; round < rounds; round++)); do
  asked 10.77.0.2 >>"$work/asked.ours"
  asked 10.77.0.3 >>"$work/asked.nsd"
  flooded 10.77.0.2 >>"$work/flooded.ours"
  flooded 10.77.0.3 >>"$work/flooded.kernel"
done
row() {  # row WHAT OURS PEER THEIRS
  printf '{"row":"%s","unit":"1/s","spt":%.0f,"%s":%.0f,"ratio":%.2f}\n' "$1" "$2" "$3" "$4" \
    "$(awk "BEGIN {print $2 / $4}")" | tee -a "$work/rows"
}
row "DNS questions answered" "$(median "$work/asked.ours")" nsd "$(median "$work/asked.nsd")"
row "pings answered, flood" "$(median "$work/flooded.ours")" "kernel behind a veth" \
  "$(median "$work/flooded.kernel")"
