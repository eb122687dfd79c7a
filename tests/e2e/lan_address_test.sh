#!/usr/bin/env bash
# An app on a bridge of the host: it asks the network's DHCP for its IPv4 address and keeps its lease
# over an update, has an IPv6 address that is written down, and no other. Its health by ICMP. The
# host that leads it routes nothing past it.
LAB=lan LAB_PORT=18492
LAB_CONF=$'allow_kvm = no\nhost_bridges = br-lan br-wan'
. "$(dirname "$0")/lib.sh"
fleet 1
space=$LAB-edge-1
cp -r "$images/dns" "$LAB_DIR/dns"
cd "$LAB_DIR/dns"

for bridge in br-lan br-wan; do network_behind "$bridge"; done
ip -n "$LAB-br-lan" addr add 198.51.100.1/24 dev eth0
ip -n "$LAB-br-lan" addr add 2001:db8:77::1/64 dev eth0 nodad
ip -n "$LAB-br-wan" addr add 203.0.113.1/24 dev eth0
lan() { ip netns exec "$LAB-br-lan" "$@"; }

serve_dhcp br-lan 198.51.100

python3 - <<'PY'
import re
text = open("manifest.yml").read()
text = re.sub(r"    bridge: fleet0\n    address: auto\n",
              "    bridge: br-lan\n    address: dhcp\n    address6: 2001:db8:77::53/64\n"
              "    gateway6: 2001:db8:77::1\n", text)
text = re.sub(r"  publish:.*\n", "", text)
text = re.sub(r"  health:\n(    .*\n)+",
              '  health: {type: console, line: "dns: listening on", start_interval: 50ms}\n', text)
open("manifest.yml", "w").write(text)
PY
answers() { [[ $(lan dig +short +tries=1 +time=1 "@$1" www.example.test A) == 192.0.2.80 ]]; }

expect 0 'live on 1 of 1' fleetctl push dns --to edge
lab_wait 20 leased || die "no lease: $(cat "$dhcp_dir/log")"
read -r mac address <<<"$(leases)"
lab_wait 10 answers "$address" || die "no answer from $address"
ok "asks for its address, and answers at $address"
lab_wait 10 answers 2001:db8:77::53 || die "no answer over IPv6"
lan ip -6 addr add 2001:db8:99::1/128 dev lo
far() { [[ $(lan dig +short +tries=1 +time=1 -b 2001:db8:99::1 @2001:db8:77::53 www.example.test A) == 192.0.2.80 ]]; }
lab_wait 10 far || die "no way out by gateway6"
ok "answers at the IPv6 address of the manifest, on its network and beyond"

sed -i 's/--rrl=1000/--rrl=999/' manifest.yml
expect 0 'live on 1 of 1' fleetctl push dns --to edge
lab_wait 20 answers "$address" || die "no answer from $address after an update: $(leases)"
[[ $(leases) == "$mac $address" ]] || die "another lease: $(leases)"
ok "an update keeps MAC and lease"

# What is written down, the bridge's door holds it to. The host needs an address there to ask it.
sed -i 's/address: dhcp/address: 198.51.100.70\/24\n    gateway: 198.51.100.1/' manifest.yml
sed -i 's/health: .*/health: {type: icmp, start_interval: 50ms, deadline: 3s}/' manifest.yml
expect 3 'no answer: icmp echo' fleetctl push dns --to edge
ip -n "$space" addr add 198.51.100.254/24 dev br-lan
sed -i 's/deadline: 3s/deadline: 20s/' manifest.yml
expect 0 'live on 1 of 1' fleetctl push dns --to edge
lab_wait 10 answers 198.51.100.70 || die "no answer from the fixed address"
lab_wait 10 answers 2001:db8:77::53 || die "no IPv6 behind the source filter"
lan ping -q -c 1 -W 1 2001:db8:77::53 >/dev/null || die "no echo over IPv6"
filter=$(ip netns exec "$space" nft list table netdev fleet)
grep -q 'ip6 saddr { ::, 2001:db8:77::53, fe80::' <<<"$filter" || die "no filter: $filter"
ok "with addresses that are written down it passes its source filter"

# IPv6 alone, an address for each device: the manifest has a variable, the device a label.
python3 - <<'PY'
import re
text = open("manifest.yml").read()
text = re.sub(r"address: 198.51.100.70/24\n    gateway: 198.51.100.1", "address: none", text)
text = re.sub(r"address6: .*", 'address6: "((host6))/64"', text)
text = re.sub(r"health: .*", 'health: {type: console, line: "dns: listening on", start_interval: 50ms}'
              "\n  vars: {host6: {type: ipv6, from: label:host6}}", text)
open("manifest.yml", "w").write(text)
PY
fleetctl device label edge-1 host6=2001:db8:77::54 >/dev/null
expect 0 'live on 1 of 1' fleetctl push dns --to edge
lab_wait 10 answers 2001:db8:77::54 || die "no answer at the device's own IPv6 address"
! answers 198.51.100.70 || die "it still has an IPv4 address"
! answers 2001:db8:77::53 || die "it still has the IPv6 address of the release before"
filter=$(ip netns exec "$space" nft list table netdev fleet)
tail -n 3 <<<"$filter" | grep -q '^\s*drop$' || die "IPv4 may leave: $filter"
expect 0 'listening on \[2001:db8:77::54\]:53' fleetctl logs dns --device edge-1
ok "an app of IPv6 alone, at the address of its device"

# The host has addresses on both sides, and was no router before the launcher made it one.
ip -n "$space" addr add 203.0.113.254/24 dev br-wan
ip -n "$LAB-br-lan" route add 203.0.113.0/24 via 198.51.100.254
ip -n "$LAB-br-wan" route add 198.51.100.0/24 via 203.0.113.254
crosses() { lan ping -q -c 1 -W 1 203.0.113.1 >/dev/null; }
lan ping -q -c 1 -W 1 198.51.100.254 >/dev/null || die "the host does not answer"
! crosses || die "the host routes between its bridges"
ip netns exec "$space" nft insert rule inet fleet forward accept
crosses || die "the way is not there at all"
ok "the host routes nothing between its bridges"
echo "$passed passed, 0 failed"
