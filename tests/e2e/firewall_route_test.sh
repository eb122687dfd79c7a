#!/usr/bin/env bash
# The firewall image as a router, with the home rules of its README, word for word: masquerade, a port
# forward, names by a real server; ping, TTL, MTU, fragments, TCP, a scan, DHCP, static routes. Under
# fleet-spt, and under QEMU (virtio). Needs root, the built images, iperf3, nmap, nsd, dig, busybox,
# socat, python3, ping and QEMU. firewall_route_test.sh [PLATFORM]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${FLEET_BUILD:?FLEET_BUILD is the build folder}"
net=fleet-route-$$
source "$here/firewall/net.sh"

# Inside a client, 192.168.1.10, and the server, .20; outside the provider's router, 203.0.113.1, and
# behind it the world, 198.51.100.7.
make_wires
add() { ip -n "$net-$1" addr add "$2" dev "${3:-eth0}"; }
add in 192.168.1.10/24
add in 192.168.1.20/24
add in 2001:db8:1::10/64
add in 2001:db8:1::20/64
ip -n "$net-in" route add default via 192.168.1.1
ip -n "$net-in" route add default via 2001:db8:1::1
ip -n "$net-in" addr add 172.16.9.9/32 dev lo
add out 203.0.113.1/24
add out 203.0.113.53/24
add out 2001:db8:2::1/64
add out 198.51.100.7/32 lo
add out 2001:db8:99::7/128 lo
ip -n "$net-out" route add 2001:db8:1::/64 via 2001:db8:2::40

# The README's example.
sed -n '/^define home = /,/^```/p' "$here/../../images/firewall/README.md" | grep -v '^```' >"$work/home"
grep -q masquerade "$work/home" || { echo "error: the README has no home rules" >&2; exit 1; }
wan_fixed="address=203.0.113.40/24 gateway=203.0.113.1 address6=2001:db8:2::40/64 gateway6=2001:db8:2::1"
lan_fixed="address=192.168.1.1/24 address6=2001:db8:1::1/64"
home() { addressed_volume "$wan_fixed" "$lan_fixed" "$work/home" --flows=4096 --metrics=9100 "$@"; }

# serve NAMESPACE COMMAND...: until the test's end.
serve() {
  local where=$1
  shift
  ip netns exec "$where" "$@" >/dev/null 2>&1 &
  started+=($!)
}
listens() { ip netns exec "$1" bash -c "[[ -n \$(ss -Hltn sport = :$2) ]]"; }

test_refusals() {
  refused() {
    boot
    ended 1
    said "$1" || fail "it did not say: $1"
  }
  addressed_volume "$wan_fixed" "" "$work/home"
  refused 'firewall: it bridges two interfaces with `address: none`, or routes between two or more'
  addressed_volume "" "" "$work/home"
  refused 'firewall: /rules:3: a bridge translates no addresses: that needs interfaces with some: prerouting'
  home --route=172.16.0.0/12,10.9.9.9
  refused 'firewall: --route: the gateway of route 1 is on no interface'
  ok "refuses translation on a bridge, half a router and routes to nowhere"
}

test_ways() {
  until_said 'firewall: forwarding between wan and lan as a router: 6 rules, room for 4096 flows'
  until_ok inside ping -q -c 1 -W 1 198.51.100.7
  inside ping -q -c 20 -i 0.01 -W 1 198.51.100.7 | grep -q ' 0% packet loss' || fail "lost a ping"
  until_ok inside ping -q -c 1 -W 1 2001:db8:99::7
  until_ok inside ping -q -c 1 -W 1 192.168.1.1
  until_ok inside ping -q -c 1 -W 1 2001:db8:1::1
  ! outside ping -q -c 1 -W 1 203.0.113.40 >/dev/null || fail "it answers the outside"
  ! outside ping -q -c 1 -W 1 2001:db8:1::10 >/dev/null || fail "a ping came in"
  ok "pings go out by both families, none comes in, and the router answers inside alone"
  [[ $(inside ping -n -c 1 -W 1 -t 1 198.51.100.7) == *"From 192.168.1.1 icmp_seq=1 Time to live"* ]] ||
    fail "it does not tell of the last hop"
  [[ $(inside ping -n -c 1 -W 1 -t 1 2001:db8:99::7) == *"From 2001:db8:1::1 icmp_seq=1 Time exceeded"* ]] ||
    fail "it does not tell of IPv6's last hop"
  [[ $(inside busybox traceroute -n -q 1 -w 1 198.51.100.7 2>/dev/null | awk '{print $2}' | xargs) == \
    *"192.168.1.1 198.51.100.7" ]] || fail "traceroute does not see one hop"
  ok "traceroute sees it as a hop"
  for size in 1473 4000 20000; do
    inside ping -q -c 2 -i 0.05 -W 2 -s $size 198.51.100.7 >/dev/null || fail "no echo of $size bytes"
    inside ping -q -c 2 -i 0.05 -W 2 -s $size 2001:db8:99::7 >/dev/null || fail "none of $size by IPv6"
  done
  ok "fragments of up to 20000 bytes, masqueraded and by IPv6"
}

