#!/usr/bin/env bash
# The DNS image on each platform beside NSD, on one bridge, asked by the same client in turn: time from
# the start to the first answer, bytes of the program, memory, questions per second by UDP and TCP
# (dnsperf), and packets per second (ping -f) beside the kernel's own answers.
# Needs root, and the packages nsd and dnsperf. tests/bench/dns.sh [ROUNDS [spt|virtio|hvt]...]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${FLEET_BUILD:-$PWD/build/release}
rounds=${1:-3}
(($# > 1)) && platforms=("${@:2}") || platforms=(spt virtio)
export PATH=$PATH:/usr/sbin
for program in nsd dnsperf ping; do
  command -v "$program" >/dev/null ||
    { echo "error: $program is missing: apt-get install nsd dnsperf iputils-ping" >&2; exit 1; }
done
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
client ip link add lan address 02:00:c0:00:02:01 type bridge
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
  tcp-query-count: 0
remote-control:
  control-enable: no
zone:
  name: "example.test"
  zonefile: "$zone"
CONF
printf 'www.example.test A\nexample.test SOA\nnothing.example.test A\nexample.test MX\n' >"$work/questions"

# start NAME ADDRESS COMMAND...: until it answers; $first is how long that took, $pid whose it is.
start() {
  local name=$1 address=$2; shift 2
  rm -f "$work/first"
  ip netns exec "$space-client" tests/bench/first_answer.py "$address" "$work/first" "$@" \
    >"$work/$name.out" 2>&1 &
  starter=$!
  for ((i = 0; i < 600; i++)); do [[ ! -s $work/first ]] || break; sleep 0.1; done
  read -r first pid <"$work/first" ||
    { echo "error: $name does not answer" >&2; cat "$work/$name.out" >&2; exit 1; }
}
stop() { kill "$starter"; wait "$starter" 2>/dev/null || true; }
guest() {  # guest PLATFORM: the command that runs the image
  local image=$build/images/dns/dns.$(uname -m).$1
  if [[ $1 != virtio ]]; then
    command=("$build/bin/fleet-$1" --mem=16 --net:service=guest0
      --net-mac:service=52:54:00:12:34:56 --block:config="$work/volume.tar" "$image")
    return
  fi
  command=(qemu-system-x86_64 -M microvm,acpi=off -accel tcg -m 16 -nodefaults -no-user-config
    -no-reboot -display none -serial "file:$work/serial" -global virtio-mmio.force-legacy=false
    -kernel "$image" -initrd "$work/volume.tar"
    -netdev tap,id=n0,ifname=guest0,script=no,downscript=no
    -device virtio-net-device,netdev=n0,mac=52:54:00:12:34:56)
}
nsd_command=(ip netns exec "$space-peer" "$(command -v nsd)" -d -c "$work/nsd.conf")
asked() {  # asked SERVER udp|tcp: questions answered per second
  client dnsperf -s "$1" -m "$2" -d "$work/questions" -l 4 -c 4 -q 64 2>/dev/null |
    awk '/Queries per second/ {print $4}'
}
flooded() {  # flooded SERVER: echo answers per second
  client ping -f -q -c 20000 "$1" | awk '/packets transmitted/ {n = $4} /^rtt|^round/ {next}
    / time / {sub(/ms/, "", $10); print n * 1000 / $10}'
}
resident() {  # resident PID: KiB of it and all below it, shared pages once each
  local all=$1 children
  children=$(pgrep -P "$1" || true)
  for child in $children; do all+=" $child"; done
  for p in $all; do awk '/^Pss:/ {print $2}' "/proc/$p/smaps_rollup" 2>/dev/null || true; done |
    awk '{sum += $1} END {print sum + 0}'
}
median() { sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() {  # row PLATFORM WHAT UNIT FILES: medians of FILES.ours and FILES.peer
  local ours theirs
  ours=$(median "$work/$4.ours") theirs=$(median "$work/$4.peer")
  awk -v platform="$1" -v what="$2" -v unit="$3" -v ours="$ours" -v theirs="$theirs" -v peer="${5:-nsd}" \
    'BEGIN {printf "{\"platform\":\"%s\",\"row\":\"%s\",\"unit\":\"%s\",\"ours\":%.1f,\"%s\":%.1f,\"ratio\":%.2f}\n",
      platform, what, unit, ours, peer, theirs, ours / theirs}'
}

for platform in "${platforms[@]}"; do
  rm -f "$work"/*.ours "$work"/*.peer
  guest "$platform"
  for ((round = 0; round < rounds; round++)); do
    start nsd 10.77.0.3 "${nsd_command[@]}"
    echo "$first" >>"$work/first.peer"
    nsd_starter=$starter nsd_pid=$pid
    start "$platform" 10.77.0.2 "${command[@]}"
    echo "$first" >>"$work/first.ours"
    for protocol in udp tcp; do
      asked 10.77.0.2 $protocol >>"$work/$protocol.ours"
      asked 10.77.0.3 $protocol >>"$work/$protocol.peer"
    done
    flooded 10.77.0.2 >>"$work/ping.ours"
    flooded 10.77.0.3 >>"$work/ping.peer"
    resident "$pid" >>"$work/memory.ours"
    resident "$nsd_pid" >>"$work/memory.peer"
    stop
    starter=$nsd_starter stop
  done
  stat -c %s "$build/images/dns/dns.$(uname -m).$platform" >"$work/size.ours"
  stat -Lc %s "$(command -v nsd)" >"$work/size.peer"
  row "$platform" "start to first answer" ms first
  row "$platform" "bytes of the program" B size
  row "$platform" "memory after it, monitor and all" KiB memory
  row "$platform" "DNS questions answered, UDP" 1/s udp
  row "$platform" "DNS questions answered, TCP" 1/s tcp
  row "$platform" "pings answered, flood" 1/s ping "kernel behind a veth"
done
