#!/usr/bin/env bash
# The DNS image alone, in a network namespace: it boots, answers by UDP and TCP, refuses bad zones by
# file and line, and its faults are told. On every platform that needs no KVM: under QEMU (virtio, also
# of ARM64) and fleet-spt. Needs root, the built images, dig and QEMU.
#   dns_guest_test.sh [virtio|spt|hvt|aarch64.virtio]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
images=${FLEET_BUILD:?FLEET_BUILD is the build folder}/images
net=fleet-dns-$$
source "$here/guest.sh"
namespace "$net"
ip -n "$net" tuntap add guest0 mode tap
ip -n "$net" addr add 10.77.0.1/24 dev guest0
ip -n "$net" link set guest0 up

# volume ARGUMENT...: the config volume, with the zone files of $work/zones.
volume() {
  rm -rf "$work/files"
  mkdir "$work/files"
  cp -r "$work/zones" "$work/files/"
  guest_volume "$work/files" hostname=dns net0.mac=52:54:00:12:34:56 net0.address=10.77.0.3/24 \
    net0.gateway=10.77.0.1 -- "$@"
}
boot() { guest_boot "$1/dns" "${memory:-16}" service=guest0=52:54:00:12:34:56; }
ask() { ip netns exec "$net" dig +time=3 +tries=1 @10.77.0.3 "$@"; }
answers() { [[ $(ask +short "$@" 2>/dev/null) == "$want" ]]; }

