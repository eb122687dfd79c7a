#!/usr/bin/env bash
# What goes through the firewall's guest (spt) beside a Linux bridge with the same rules in nftables,
# in one run and by the same programs: Gbit/s of TCP (iperf3), packets per second of small UDP, the time
# from start to the first forwarded packet; size and memory of the guest. Needs root, iperf3, nft, jq.
# tests/bench/firewall.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
export FLEET_BUILD=${FLEET_BUILD:-$PWD/build/release}
rounds=${1:-3}
net=benchfw-$$
platform=spt
. tests/e2e/firewall/net.sh
make_networks
in_net() { ip netns exec "$net" "$@"; }

# The peer: a second pair of networks with the same addresses, and one bridge between them.
for name in in out; do quiet_namespace "$net-x$name"; done
trap 'for name in xin xout; do ip netns del "$net-$name" || true; done; finish' EXIT
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
in_net nft -f - <<'RULES'
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
in_net sysctl -qw net.bridge.bridge-nf-call-iptables=1

# Segments as they would come from a wire: no batches of 64 KiB that one side alone would profit from.
for space in in out xin xout; do
  ip -n "$net-$space" link set eth0 gso_max_size 1514 gso_max_segs 1
done

volume images/firewall/rules.fw
started_ns=$(date +%s%N)
boot
until inside ping -q -c 1 -W 0.02 10.5.0.2 >/dev/null 2>&1; do kill -0 "$monitor"; done
boot_ms=$((($(date +%s%N) - started_ns) / 1000000))
said 'firewall: forwarding' || fail "it does not forward"

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
median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }
for ((round = 0; round < rounds; round++)); do
  for prefix in "" x; do
    run "$prefix"
    rate >>"$work/tcp-${prefix:-ours}"
    run "$prefix" -u -b 0 -l 64
    packets >>"$work/udp-${prefix:-ours}"
  done
done
memory_kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$monitor/status")
image_kib=$(($(stat -c %s "$FLEET_BUILD/images/firewall/firewall.$(uname -m).spt") / 1024))
jq -nc --argjson tcp "$(median <"$work/tcp-ours")" --argjson tcp_nft "$(median <"$work/tcp-x")" \
  --argjson udp "$(median <"$work/udp-ours")" --argjson udp_nft "$(median <"$work/udp-x")" \
  --argjson boot "$boot_ms" --argjson memory "$memory_kib" --argjson image "$image_kib" \
  '{bench: "firewall", tcp_gbit_s: $tcp, nft_tcp_gbit_s: $tcp_nft,
    tcp_ratio: ($tcp / $tcp_nft * 1000 | round / 1000), udp_packets_s: $udp,
    nft_udp_packets_s: $udp_nft, udp_ratio: ($udp / $udp_nft * 1000 | round / 1000),
    first_packet_ms: $boot, resident_kib: $memory, image_kib: $image}'