test_silence() {
  local said
  said=$(inside ping -n -c 1 -W 5 203.0.113.99 || true)
  [[ $said == *"From 192.168.1.1 icmp_seq=1 Destination Host Unreachable"* ]] ||
    fail "it does not tell of a silent next hop: $said"
  ! inside ping -q -c 1 -W 1 -I 172.16.9.9 198.51.100.7 >/dev/null || fail "a sender from nowhere passed"
  ok "tells of a silent next hop, and forwards no sender that lives elsewhere"
}

test_masquerade() {
  serve "$net-out" socat TCP-LISTEN:7100,fork,reuseaddr 'SYSTEM:echo $SOCAT_PEERADDR'
  until_ok listens "$net-out" 7100
  [[ $(inside socat -T 3 - TCP:198.51.100.7:7100 </dev/null) == 203.0.113.40 ]] || fail "not masqueraded"
  serve "$net-out" socat TCP6-LISTEN:7106,fork,reuseaddr,ipv6only 'SYSTEM:echo $SOCAT_PEERADDR'
  until_ok listens "$net-out" 7106
  [[ $(inside socat -T 3 - 'TCP6:[2001:db8:99::7]:7106' </dev/null) == *2001:0db8:0001:* ]] ||
    fail "IPv6 does not pass as it is"
  for size in 1 2; do
    serve "$net-out" iperf3 -s -1 -p 520$size
    until_ok listens "$net-out" 520$size
  done
  inside iperf3 -J -c 198.51.100.7 -p 5201 -t 2 >"$work/iperf" || fail "iperf3: $(tail -3 "$work/iperf")"
  rate=$(jq '.end.sum_received.bits_per_second / 1000000 | floor' "$work/iperf")
  inside iperf3 -J -R -c 198.51.100.7 -p 5202 -t 2 >"$work/iperf" || fail "iperf3 -R"
  back=$(jq '.end.sum_received.bits_per_second / 1000000 | floor' "$work/iperf")
  ((rate > 0 && back > 0)) || fail "nothing went through"
  ok "TCP is masqueraded: $rate Mbit/s out, $back Mbit/s in"
}

test_names() {
  mkdir -p "$work/nsd"
  printf '$ORIGIN example.test.\n$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.80\n' \
    >"$work/nsd/zone"
  cat >"$work/nsd/conf" <<CONF
server:
  ip-address: 203.0.113.53
  username: ""
  zonesdir: "$work/nsd"
  pidfile: ""
  database: ""
  xfrdfile: "$work/nsd/xfrd"
  zonelistfile: "$work/nsd/list"
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: zone
CONF
  serve "$net-out" nsd -d -c "$work/nsd/conf"
  asked() { [[ $(inside dig +short +time=1 +tries=1 "$@" @192.168.1.1 www.example.test) == 192.0.2.80 ]]; }
  until_ok asked
  asked +tcp || fail "no answer by TCP"
  ok "the router's address answers names by UDP and TCP, as the resolver outside"
}

