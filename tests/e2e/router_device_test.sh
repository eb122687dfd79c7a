#!/usr/bin/env bash
# The firewall as the router of a device: its address outside comes by DHCP, inside it is written down.
# Who is inside reaches outside through it and by its address; an update keeps the lease; rules that
# cannot be read are not signed, and what answers no probe is taken back.
LAB=router LAB_PORT=18493
LAB_CONF=$'allow_kvm = no\nhost_bridges = br-wan br-lan'
. "$(dirname "$0")/lib.sh"
fleet 1
space=$LAB-edge-1
fleetctl keys delegate edge-fw >/dev/null
cp -r "$images/firewall" "$LAB_DIR/firewall"
cd "$LAB_DIR/firewall"

for bridge in br-wan br-lan; do network_behind "$bridge"; done
outside() { ip netns exec "$LAB-br-wan" "$@"; }
inside() { ip netns exec "$LAB-br-lan" "$@"; }
outside ip addr add 203.0.113.1/24 dev eth0
inside ip addr add 192.168.77.2/24 dev eth0
inside ip route add default via 192.168.77.1

serve_dhcp br-wan 203.0.113
mkdir "$LAB_DIR/www"
echo outside >"$LAB_DIR/www/page"
outside busybox httpd -f -vv -p 203.0.113.1:80 -h "$LAB_DIR/www" 2>"$LAB_DIR/www.log" &
LAB_PIDS[www]=$!
fetches() { [[ $(inside curl -fs --max-time 1 http://203.0.113.1/page) == outside ]]; }

cp "$root/tests/e2e/firewall/router.fw" rules.fw
python3 - <<'PY'
import re
text = open("manifest.yml").read()
text = re.sub(r"bridge: br-wan, address: none", "bridge: br-wan, address: dhcp", text)
text = re.sub(r"bridge: br-lan, address: none", "bridge: br-lan, address: 192.168.77.1/24", text)
text = re.sub(r"  on_down:.*\n(                 +#.*\n)*", "", text)
text = re.sub(r"    handover:.*\n", "    handover: auto\n", text)
text = re.sub(r"    uplink:.*\n", "", text)
open("manifest.yml", "w").write(text)
PY

expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
lab_wait 20 fetches || die "nothing comes from outside: $(fleetctl logs edge-fw | tail -n 5)"
read -r mac address <<<"$(leases)"
grep -q "$address" "$LAB_DIR/www.log" || die "it was not $address that asked: $(cat "$LAB_DIR/www.log")"
! grep -q '192\.168\.77' "$LAB_DIR/www.log" || die "who is inside was seen outside"
ok "who is inside reaches outside, by $address that DHCP gave"
inside ping -q -c 1 -W 1 192.168.77.1 >/dev/null || die "it does not answer inside"
outside ip route add 192.168.77.0/24 via "$address"
! outside ping -q -c 1 -W 1 192.168.77.2 >/dev/null || die "who is outside comes in"
! outside ping -q -c 1 -W 1 "$address" >/dev/null || die "it answers outside"
ok "its rules hold for what goes through it and for itself"

sed -i 's/iif "lan" accept/iif "lan" acept/' rules.fw
expect 1 'rules.fw:7: .*acept' fleetctl push edge-fw --to edge
sed -i 's/iif "lan" acept/iif "lan" counter accept/' rules.fw
expect 0 '  flows +open .*' fleetctl push edge-fw --to edge
lab_wait 20 fetches || die "nothing comes from outside after an update"
[[ $(leases) == "$mac $address" ]] || die "another lease: $(leases)"
ok "an update keeps the lease"
sed -i 's/path: .healthz/path: \/nothing/' manifest.yml
expect 3 'reverted' fleetctl push edge-fw --to edge
lab_wait 20 fetches || die "nothing comes from outside after the revert"
ok "a release that is taken back leaves the way open"
echo "$passed passed, 0 failed"
