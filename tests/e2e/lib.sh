# For the e2e tests: a lab with real programs, TLS and guests, and a few ways to expect things.
# A test sources this after setting LAB and LAB_PORT of its own, so that it can run beside others.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${FLEET_BUILD:-$root/build/release}
LAB_BIN=$build/bin
images=$build/images
. "$root/deploy/lab.sh"
passed=0
ok() { passed=$((passed + 1)); echo "ok $passed - $*"; }
die() {
  echo "not ok - $*" >&2
  for log in "$LAB_DIR"/controller.log "$LAB_DIR"/edge-*/agent.log "$LAB_DIR"/edge-*/launcher.log; do
    [[ -s $log ]] && { echo "--- $log" >&2; tail -n 15 "$log" >&2; }
  done
  exit 1
}
trap 'status=$?; trap - EXIT; lab_down; exit $status' EXIT
trap 'exit 130' INT TERM

# expect STATUS TEXT COMMAND...: it ends with that status and says TEXT (a pattern of grep -E).
expect() {
  local want=$1 text=$2 got=0 said; shift 2
  said=$("$@" 2>&1) || got=$?
  [[ $got == "$want" ]] || die "$* ended with $got, expected $want: $said"
  grep -qE -- "$text" <<<"$said" || die "$* did not say '$text': $said"
  [[ -z ${SHOW:-} ]] || echo "$said"
  ok "$* -> $want, $text"
}
# live DEVICE RELEASE: the controller knows that release of dns as live there.
live() { [[ $(fleetctl ps --json | jq -r --arg d "$1" '[.. | objects | select(.app? == "dns" and (.device? == $d or .name? == $d)) | .live_release // .release] | first') == "$2" ]]; }
# all_live RELEASE N: on edge-1 to edge-N.
all_live() { local n; for ((n = 1; n <= $2; n++)); do live "edge-$n" "$1" || return 1; done; }
answers() { lab_client dig +short +time=3 +tries=1 "@192.0.2.$((10 + $1))" www.example.test | grep -qx 192.0.2.80; }
# ask_on N: a client asks device N over and over, from another source port each time; until
# none_lost N, which wants every question answered.
ask_on() {
  while :; do if answers "$1"; then echo ok; else echo lost; fi; sleep 0.05; done >"$LAB_DIR/asked-$1" 2>/dev/null &
  LAB_PIDS[asker-$1]=$!
}
asked() { (($(wc -l <"$LAB_DIR/asked-$1") > 50)); }
none_lost() {
  local ok lost
  lab_wait 30 asked "$1" || die "edge-$1: too few questions were asked"
  lab_stop "asker-$1"
  ok=$(grep -c ^ok "$LAB_DIR/asked-$1" || true) lost=$(grep -c ^lost "$LAB_DIR/asked-$1" || true)
  ((ok > 50 && lost == 0)) || die "edge-$1: $ok questions answered, $lost lost"
  ok "edge-$1 answered all of $ok questions meanwhile, each from a port of its own"
}
# change NAME: one more name in the zone, so that the next push is another release.
change() { printf '%s A 192.0.2.90\n' "$1" >>zones/example.test.zone; }
# rollout LINE...: what the manifest in this folder says of rollouts; without a line, nothing.
rollout() {
  sed -i '/^  rollout:/,$d' manifest.yml
  printf '  rollout:\n' >>manifest.yml
  (($# == 0)) || printf '    %s\n' "$@" >>manifest.yml
  (($# > 0)) || sed -i '/^  rollout:/d' manifest.yml
}
newest_rollout() { fleetctl rollouts --json | jq -r '.rollouts[0].id'; }
newest_release() { fleetctl releases dns --json | jq -r '[.releases[].number | tonumber] | max'; }
# reported DEVICE STATE CODE TEXT: what the newest rollout says of that device (CODE and TEXT: patterns).
reported() {
  local said
  said=$(fleetctl rollout show "$(newest_rollout)" --json |
    jq -r --arg d "$1" '.devices[] | select(.device == $d) | "\(.state) \(.why.code // "") \(.why.text // "") \(.detail // "")"')
  grep -qE -- "^$2 $3 .*$4" <<<"$said" || die "$1 reports '$said', expected $2 $3 $4"
  ok "$1 reports $2: $4"
}

# cut_wire: new connections of edge-1 to the controller are cut after 150000 bytes each. trickle_wire:
# each has 60000 bytes at once, and 20 a second after them. heal_wire ends either.
cut_wire() { relay_wire 9444 TCP:192.0.2.1:8444,readbytes=150000; }
trickle_wire() {
  cat >"$LAB_DIR/trickle" <<'RELAY'
import sys, time
free = 60000
while data := sys.stdin.buffer.read1(max(free, 2)):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    free -= len(data)
    if free <= 0: time.sleep(0.1)
RELAY
  relay_wire 9445 "SYSTEM:socat - TCP\:192.0.2.1\:8444 | python3 $LAB_DIR/trickle"
}
relay_wire() {  # relay_wire PORT ADDRESS: as socat spells it
  lab_client socat "TCP-LISTEN:$1,bind=192.0.2.1,reuseaddr,fork" "$2" 2>/dev/null &
  LAB_PIDS[relay-$1]=$!
  ip netns exec "$LAB-edge-1" nft -f - <<NFT
table ip cut {
  chain out { type nat hook output priority -100; ip daddr 192.0.2.1 tcp dport 8444 dnat to 192.0.2.1:$1; }
}
NFT
}
heal_wire() { ip netns exec "$LAB-edge-1" nft delete table ip cut; }
# plant_broker: a mosquitto in the lab's own network, and what comes for plant/# in $LAB_DIR/got.
plant_broker() {
  ip netns exec "$LAB_NET" mosquitto -p 1883 -c /dev/stdin >"$LAB_DIR/broker.log" 2>&1 <<CONF &
listener 1883 192.0.2.1
allow_anonymous true
CONF
  LAB_PIDS[broker]=$!
  lab_wait 10 lab_client bash -c 'exec 3<>/dev/tcp/192.0.2.1/1883' || die "mosquitto does not listen"
  lab_client mosquitto_sub -h 192.0.2.1 -v -t 'plant/#' >"$LAB_DIR/got" &
  LAB_PIDS[watcher]=$!
}
# network_behind BRIDGE: a network of its own behind a bridge of edge-1, in namespace $LAB-BRIDGE with
# eth0 on it.
network_behind() {
  local net=$LAB-$1 space=$LAB-edge-1
  ip netns add "$net"
  ip -n "$space" link add "$1" type bridge mcast_snooping 0
  ip -n "$space" link set "$1" up
  ip -n "$net" link add eth0 type veth peer name "p-$1" netns "$space"
  ip -n "$space" link set "p-$1" master "$1" up
  ip -n "$net" link set lo up
  ip -n "$net" link set eth0 up
}
# serve_dhcp BRIDGE NET: leases NET.40 to NET.60 there with NET.1 as router; leases: who has which.
serve_dhcp() {
  dhcp_net=$LAB-$1 dhcp_dir=$LAB_DIR/dhcp
  mkdir "$dhcp_dir"
  cat >"$dhcp_dir/conf" <<CONF
start $2.40
end $2.60
interface eth0
lease_file $dhcp_dir/leases
pidfile $dhcp_dir/pid
auto_time 1
option subnet 255.255.255.0
option router $2.1
option lease 600
CONF
  : >"$dhcp_dir/leases"
  ip netns exec "$dhcp_net" busybox udhcpd -f "$dhcp_dir/conf" >"$dhcp_dir/log" 2>&1 &
  LAB_PIDS[dhcp]=$!
}
leases() {
  ip netns exec "$dhcp_net" busybox dumpleases -f "$dhcp_dir/leases" | awk 'NR > 1 { print $1, $2 }'
}
leased() { [[ -n $(leases) ]]; }
# large_image: the dns image with a tail, three connections of a wire that is cut.
large_image() { { cat dns.x86_64.virtio; head -c 300000 /dev/urandom; } >large; }
# dies_at WHO SYSCALLS N [THREAD]: that process of the lab is killed as it (or its thread of that name)
# enters its Nth of these calls.
dies_at() {
  local task=${LAB_PIDS[$1]}
  if [[ -n ${4:-} ]]; then
    local process=$task
    has_thread() {  # one that has just started may not have it yet
      task=$(grep -slx "$1" /proc/"$process"/task/*/comm | head -1 | cut -d/ -f5) && [[ -n $task ]]
    }
    lab_wait 5 has_thread "$4" || die "$1 has no thread $4"
  fi
  strace -qq -o /dev/null -p "$task" -e "trace=$2" -e "inject=$2:signal=KILL:when=$3" 2>/dev/null &
  LAB_PIDS[tracer]=$!
  traced() { ! grep -qs 'TracerPid:.0$' "/proc/$1/status"; }
  lab_wait 5 traced "$task" || die "strace does not attach to $1"
}
let_live() { lab_stop tracer; }
# is_dead WHO: it has ended, whether or not the shell has noticed.
is_dead() { [[ $(awk '{print $3}' "/proc/${LAB_PIDS[$1]}/stat" 2>/dev/null || echo Z) == Z ]]; }
# ended: no rollout is under way.
ended() { [[ $(fleetctl rollouts --json | jq -r '.rollouts[0].state') != ROLLOUT_RUNNING ]]; }

# fleet N: controller, operator, N devices online, a copy of the dns app in $LAB_DIR/dns.
fleet() {
  local n
  lab_up
  lab_controller_init
  lab_controller_start
  lab_login
  fleetctl login "https://localhost:$LAB_PORT" --token-file "$LAB_DIR/admin.token" --ca "$LAB_DIR/ca.pem"
  fleetctl keys init --second-copy "$LAB_DIR/second-copy"
  fleetctl keys delegate dns
  for ((n = 1; n <= $1; n++)); do
    lab_device "$n"
    lab_launcher_start "$n"
    fleetctl enroll-token --group edge -o "$LAB_DIR/edge-$n.boot"
    lab_enroll "$n" "$LAB_DIR/edge-$n.boot"
    lab_agent_start "$n"
  done
  cp -r "$images/dns" "$LAB_DIR/dns"
  cd "$LAB_DIR/dns"
  online() { [[ $(fleetctl devices --json | jq '[.devices[] | select(.online)] | length') == "$1" ]]; }
  lab_wait 30 online "$1" || die "not all devices came online"
}