test_forward() {
  mkdir -p "$work/www"
  echo hello >"$work/www/index.html"
  for address in 192.168.1.20 2001:db8:1::20; do
    serve "$net-in" busybox httpd -f -p "[$address]:80" -h "$work/www"
  done
  until_ok outside curl -fs --max-time 1 http://203.0.113.40:8080/
  [[ $(outside curl -s --max-time 3 http://203.0.113.40:8080/) == hello ]] || fail "not forwarded"
  [[ $(outside curl -s --max-time 3 'http://[2001:db8:1::20]/') == hello ]] || fail "not by IPv6"
  outside nmap -n -Pn -sS -p 1-1000,8080 --max-retries 1 --min-rate 3000 -oG - 203.0.113.40 >"$work/scan"
  grep -q 'Ports: 8080/open/tcp' "$work/scan" || fail "the scan saw: $(cat "$work/scan")"
  grep -q 'Ignored State: filtered (1000)' "$work/scan" || fail "more than that: $(cat "$work/scan")"
  [[ $(inside bash -c 'echo | socat -T 2 - TCP:192.168.1.1:22,connect-timeout=2 2>&1') == *refused* ]] ||
    fail "it does not reject inside"
  ok "a port forward; a scan of 1001 ports outside sees it alone; inside others are rejected"
}

# The world's way into this house is narrower than the house: its packets must be cut or refused.
test_narrow() {
  addressed_volume "$wan_fixed mtu=1280" "$lan_fixed" "$work/home" --flows=4096
  boot
  until_ok inside ping -q -c 1 -W 1 198.51.100.7
  inside ping -q -c 2 -i 0.05 -W 2 -M dont -s 1400 198.51.100.7 >/dev/null || fail "it does not cut"
  [[ $(inside ping -n -c 1 -W 1 -M do -s 1400 198.51.100.7) == *"Frag needed and DF set (mtu = 1280)"* ]] ||
    fail "it does not tell its MTU"
  ip -n "$net-in" route flush cache
  [[ $(inside ping -n -c 1 -W 1 -M do -s 1400 2001:db8:99::7) == *"Packet too big: mtu=1280"* ]] ||
    fail "it does not tell its MTU by IPv6"
  inside ping -q -c 2 -i 0.05 -W 2 -s 1400 2001:db8:99::7 >/dev/null || fail "no echo in pieces by IPv6"
  ok "cuts what may be cut, and tells the MTU of what may not"
  stop
  ip -n "$net-in" route flush cache
  ip -n "$net-in" -6 route flush cache
}

test_dhcp() {
  printf '%s\n' "start 203.0.113.60" "end 203.0.113.60" "interface eth0" "lease_file $work/leases" \
    "pidfile $work/pid" "option subnet 255.255.255.0" "option router 203.0.113.1" "option lease 600" \
    >"$work/udhcpd.conf"
  : >"$work/leases"
  serve "$net-out" busybox udhcpd -f "$work/udhcpd.conf"
  addressed_volume address=dhcp "$lan_fixed" "$work/home" --flows=4096 --route=172.16.0.0/12,192.168.1.10
  boot
  until_ok inside ping -q -c 1 -W 1 198.51.100.7
  [[ $(inside socat -T 3 - TCP:198.51.100.7:7100 </dev/null) == 203.0.113.60 ]] ||
    fail "not masqueraded as the address of DHCP"
  ip -n "$net-out" route replace 172.16.0.0/12 via 203.0.113.60
  until_ok inside ping -q -c 1 -W 1 -I 172.16.9.9 198.51.100.7
  inside ping -q -c 1 -W 1 -I 172.16.9.9 192.168.1.1 >/dev/null || fail "its own answer goes elsewhere"
  ok "its outer address by DHCP, and the way out that it tells; another network by --route"
  stop
}

test_noise() {
  outside python3 "$here/firewall/inject.py" eth0 noise 10000
  inside python3 "$here/firewall/inject.py" eth0 noise 10000
  outside python3 "$here/firewall/inject.py" eth0 syn 10000
  kill -0 "$monitor" || fail "noise ended it"
  until_ok inside ping -q -c 3 -i 0.05 -W 1 198.51.100.7
  ip netns exec "$net" curl -fs --max-time 5 http://10.79.0.3:9100/metrics >"$work/metrics" ||
    fail "no /metrics on mgmt"
  promtool check metrics <"$work/metrics" >/dev/null || fail "not Prometheus' format"
  grep -q '^firewall_frames_total{outcome="bogus"} [1-9]' "$work/metrics" || fail "nothing was bogus"
  ok "noise from both sides does it no harm, and is counted"
}

test_platform() {
  test_refusals
  home
  boot
  test_ways
  test_silence
  test_masquerade
  test_names
  test_forward
  test_noise
  stop
  test_narrow
  test_dhcp
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait "${started[@]}" 2>/dev/null || true
  started=()
}

(($# > 0)) || set -- spt virtio
for platform in "$@"; do test_platform; done
echo "$passed passed, 0 failed"
