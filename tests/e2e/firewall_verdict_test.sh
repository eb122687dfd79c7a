#!/usr/bin/env bash
# The verdict table: a corpus of packets through our firewall guest and through a Linux bridge with
# nftables, by the same rules. Every packet has the same verdict on both, or firewall/allowed.txt says
# why not. Needs root, the built images and nft. firewall_verdict_test.sh [spt|virtio|hvt]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${FLEET_BUILD:?FLEET_BUILD is the build folder}"
net=fleet-verdict-$$
source "$here/firewall/net.sh"
in_net() { ip netns exec "$net" "$@"; }

# Bare taps for the guest; for Linux a bridge of the ports x-wan and x-lan.
namespace "$net"
in_net sysctl -qw net.ipv6.conf.default.disable_ipv6=1
for tap in wan lan mgmt; do
  ip -n "$net" tuntap add "$tap" mode tap
  ip -n "$net" link set "$tap" up
done
ip -n "$net" link add x-bridge type bridge mcast_snooping 0
for side in wan lan; do
  ip -n "$net" link add "x-$side" type veth peer name "l-$side"
  ip -n "$net" link set "x-$side" master x-bridge
  ip -n "$net" link set "x-$side" up
  ip -n "$net" link set "l-$side" up
done
ip -n "$net" link set x-bridge up

rules=$here/firewall/verdicts.fw
{
  echo 'chain forward {'
  echo '  ether type { arp, 0x88b5 } accept'
  cat "$rules"
  echo '}'
} >"$work/rules"
# Linux follows connections of bridged packets above the bridge, where its ports are not known: a mark
# tells them. What is no IP is judged below.
{
  echo 'table bridge below {'
  echo '  chain before { type filter hook prerouting priority -300;'
  echo '    iifname "x-lan" meta mark set 1; iifname "x-wan" meta mark set 2; }'
  echo '  chain forward { type filter hook forward priority 0; policy drop;'
  echo '    ether type { arp, 0x88b5, ip, ip6 } accept; }'
  echo '}'
  echo 'table inet above { chain forward { type filter hook forward priority 0; policy drop;'
  sed 's/iif "lan"/meta mark 1/; s/iif "wan"/meta mark 2/' "$rules"
  printf '}\n}\n'
} >"$work/nft"
in_net nft -f "$work/nft"
in_net sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
in_net sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0  # as here: the middle opens nothing
in_net "$FLEET_BUILD/bin/firewall_verdicts" l-lan l-wan >"$work/linux" || fail "nftables"

(($# > 0)) || set -- spt
for platform in "$@"; do
  volume "$work/rules"
  boot
  until_said 'firewall: forwarding between wan and lan'
  in_net "$FLEET_BUILD/bin/firewall_verdicts" lan wan >"$work/ours" || fail "our guest"
  stop
  # NAME <tab> ours <tab> nftables'
  paste "$work/ours" <(cut -f2 "$work/linux") | awk -F'\t' '$2 != $3' >"$work/differ"
  status=0
  python3 "$here/firewall/allowed.py" "$here/firewall/allowed.txt" "$work/differ" || status=1
  ((status == 0)) || fail "verdicts differ"
  echo "ok: $platform: $(wc -l <"$work/ours") steps, $(grep -vc ' 0 came' "$work/ours") of them with" \
    "packets that go through; $(wc -l <"$work/differ") differ as allowed"
done
echo "$# passed, 0 failed"
