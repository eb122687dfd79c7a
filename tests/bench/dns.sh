#!/usr/bin/env bash
# The DNS image on each platform beside NSD, on one bridge, asked by the same client in turn: time from
# the start to the first answer, bytes of the program, memory, questions per second by UDP and TCP
# (dnsperf), and packets per second (ping -f) beside the kernel's own answers.
# Needs root, and the packages nsd and dnsperf. tests/bench/dns.sh [ROUNDS [spt|virtio|hvt]...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/bench/appliance.sh
bench_arguments "$@"
need "nsd dnsperf iputils-ping" nsd dnsperf ping
. tests/e2e/guests/config_volume.sh

make_lan benchdns-$$
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
nsd_command=(ip netns exec "$space-peer" "$(command -v nsd)" -d -c "$work/nsd.conf")
asked() {  # asked SERVER udp|tcp: questions answered per second
  client dnsperf -s "$1" -m "$2" -d "$work/questions" -l 4 -c 4 -q 64 2>/dev/null |
    awk '/Queries per second/ {print $4}'
}
flooded() {  # flooded SERVER: echo answers per second
  client ping -f -q -c 20000 "$1" | awk '/packets transmitted/ {n = $4} /^rtt|^round/ {next}
    / time / {sub(/ms/, "", $10); print n * 1000 / $10}'
}

for platform in "${platforms[@]}"; do
  forget_figures
  guest dns "$platform" 16 52:54:00:12:34:56
  note size ours "$(stat -c %s "$(image_of dns "$platform")")"
  note size peer "$(stat -Lc %s "$(command -v nsd)")"
  for ((round = 0; round < rounds; round++)); do
    start nsd 10.77.0.3 "${nsd_command[@]}"
    note first peer "$first"
    nsd_starter=$starter nsd_pid=$pid
    start "$platform" 10.77.0.2 "${command[@]}"
    note first ours "$first"
    for protocol in udp tcp; do
      note $protocol ours "$(asked 10.77.0.2 $protocol)"
      note $protocol peer "$(asked 10.77.0.3 $protocol)"
    done
    note ping ours "$(flooded 10.77.0.2)"
    note ping peer "$(flooded 10.77.0.3)"
    note memory ours "$(resident "$pid")"
    note memory peer "$(resident "$nsd_pid")"
    stop
    starter=$nsd_starter stop
  done
  row "$platform" "start to first answer" ms first nsd
  row "$platform" "bytes of the program" B size nsd
  row "$platform" "memory after it, monitor and all" KiB memory nsd
  row "$platform" "DNS questions answered, UDP" 1/s udp nsd
  row "$platform" "DNS questions answered, TCP" 1/s tcp nsd
  row "$platform" "pings answered, flood" 1/s ping "kernel behind a veth"
done
