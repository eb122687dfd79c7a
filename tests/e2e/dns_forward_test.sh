#!/usr/bin/env bash
# The DNS image forwards what no zone of its own answers: to servers that are slow, silent, forged or
# broken, by UDP and TCP, for its own networks only; and tells it on its metrics page.
# dns_forward_test.sh [spt|hvt]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${FLEET_BUILD:?FLEET_BUILD is the build folder}
platform=${1:-spt}
net=fleet-dnsfwd-$$
work=$(mktemp -d)
passed=0

cleanup() {
  for pid in $(ip netns pids "$net" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  wait
  ip netns del "$net" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "FAILED: $*" >&2
  cat "$work"/console "$work"/*.log >&2 || true
  exit 1
}
ok() { echo "ok: $*"; passed=$((passed + 1)); }
inside() { ip netns exec "$net" "$@"; }
ask() { inside dig +time=6 +tries=1 @10.77.0.2 "$@"; }
short() { ask +short "$@" 2>/dev/null; }

. "$here/guests/config_volume.sh"
ip netns add "$net"
ip -n "$net" link set lo up
ip -n "$net" tuntap add guest0 mode tap
ip -n "$net" addr add 10.77.0.1/24 dev guest0
ip -n "$net" addr add 198.51.100.1/32 dev guest0
ip -n "$net" link set guest0 up
: >"$work/seen"
for number in 1 2; do
  inside "$here/dns/upstream.py" 10.77.0.1 "530$number" "$number" "$work/seen" >"$work/up$number.log" 2>&1 &
done
mkdir "$work/files"
cp "$build/images/dns/zones/example.test.zone" "$work/files/"
printf '# Two servers.\nforward 10.77.0.1:5301\nforward 10.77.0.1:5302   # the second\n' \
  >"$work/files/dns.conf"
boot() {  # boot ARGUMENT...
  config_volume "$work/volume.tar" 10.77.0.2 52:54:00:12:34:56 "$work/files" "$@"
  ip netns exec "$net" "$build/bin/fleet-$platform" --mem=16 --net:service=guest0 \
    --net-mac:service=52:54:00:12:34:56 --block:config="$work/volume.tar" \
    "$build/images/dns/dns.x86_64.$platform" >"$work/console" 2>&1 &
  guest=$!
  for ((i = 0; i < 50; i++)); do
    [[ $(inside dig +short +time=1 +tries=1 @10.77.0.2 www.example.test) != 192.0.2.80 ]] || return 0
  done
  fail "it does not answer"
}
until_ready() {
  for ((i = 0; i < 100; i++)); do
    [[ $(grep -c ready "$work/seen") != 2 ]] || return 0
    sleep 0.1
  done
  fail "the servers to forward to do not run"
}
seen() { grep -c "$1" "$work/seen" || true; }
page() { inside curl -sS --max-time 5 "http://10.77.0.2:9153$1"; }
metric() { page /metrics | awk -v name="$1 " 'index($0, name) == 1 { print substr($0, length(name) + 1) }'; }

until_ready
boot --metrics=9153 --nsid=edge-1
[[ $(short plain.up.test) == 198.51.0.0 ]] || fail "not forwarded"
ask plain.up.test | grep -q 'flags: qr rd ra;' || fail "flags of a forwarded answer"
ask www.example.test | grep -q 'flags: qr aa rd ra;' || fail "flags of an own answer"
ask +norecurse plain.up.test | grep -q 'status: REFUSED' || fail "forwarded without being asked to"
ok "forwards by UDP, on the asker's wish"
ask PLAIN.up.TEST | grep -q '^PLAIN.up.TEST.' || fail "the asker's spelling is lost"
ask +bufsize=4096 plain-edns.up.test >/dev/null
grep -q ' 1232 plain-edns' "$work/seen" || fail "the EDNS size that is passed on"
ok "keeps the spelling, passes EDNS with a size that needs no fragments"
told=$(short forged.up.test)
[[ $told == 198.51.0.0 ]] || fail "a forged answer was taken: $told"
(($(metric 'dns_forwards_total{state="forged"}') >= 2)) || fail "forged answers are not counted"
ok "takes no answer with another id, question or port"
[[ $(short mute1.up.test) == 198.51.0.0 ]] || fail "the second server was not asked"
[[ $(short fails1.up.test) == 198.51.0.0 ]] || fail "no other server was asked after a SERVFAIL"
ask fails.up.test | grep -q 'status: SERVFAIL' || fail "SERVFAIL is not passed on"
ask lost.up.test | grep -q 'status: SERVFAIL' || fail "silence is not told as SERVFAIL"
(($(seen lost.up.test) == 3)) || fail "a question was tried $(seen lost.up.test) times, not 3"
ok "asks the other server after silence and failure, and says when all failed"
ask +ignore big.up.test | grep -q 'flags: qr tc rd ra' || fail "TC is not passed on"
(($(short big.up.test | wc -l) == 1500)) || fail "not 1500 addresses by TCP"
[[ $(short +tcp plain.up.test) == 198.51.0.0 ]] || fail "not forwarded by TCP"
[[ $(short +tcp mute1.up.test) == 198.51.0.0 ]] || fail "the second server was not asked by TCP"
ask +tcp cut.up.test | grep -q 'status: SERVFAIL' || fail "an answer cut short by TCP"
inside dig +tcp +keepopen +short @10.77.0.2 www.example.test plain.up.test www.example.test \
  big.up.test plain.up.test >"$work/mixed"
(($(wc -l <"$work/mixed") == 1504)) || fail "own and forwarded questions on one connection"
ok "forwards by TCP what came by TCP, of any size, among its own answers"
pipelined() { inside "$here/dns/pipelined.py" 10.77.0.2 "$@" >"$work/pipelined" || fail "pipelined: $*"; }
pipelined slow.up.test plain.up.test big.up.test www.example.test plain-2.up.test
order=$(awk '{ print $2, $3, $4 }' "$work/pipelined")
[[ $order == 'www.example.test. NOERROR 1'* && $order == *'slow.up.test. NOERROR 1' ]] &&
  grep -q ' big.up.test. NOERROR 1500$' "$work/pipelined" || fail "a slow answer holds up others: $order"
ok "pipelined questions are answered as the answers come"
pipelined slow-{1..9}.up.test www.example.test
! grep -qv NOERROR "$work/pipelined" || fail "more than may be on their way: $(cat "$work/pipelined")"
# The ninth is asked, and what stands behind it answered, when the first four and then a fifth are through.
awk '$2 == "www.example.test." && $1 >= 1900 { late = 1 } END { exit !late }' "$work/pipelined" ||
  fail "more than four at once: $(cat "$work/pipelined")"
ok "forwards four of one connection at once, and reads on when one is answered"
: >"$work/seen"
for ((i = 0; i < 200; i++)); do echo "plain-$i.up.test A"; done >"$work/questions"
inside dnsperf -s 10.77.0.2 -d "$work/questions" -n 1 -c 4 -q 100 >"$work/perf" 2>&1
grep -q 'Queries completed: *200 ' "$work/perf" || fail "$(cat "$work/perf")"
ports=$(awk '{print $3}' "$work/seen" | sort -u | wc -l)
ids=$(awk '{print $4}' "$work/seen" | sort -u | wc -l)
((ports >= 190 && ids >= 190)) || fail "$ports ports and $ids ids for 200 questions"
# Different is not enough, they must be all over the place: not one after the other.
for column in 3 4; do
  spread=$(awk -v c=$column 'NR > 1 && ($c > last ? $c - last : last - $c) > 1000 { far++ }
    { last = $c } END { print int(100 * far / NR) }' "$work/seen")
  ((spread >= 80)) || fail "column $column of the questions seen: $spread % are far from the one before"
done
ok "$ports source ports and $ids ids for 200 questions and their retries"
for ((i = 0; i < 200; i++)); do echo "lost-$i.up.test A"; done >"$work/questions"
inside dnsperf -s 10.77.0.2 -d "$work/questions" -n 1 -c 4 -q 200 -t 8 >"$work/perf" 2>&1
grep -q 'SERVFAIL 200 ' "$work/perf" || fail "$(cat "$work/perf")"
(($(metric 'dns_forwards_total{state="full"}') > 0)) || fail "the table was never full"
[[ $(short plain.up.test) == 198.51.0.0 ]] || fail "nothing is forwarded after a flood"
ok "200 lost questions at once fill the table, are told SERVFAIL, and leave it empty"
ask -b 198.51.100.1 plain.up.test | grep -q 'status: REFUSED' || fail "an open resolver"
ask -b 198.51.100.1 www.example.test | grep -q 'flags: qr aa rd;' || fail "RA for a stranger"
ask -b 198.51.100.1 +tcp plain.up.test | grep -q 'status: REFUSED' || fail "an open resolver by TCP"
ok "forwards for private networks only"
[[ $(page /healthz) == ok ]] || fail "no health page"
for name in 'dns_queries_total{transport="udp"}' 'dns_queries_total{transport="tcp"}' \
  'dns_answers_by_type_total{type="A"}' 'dns_answers_total{rcode="NOERROR"}' \
  'dns_answers_total{rcode="SERVFAIL"}' 'dns_answers_total{rcode="REFUSED"}' \
  'dns_forwards_total{state="answered"}' 'dns_zones'; do
  (($(metric "$name") > 0)) || fail "$name is not told"
done
for request in 'GET /nothing HTTP/1.1 404' 'POST /metrics HTTP/1.1 405' 'GET /metrics HTTP/2.7 400'; do
  status=${request##* }
  told=$(inside bash -c "exec 3<>/dev/tcp/10.77.0.2/9153; printf '%s\r\n\r\n' '${request% *}' >&3; head -1 <&3")
  [[ $told == "HTTP/1.1 $status "* ]] || fail "$request: $told"
done
ip netns exec "$net" bash -c 'for i in 1 2 3 4; do exec {fd}<>/dev/tcp/10.77.0.2/9153; done
  : >"$0"; sleep 60' "$work/open" &
idle=$!
for ((i = 0; i < 40; i++)); do
  [[ ! -e $work/open || $(page /healthz 2>/dev/null) != ok ]] || break
  sleep 0.5
done
[[ $(page /healthz) == ok ]] || fail "idle connections keep the page for themselves"
kill "$idle"
ok "tells its counters and its health by HTTP"
ask +nsid www.example.test | grep -q 'NSID:.*("edge-1")' || fail "it does not say who it is"
ask +nsid +tcp nothing.example.test | grep -q 'NSID:.*("edge-1")' || fail "nor by TCP"
! ask www.example.test | grep -q NSID || fail "it says who it is without being asked"
ok "says who it is"
kill "$guest"
wait "$guest" 2>/dev/null || true

boot --forward-for=198.51.100.0/24
[[ $(short -b 198.51.100.1 plain.up.test) == 198.51.0.0 ]] || fail "not for the network that is told"
ask -b 10.77.0.1 plain.up.test | grep -q 'status: REFUSED' || fail "for another than is told"
ok "forwards for the networks that it is told"
kill "$guest"
wait "$guest" 2>/dev/null || true

refuses() {  # refuses WHAT LINE
  printf '%s\n' "$2" >"$work/files/dns.conf"
  config_volume "$work/volume.tar" 10.77.0.2,2001:db8:77::2 52:54:00:12:34:56 "$work/files"
  status=0
  inside timeout 20 "$build/bin/fleet-$platform" --mem=16 --net:service=guest0 \
    --net-mac:service=52:54:00:12:34:56 --block:config="$work/volume.tar" \
    "$build/images/dns/dns.x86_64.$platform" >"$work/console" 2>&1 || status=$?
  ((status == 1)) && grep -qF "$1" "$work/console" || fail "$2: status $status"
}
refuses '/dns.conf:1: not ADDRESS' 'forward host.example'
refuses 'dns: a server to forward to is this one' 'forward 10.77.0.2'
refuses 'dns: a server to forward to is this one' 'forward 2001:db8:77::2'
refuses '/dns.conf:1: no such option' 'forwards 10.77.0.1'
ok "a bad /dns.conf ends it with status 1, by file and line"
echo "$passed passed, 0 failed"