test_platform() {
  rm -rf "$work/zones"
  mkdir "$work/zones"
  cp "$images/dns/zones/example.test.zone" "$work/zones/"
  cat >"$work/zones/big.test.zone" <<'ZONE'
$TTL 60
@ SOA ns h 1 1 1 1 1
@ NS ns
ns A 192.0.2.1
ZONE
  for ((i = 0; i < 200; i++)); do echo "many A 192.0.2.$i" >>"$work/zones/big.test.zone"; done

  volume
  begun=$(date +%s%N)
  boot dns
  want=192.0.2.80
  for ((i = 0; i < 100; i++)); do
    said 'listening on' && answers www.example.test && break
    sleep 0.01
  done
  answers www.example.test || fail "no answer by UDP"
  ok "first answer $((($(date +%s%N) - begun) / 1000000)) ms after the monitor's start"
  said 'dns: zone example.test: 12 records' || fail "the zone's line is missing"
  said 'dns: listening on 10.77.0.3:53' || fail "the address's line is missing"
  answers +tcp www.example.test || fail "no answer by TCP"
  ok "answers by TCP"
  want=2001:db8::80 answers www.example.test AAAA || fail "no AAAA"
  want=$'www.example.test.\n192.0.2.80' answers ftp.example.test || fail "no CNAME chain"
  want='10 mail.example.test.' answers example.test MX || fail "no MX"
  ask nope.example.test | grep -q 'status: NXDOMAIN' || fail "no NXDOMAIN"
  ask www.other.test | grep -q 'status: REFUSED' || fail "no REFUSED"
  ok "answers of every kind"
  ask +noedns +ignore many.big.test | grep -q 'flags: qr aa tc' || fail "not truncated"
  count=$(ask +noedns +short many.big.test | wc -l)
  ((count == 200)) || fail "$count of 200 records over TCP after truncation"
  ok "truncates, then gives all by TCP"
  ask +tcp +keepopen www.example.test www.example.test ftp.example.test >/dev/null ||
    fail "several questions on one connection"
  for ((i = 0; i < 40; i++)); do ask +short +tcp www.example.test >/dev/null || fail "connection $i"; done
  ok "40 connections one after the other, and several questions on one"
  # 50 questions in one piece, more than one buffer holds; each answer is 52 bytes with its length.
  question='\x00\x22\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00'
  question+='\x03www\x07example\x04test\x00\x00\x01\x00\x01'
  pipeline() {
    exec 3<>/dev/tcp/10.77.0.3/53
    for ((i = 0; i < 50; i++)); do printf "$1"; done >"$2"
    cat "$2" >&3
    timeout 5 head -c 2600 <&3 | wc -c
  }
  count=$(ip netns exec "$net" bash -c "$(declare -f pipeline); pipeline '$question' '$work/pipe'")
  ((count == 2600)) || fail "$count of 2600 bytes for 50 questions in one piece"
  ok "50 questions in one piece"
  # Sixteen are all that there are.
  ip netns exec "$net" bash -c 'for i in {1..16}; do exec {fd}<>/dev/tcp/10.77.0.3/53; done
    for i in {1..5}; do dig +short +tcp +time=3 +tries=1 @10.77.0.3 www.example.test; done' \
    >"$work/crowd" || true
  (($(grep -cx "$want" "$work/crowd") == 5)) || fail "idle connections keep others out"
  ok "answers beside as many idle connections as there may be"
  ip netns exec "$net" ping -q -c 3 -i 0.2 -W 1 10.77.0.3 >/dev/null || fail "no echo"
  ok "answers ping"
  before=$(awk '{ print $14 + $15 }' "/proc/$monitor/stat")
  sleep 2
  used=$(($(awk '{ print $14 + $15 }' "/proc/$monitor/stat") - before))
  ((used <= 20)) || fail "idle, it used $used of 200 ticks"
  ok "idle for 2 s, it used $used ticks of CPU"
  stop

  volume --port=5353 --rrl=5
  boot dns
  until_said 'dns: listening on 10.77.0.3:5353'
  ask +short www.example.test >/dev/null 2>&1 && fail "port 53 answers"
  for ((i = 0; i < 30; i++)); do ask -p 5353 +ignore +time=1 www.example.test >>"$work/limited" 2>&1 & asked[i]=$!; done
  for pid in "${asked[@]}"; do wait "$pid" || true; done
  grep -q 'flags: qr tc' "$work/limited" || fail "the rate limit told nobody to use TCP"
  lost=$(grep -c 'no servers could be reached\|timed out' "$work/limited" || true)
  ((lost > 0)) || fail "the rate limit dropped nothing"
  want=192.0.2.80 answers -p 5353 +tcp www.example.test || fail "TCP is limited too"
  ok "another port, and a rate limit that TCP escapes"
  stop

  if [[ $platform != *virtio ]]; then
    rm "$work/zones/big.test.zone"
    volume
    memory=3 boot dns
    until_said 'dns: listening on 10.77.0.3:53'
    answers www.example.test || fail "no answer in 3 MiB"
    ok "serves in 3 MiB"
    stop
  fi
  : >"$work/zones/big.test.zone"
  volume
  boot dns
  ended 1
  said 'dns: /zones/big.test.zone: the zone is empty' || fail "the empty zone is not told"
  ok "an empty zone ends it with status 1"
  printf '$TTL 1\n@ SOA a b 1 1 1 1 1\nx A 1.2.3\n' >"$work/zones/big.test.zone"
  volume
  boot dns
  ended 1
  said 'dns: /zones/big.test.zone:3: not an IPv4 address: 1.2.3' || fail "the bad line is not told"
  ok "a bad zone ends it with status 1, by file and line"
  rm "$work/zones/big.test.zone"
  volume --prot=53
  boot dns
  ended 1
  said 'dns: --prot=53: no such option' || fail "the bad argument is not told"
  ok "a bad argument ends it with status 1"
  head -c 512 "$work/volume.tar" >"$work/cut" && mv "$work/cut" "$work/volume.tar"
  boot dns
  ended 1
  said 'runtime: config volume, byte 0:' || fail "the cut volume is not told"
  ok "a volume cut short ends it with status 1"

  volume
  boot dns-crash
  ended fault
  said 'dns: listening on 10.77.0.3:53' || fail "it did not start before it crashed"
  # An spt guest's faults are the host's: its signal says so.
  [[ $platform == spt ]] || said 'panic: page fault writing 0x0 (null pointer)' ||
    fail "the fault is not told"
  ok "a fault is told with its registers and ends it as aborted"
}

(($# > 0)) || set -- virtio spt aarch64.virtio
for platform in "$@"; do test_platform; done
echo "$passed passed, 0 failed"
