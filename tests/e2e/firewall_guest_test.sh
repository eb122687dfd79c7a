#!/usr/bin/env bash
# The firewall image alone, between two networks: bad rules are refused by file and line, then real
# TCP, UDP, ping, IPv6, fragments, a port scan, a flood and noise. Under fleet-spt, and under QEMU
# (virtio). Needs root, the built images, iperf3, nmap, busybox, python3, ping and QEMU.
# firewall_guest_test.sh [spt|virtio|hvt|aarch64.virtio]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${FLEET_BUILD:?FLEET_BUILD is the build folder}"
net=fleet-fw-$$
source "$here/firewall/net.sh"
make_networks

# refused TEXT: the guest ends with status 1 and says so.
refused() {
  boot
  ended 1
  said "$1" || fail "it did not say: $1"
}

test_refusals() {
  size=$(stat -c %s "$(guest_image firewall/firewall)")
  ((size <= 500 * 1024)) || fail "the image has $size bytes"
  volume -
  refused "firewall: none of the app's files is /rules"
  sed 's/dport @web/dport @wob/' "$here/firewall/rules.fw" >"$work/bad"
  volume "$work/bad"
  refused 'firewall: /rules:12: no set of that name stands before: @wob'
  volume "$here/firewall/rules.fw" --flows=1048576
  refused 'firewall: too little memory for 1048576 flows: give the app more'
  volume "$here/firewall/rules.fw" --flow=1
  refused 'firewall: --flow=1: no such argument'
  tar -xOf "$work/volume.tar" config | sed '/net1.name/d' >"$work/config"
  tar --format=ustar -cf "$work/volume.tar" -C "$work" config
  refused 'firewall: net1 has no name in the config'
  ok "refuses bad rules, arguments and interfaces by name, and forwards nothing"
}

test_traffic() {
  until_said 'firewall: forwarding between wan and lan as a bridge: 9 rules, room for 4096 flows'
  until_ok inside ping -q -c 1 -W 1 10.5.0.2
  inside ping -q -c 20 -i 0.01 -W 1 10.5.0.2 | grep -q ' 0% packet loss' || fail "lost a ping"
  until_ok inside ping -q -c 1 -W 1 2001:db8:5::2
  ok "pings from inside, IPv4 and IPv6"
  ! outside ping -q -c 1 -W 1 2001:db8:5::1 >/dev/null || fail "an IPv6 ping came in"
  answered=0
  for ((i = 0; i < 12; i++)); do  # each a flow of its own
    ! outside ping -q -c 1 -W 0.1 10.5.0.1 >/dev/null || answered=$((answered + 1))
  done
  ((answered >= 3 && answered < 12)) || fail "$answered of 12 pings from outside"
  ok "pings from outside up to their limit: $answered of 12"
  for size in 1473 4000 20000; do
    inside ping -q -c 2 -i 0.05 -W 2 -s $size 10.5.0.2 >/dev/null || fail "no echo of $size bytes"
    inside ping -q -c 2 -i 0.05 -W 2 -s $size 2001:db8:5::2 >/dev/null || fail "none of $size by IPv6"
  done
  ok "fragments of up to 20000 bytes, IPv4 and IPv6"
}

test_tcp() {
  ip netns exec "$net-out" iperf3 -s -1 -p 5201 >/dev/null 2>&1 & started+=($!)
  until_ok outside bash -c '[[ -n $(ss -Hltn sport = :5201) ]]'
  inside iperf3 -J -c 10.5.0.2 -p 5201 -t 2 >"$work/iperf" || fail "iperf3: $(tail -3 "$work/iperf")"
  rate=$(jq '.end.sum_received.bits_per_second / 1000000 | floor' "$work/iperf")
  ((rate > 0)) || fail "nothing went through"
  ip netns exec "$net-out" iperf3 -s -1 -p 5202 >/dev/null 2>&1 & started+=($!)
  until_ok outside bash -c '[[ -n $(ss -Hltn sport = :5202) ]]'
  inside iperf3 -J -R -6 -c 2001:db8:5::2 -p 5202 -t 2 >"$work/iperf" || fail "iperf3 -R -6"
  back=$(jq '.end.sum_received.bits_per_second / 1000000 | floor' "$work/iperf")
  ((back > 0)) || fail "nothing came back"
  ok "TCP from inside: $rate Mbit/s out, $back Mbit/s in by IPv6"
}

