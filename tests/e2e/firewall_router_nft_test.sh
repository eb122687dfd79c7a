#!/usr/bin/env bash
# What clients learn through our router and through Linux with nftables, by the same rules, is the
# same: rejects of every kind, translated addresses and ports, errors of the router itself. Needs root,
# the built images, nft, python3 and ping. firewall_router_nft_test.sh [spt|virtio|hvt]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${FLEET_BUILD:?FLEET_BUILD is the build folder}"
net=fleet-nft-$$
source "$here/firewall/net.sh"

before='  iif "lan" ip daddr 198.51.100.9 tcp dport 2002 dnat to 198.51.100.7:2001
  iif "lan" ip daddr 198.51.100.9 udp dport 2002 dnat to 198.51.100.7:2001
  iif "lan" ip daddr 198.51.100.10 dnat to 198.51.100.7
  iif "wan" ip daddr 192.0.2.1 tcp dport 8080 dnat to 10.0.0.2:2001'
behind='  oif "wan" tcp dport 2003 snat to 192.0.2.1:5000-5003
  oif "wan" udp dport 2003 masquerade to :5000-5003
  oif "wan" masquerade'
between='  ct state established,related accept
  PORT 1001 reject
  tcp dport 1002 reject with tcp reset
  PORT 1003 reject with icmpx type admin-prohibited
  PORT 1004 reject with icmpx type host-unreachable
  PORT 1005 reject with icmpx type no-route
  PORT 1006 reject with icmp type net-prohibited
  PORT 1006 reject with icmpv6 type addr-unreachable
  PORT 1007 reject with icmp type prot-unreachable
  PORT 1007 reject with icmpv6 type reject-route
  PORT 1008 drop
  icmp type timestamp-request reject
  accept'
# PORT N stands for the same rule of TCP and of UDP.
between=$(sed -E '/PORT/{h;s/PORT/tcp dport/p;g;s/PORT/udp dport/}' <<<"$between")
rules() { # rules [table...]: with tables for nftables, else for us
  [[ $1 == ours ]] || echo 'table inet filtering {'
  printf 'chain forward { type filter hook forward priority 0; policy drop;\n%s\n}\n' "$between"
  [[ $1 == ours ]] || printf '}\ntable ip translating {\n'
  printf 'chain prerouting { type nat hook prerouting priority dstnat;\n%s\n}\n' "$before"
  printf 'chain postrouting { type nat hook postrouting priority srcnat;\n%s\n}\n' "$behind"
  [[ $1 == ours ]] || echo '}'
}

# ends IN OUT: the same two networks.
ends() {
  ip -n "$1" addr add 10.0.0.2/24 dev eth0
  ip -n "$1" addr add 2001:db8:1::2/64 dev eth0 nodad
  ip -n "$1" route add default via 10.0.0.1
  ip -n "$1" route add default via 2001:db8:1::1
  ip -n "$2" addr add 192.0.2.2/24 dev eth0
  ip -n "$2" addr add 2001:db8:2::2/64 dev eth0 nodad
  ip -n "$2" addr add 198.51.100.7/32 dev lo
  ip -n "$2" addr add 2001:db8:99::7/128 dev lo
  ip -n "$2" route add 2001:db8:1::/64 via 2001:db8:2::1
  ip -n "$2" link set eth0 mtu 1280
  ip netns exec "$1" python3 "$here/firewall/probes.py" serve 10.0.0.2 2001:db8:1::2 2001 &
  started+=($!)
  ip netns exec "$2" python3 "$here/firewall/probes.py" serve 198.51.100.7 2001:db8:99::7 2001 2003 &
  started+=($!)
}

# learned IN OUT: all that clients learn.
learned() {
  local lines=() kind port
  for kind in tcp udp; do
    for port in 1001 1002 1003 1004 1005 1006 1007 1008 2001 2003; do
      lines+=("$kind 198.51.100.7 $port" "$kind 2001:db8:99::7 $port")
    done
    lines+=("$kind 198.51.100.9 2002" "$kind 198.51.100.10 2001" "$kind 198.51.100.9 2001")
  done
  ip netns exec "$1" python3 "$here/firewall/probes.py" ask "${lines[@]}"
  ip netns exec "$2" python3 "$here/firewall/probes.py" ask 'tcp 192.0.2.1 8080' \
    'tcp 2001:db8:1::2 2001' 'udp 2001:db8:1::2 2001' 'tcp 2001:db8:1::2 1002'
  local way
  for way in "198.51.100.7 -t 1" "2001:db8:99::7 -t 1" "198.51.100.7 -M do -s 1400" \
    "2001:db8:99::7 -M do -s 1400" "198.51.100.7 -M dont -s 1400" "198.51.100.7 -s 4000" \
    "2001:db8:99::7 -s 4000" "10.0.0.255"; do
    echo "ping $way: $(ip netns exec "$1" ping -n -c 1 -W 4 $way 2>&1 | grep -oE '^From .*|1 received' | head -1)"
    ip -n "$1" route flush cache
    ip -n "$1" -6 route flush cache
  done
}

make_wires
ends "$net-in" "$net-out"
for name in "$net-linux" "$net-lin" "$net-lout"; do namespace "$name"; done
ip -n "$net-linux" link add lan type veth peer name eth0 netns "$net-lin"
ip -n "$net-linux" link add wan mtu 1280 type veth peer name eth0 netns "$net-lout"
ip -n "$net-linux" addr add 10.0.0.1/24 dev lan
ip -n "$net-linux" addr add 192.0.2.1/24 dev wan
ip -n "$net-linux" addr add 2001:db8:1::1/64 dev lan nodad
ip -n "$net-linux" addr add 2001:db8:2::1/64 dev wan nodad
for name in lan wan; do ip -n "$net-linux" link set "$name" up; done
for name in "$net-lin" "$net-lout"; do ip -n "$name" link set eth0 up; done
ip -n "$net-linux" route add default via 192.0.2.2
ip -n "$net-linux" route add default via 2001:db8:2::2
ip netns exec "$net-linux" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
  net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.conf.all.rp_filter=1
ends "$net-lin" "$net-lout"
rules theirs >"$work/nft"
ip netns exec "$net-linux" nft -f "$work/nft"
learned "$net-lin" "$net-lout" >"$work/linux"
grep -q '^tcp 198.51.100.7 2001: 192.0.2.1 port any reached 198.51.100.7' "$work/linux" ||
  { cat "$work/linux"; fail "Linux does not translate: the comparison is void"; }

(($# > 0)) || set -- spt virtio
for platform in "$@"; do
  rules ours >"$work/rules"
  addressed_volume \
    "address=192.0.2.1/24 gateway=192.0.2.2 address6=2001:db8:2::1/64 gateway6=2001:db8:2::2 mtu=1280" \
    "address=10.0.0.1/24 address6=2001:db8:1::1/64" "$work/rules"
  boot
  until_said 'as a router'
  until_ok inside ping -q -c 1 -W 1 198.51.100.7
  until_ok inside ping -q -c 1 -W 1 2001:db8:99::7
  learned "$net-in" "$net-out" >"$work/ours"
  stop
  diff "$work/linux" "$work/ours" >"$work/differ" || { cat "$work/differ"; fail "not what nftables does"; }
  ok "$(wc -l <"$work/ours") answers and errors are those of Linux with nftables"
done
echo "$passed passed, 0 failed"
