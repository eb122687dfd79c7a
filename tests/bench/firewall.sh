#!/usr/bin/env bash
# What goes through the firewall's guest on each platform beside a Linux bridge with the same rules in
# nftables, in one run and by the same programs: Gbit/s of TCP (iperf3), packets per second of small
# UDP; the time from the start to the first forwarded packet, beside that of `nft -f`; bytes and memory
# of the guest, of which nftables has none to compare.
# Needs root, and the packages iperf3, nftables and jq. tests/bench/firewall.sh [ROUNDS [spt|virtio|hvt]...]
set -euo pipefail
cd "$(dirname "$0")/../.."
export FLEET_BUILD=${FLEET_BUILD:-$PWD/build/release}
net=benchfw-$$
. tests/e2e/firewall/net.sh
. tests/bench/appliance.sh
bench_arguments "$@"
need "iperf3 nftables jq" iperf3 nft jq
make_networks
in_net() { ip netns exec "$net" "$@"; }

# The peer: a second pair of networks with the same addresses, and one bridge between them.
for name in in out; do namespace "$net-x$name"; done
ip -n "$net" link add x-bridge type bridge mcast_snooping 0
for side in lan:in:1 wan:out:2; do
  IFS=: read -r port space number <<<"$side"
  ip -n "$net" link add "x-$port" type veth peer name eth0 netns "$net-x$space"
  ip -n "$net" link set "x-$port" master x-bridge
  ip -n "$net" link set "x-$port" up
  ip -n "$net-x$space" addr add "10.5.0.$number/24" dev eth0
  ip -n "$net-x$space" link set eth0 up
done
ip -n "$net" link set x-bridge up
cat >"$work/rules.nft" <<'RULES'
table bridge below {
  chain before { type filter hook prerouting priority -300;
    iifname "x-lan" meta mark set 1; iifname "x-wan" meta mark set 2; }
}
table inet above { chain forward { type filter hook forward priority 0; policy drop;
  meta mark 0 accept
  ct state invalid drop
  ct state established,related accept
  meta mark 1 ct state new accept
  meta mark 2 counter drop
  }
}
RULES
load_rules() {  # milliseconds that it takes
  local began
  in_net nft flush ruleset
  began=$(date +%s%N)
  in_net nft -f "$work/rules.nft"
  echo $((($(date +%s%N) - began) / 1000000))
}
in_net sysctl -qw net.bridge.bridge-nf-call-iptables=1

# Segments as they would come from a wire: no batches of 64 KiB that one side alone would profit from.
for space in in out xin xout; do
  ip -n "$net-$space" link set eth0 gso_max_size 1514 gso_max_segs 1
done

volume images/firewall/rules.fw
# Both ends know each other: no wait for a second question by ARP, as after one that nobody answered.
mac_of() { ip -n "$net-$1" -j link show eth0 | jq -r '.[0].address'; }
ip -n "$net-in" neigh replace 10.5.0.2 lladdr "$(mac_of out)" dev eth0
ip -n "$net-out" neigh replace 10.5.0.1 lladdr "$(mac_of in)" dev eth0
first_packet() {  # boots; $first is how many milliseconds until a ping came back
  local began pinger
  ip netns exec "$net-in" ping -n -D -i 0.002 -w 30 10.5.0.2 >"$work/pings" & pinger=$!
  sleep 0.2
  began=$(date +%s.%N)
  boot
  until_ok grep -q 'bytes from' "$work/pings"
  kill "$pinger"
  wait "$pinger" || true
  first=$(awk -F '[][]' -v began="$began" '/bytes from/ { printf "%.1f\n", ($2 - began) * 1000; exit }' \
    "$work/pings")
  said 'firewall: forwarding' || fail "it does not forward"
}

# run PREFIX ARGUMENT...: iperf3 from the inner to the outer namespace of ours (no prefix) or the
# peer's (x); its report in $work/report.
run() {
  local prefix=$1
  shift
  ip netns exec "$net-${prefix}out" iperf3 -s -1 -p 5201 >/dev/null 2>&1 & local server=$!
  until [[ -n $(ip netns exec "$net-${prefix}out" ss -Hltn 'sport = :5201') ]]; do sleep 0.02; done
  ip netns exec "$net-${prefix}in" iperf3 -J -c 10.5.0.2 -p 5201 -t 3 "$@" >"$work/report"
  wait "$server" || true
}
rate() { jq '.end.sum_received.bits_per_second / 1e9 * 1000 | round / 1000' "$work/report"; }
# Received, not sent: what was lost on the way does not count.
packets() {
  jq '(.end.sum | (.packets - .lost_packets) / .seconds) | round' "$work/report"
}
measure() {  # measure ours|peer PREFIX
  run "$2"
  note tcp "$1" "$(rate)"
  run "$2" -u -b 0 -l 64
  note udp "$1" "$(packets)"
}
for platform in "${platforms[@]}"; do
  forget_figures
  note size ours "$(stat -c %s "$(image_of firewall "$platform")")"
  for ((round = 0; round < rounds; round++)); do
    note first peer "$(load_rules)"
    first_packet
    note first ours "$first"
    measure ours ""
    measure peer x
    note memory ours "$(resident "$monitor")"
    stop
  done
  row "$platform" "start to first forwarded packet" ms first "nft -f"
  row "$platform" "bytes of the program" B size
  row "$platform" "memory after it, monitor and all" KiB memory
  row "$platform" "TCP" Gbit/s tcp nftables
  row "$platform" "packets of 64 bytes by UDP" 1/s udp nftables
done