test_scan() {
  mkdir -p "$work/www"
  echo hello >"$work/www/index.html"
  for port in 22 80 8080; do
    ip netns exec "$net-in" busybox httpd -f -p "10.5.0.1:$port" -h "$work/www" & started+=($!)
    until_ok inside bash -c "[[ -n \$(ss -Hltn sport = :$port) ]]"
  done
  [[ $(outside curl -s --max-time 3 http://10.5.0.1/) == hello ]] || fail "port 80 is not reached"
  ! outside curl -s --max-time 1 http://10.5.0.1:8080/ >/dev/null || fail "port 8080 is reached"
  outside nmap -n -Pn -sS -p 1-1000,8080 --max-retries 1 --min-rate 3000 -oG - 10.5.0.1 >"$work/scan"
  grep -q 'Ports: 80/open/tcp//http///, 443/closed/tcp//https///' "$work/scan" ||
    fail "the scan saw: $(cat "$work/scan")"
  grep -q 'Ignored State: filtered (999)' "$work/scan" || fail "not all others filtered"
  for kind in -sA -sN -sF -sX; do
    outside nmap -n -Pn $kind -p 22,80,443 --max-retries 1 -oG - 10.5.0.1 >"$work/scan"
    ! grep -qE '(open|closed|unfiltered)/tcp' "$work/scan" || fail "$kind saw: $(cat "$work/scan")"
  done
  ok "a scan of 1001 ports sees 80 and 443 alone; ACK, null, FIN and Xmas scans see none"
  said 'firewall: log: scan in=wan out=lan tcp 10.5.0.2:' || fail "the scan is not in the log"
  until_ok log_is_limited
  ok "logs it, at most ten lines a second"
}

# What was left out is told with the next line, in another second.
log_is_limited() {
  outside curl -s --max-time 0.2 http://10.5.0.1:8080/ >/dev/null || true
  said ' more lines were left out'
}

# A connection that stays, while others try to push it out of a table of 4096 flows.
test_flood() {
  ip netns exec "$net-out" socat -u TCP-LISTEN:7000 "CREATE:$work/received" & started+=($!)
  until_ok outside bash -c '[[ -n $(ss -Hltn sport = :7000) ]]'
  mkfifo "$work/fifo"
  ip netns exec "$net-in" socat -u "PIPE:$work/fifo" TCP:10.5.0.2:7000 & started+=($!)
  exec 5>"$work/fifo"
  echo before >&5
  until_ok grep -q before "$work/received"
  outside python3 "$here/firewall/inject.py" eth0 syn 20000 ||
    fail "the flood could not be sent"
  echo after >&5
  until_ok grep -q after "$work/received"
  ok "20000 SYNs from everywhere do not touch a connection that stands"
}

# What an update does to the connection of test_flood: another guest, which has never seen it.
test_adoption() {
  stop
  volume "$here/firewall/rules.fw" --flows=4096
  boot
  until_said 'firewall: forwarding'
  echo unknown >&5
  inside ping -q -c 10 -i 0.05 -W 1 10.5.0.2 >/dev/null || fail "the second guest does not forward"
  ! grep -q unknown "$work/received" || fail "it lets a connection through that it never saw"
  stop
  volume "$here/firewall/rules.fw" --flows=4096 --adopt=600 --metrics=9100
  boot
  until_ok grep -q unknown "$work/received"
  exec 5>&-
  ok "a connection lives on in a new guest with --adopt, and in one without it does not"
}

test_noise() {
  outside python3 "$here/firewall/inject.py" eth0 noise 20000
  inside python3 "$here/firewall/inject.py" eth0 noise 20000
  kill -0 "$monitor" || fail "noise ended it"
  inside ping -q -c 3 -i 0.05 -W 1 10.5.0.2 >/dev/null || fail "it does not forward after noise"
  ok "40000 frames of noise do it no harm"
}

test_management() {
  ip netns exec "$net" ping -q -c 2 -i 0.05 -W 1 10.79.0.3 >/dev/null || fail "mgmt does not answer"
  [[ $(ip netns exec "$net" curl -fs --max-time 5 http://10.79.0.3:9100/healthz) == ok ]] ||
    fail "no /healthz on mgmt"
  ip netns exec "$net" curl -fs --max-time 5 http://10.79.0.3:9100/metrics >"$work/metrics" ||
    fail "no /metrics on mgmt"
  promtool check metrics <"$work/metrics" >/dev/null || fail "not Prometheus' format"
  grep -q '^firewall_' "$work/metrics" || fail "no figures"
  ip -n "$net" addr add 10.79.0.2/24 dev mgmt
  ! ip netns exec "$net" ping -q -c 1 -W 1 -I 10.79.0.2 10.79.0.3 >/dev/null ||
    fail "mgmt answers whom chain input does not name"
  ip -n "$net" addr del 10.79.0.2/24 dev mgmt
  ip -n "$net-out" route replace 10.79.0.0/24 dev eth0
  ! outside ping -q -c 1 -W 1 10.79.0.3 >/dev/null || fail "mgmt answers to the outside"
  ok "answers on mgmt, with its figures, there alone, and whom chain input names"
}

test_platform() {
  test_refusals
  volume "$here/firewall/rules.fw" --flows=4096
  boot
  test_traffic
  test_tcp
  test_scan
  test_flood
  test_adoption
  test_noise
  test_management
  stop
  ! inside ping -q -c 1 -W 1 10.5.0.2 >/dev/null || fail "something forwards without it"
  ok "without it nothing goes through"
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait "${started[@]}" 2>/dev/null || true
  started=()
  rm -rf "$work/fifo" "$work/received"
}

(($# > 0)) || set -- spt virtio
for platform in "$@"; do test_platform; done
echo "$passed passed, 0 failed"
