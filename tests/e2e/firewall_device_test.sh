#!/usr/bin/env bash
# The firewall appliance on a device, between two bridges of the host: forbidden packets and numbered
# broadcasts all the time, while it is installed, updated, reverted, killed, stopped and deleted, and
# while agent and launcher are killed. Then the device's own way to the controller leads through it.
LAB=firewall LAB_PORT=18490
LAB_CONF=$'allow_kvm = no\nhost_bridges = br-wan br-lan'
. "$(dirname "$0")/lib.sh"
watch=$root/tests/e2e/firewall/watch.py
fleet 1
space=$LAB-edge-1 inside=$LAB-inside
fleetctl keys delegate edge-fw >/dev/null
cp -r "$images/firewall" "$LAB_DIR/firewall"
cd "$LAB_DIR/firewall"

# The network's bridge (192.0.2.1) - br-wan, and br-lan - who is to be protected (192.0.2.50).
port_of() { ip link add "$1" netns "$2" type veth peer name "$3" netns "$space"; }
ip netns add "$inside"
for side in wan lan; do ip -n "$space" link add "br-$side" type bridge mcast_snooping 0; done
port_of wan0 "$LAB_NET" wan0
port_of eth0 "$inside" lan0
ip -n "$LAB_NET" link set wan0 master lan up
for side in wan lan; do
  ip -n "$space" link set "${side}0" master "br-$side" up
  ip -n "$space" link set "br-$side" up
done
ip -n "$inside" link set lo up
ip -n "$inside" addr add 192.0.2.50/24 dev eth0
ip -n "$inside" link set eth0 up
inside() { ip netns exec "$inside" "$@"; }
mac=$(inside cat /sys/class/net/eth0/address)
inside nft -f - <<'NFT'
table netdev evil {
  counter got {
  }
  chain in {
    type filter hook ingress device "eth0" priority 0;
    udp dport 7777 counter name "got"
  }
}
NFT
evil() { inside nft list counter netdev evil got | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
in_background() {  # in_background NAME NAMESPACE COMMAND...
  ip netns exec "$2" "${@:3}" </dev/null >"$LAB_DIR/$1.out" 2>&1 &
  LAB_PIDS[$1]=$!
}
in_background strike "$LAB_NET" python3 "$watch" strike lan "$mac"
in_background send "$inside" python3 "$watch" send eth0
see() {
  in_background see-out "$LAB_NET" python3 "$watch" see lan "$LAB_DIR/out"
  in_background see-in "$inside" python3 "$watch" see eth0 "$LAB_DIR/in"
  sleep 0.3
}
# no_loop WHAT: every broadcast came out at most once, and none came back to who sent it.
no_loop() {
  local seen copies back
  lab_stop see-out; lab_stop see-in
  read -r seen copies <"$LAB_DIR/out"
  read -r back _ <"$LAB_DIR/in"
  [[ $copies == 0 && $back == 0 ]] || die "$1: $seen broadcasts, $copies copies, $back came back"
  ok "$1: no loop: $seen broadcasts came through once, none came back"
}
# closed WHAT: not one forbidden packet came since `since` was noted.
closed() {
  local now; now=$(evil)
  ((now == since)) || die "$1: $((now - since)) forbidden packets came through"
  ok "$1: no forbidden packet came through"
}
laid() { [[ $(ip -n "$space" -o link show type veth | grep -c ': fltb') == 2 ]]; }
not_laid() { ! ip -n "$space" -o link show type veth | grep -q ': fltb'; }
passes() { inside ping -q -c 1 -W 0.2 192.0.2.1 >/dev/null; }
passes_soon() { lab_wait "${1:-10}" passes || die "nothing passes"; }
shown() { lab_as_agent 1 fleet-agent status --state-dir "$LAB_DIR/edge-1/state" "$@"; }
app() { shown --json | jq -r ".apps[0].$1"; }
healthy() { [[ $(app state) == HEALTHY ]]; }
pid_of() { sed -n "s/.*instance.started instance=$1 .*pid=\([0-9]*\).*/\1/p" "$LAB_DIR/edge-1/launcher.log"; }
kill_guest() { kill -9 "$(pid_of "$(app instance.id)")"; }
taps() { ip -n "$space" -o link show master "$1" | grep -c ': flt[0-9].*<.*UP' || true; }

sed -i 's/^  update:/  restart: {backoff: 2s, crash_loop: 20 in 1m}\n&/' manifest.yml
cp manifest.yml manifest.base
rules() { cat >rules.fw; }
good_rules() {
  rules <<RULES
# $1
chain forward {
  ct state invalid drop
  ct state established,related accept
  ether type arp accept
  iif "lan" ct state new accept
  iif "wan" icmp type echo-request accept
}
RULES
}
good_rules first

# What launcher.conf does not allow is refused before a byte is fetched.
sed -i 's/on_down: drop/on_down: bypass/' manifest.yml
expect 3 'launcher.conf of this device does not allow; set bypasses = br-lan:br-wan' fleetctl push edge-fw --to edge
cp manifest.base manifest.yml

# The first one.
since=$(evil)
see
expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
passes_soon
! lab_client ping -q -c 1 -W 0.3 192.0.2.50 >/dev/null && die "a ping that the rules let in does not"
ok "it forwards what the rules allow, both ways"
closed "the first release"
no_loop "the first release"

# An update under a stream, pings and blows.
updated_under_traffic() {  # updated_under_traffic RELEASE: what is pushed meanwhile
  local lost
  see
  in_background server "$LAB_NET" iperf3 -s -1 -B 192.0.2.1 -p 5201
  in_background pings "$inside" ping -i 0.01 192.0.2.1
  sleep 0.5
  in_background stream "$inside" iperf3 -J -c 192.0.2.1 -p 5201 -t 12
  sleep 1
  expect 0 '  flows +open TCP connections live on \(--adopt=' fleetctl push edge-fw --to edge
  wait "${LAB_PIDS[stream]}" || die "the stream broke: $(tail -n 3 "$LAB_DIR/stream.out")"
  unset "LAB_PIDS[stream]"
  rate=$(jq '.end.sum_received.bits_per_second / 1000000 | floor' "$LAB_DIR/stream.out")
  stalls=$(jq '[.intervals[].sum.bytes | select(. == 0)] | length' "$LAB_DIR/stream.out")
  lab_stop pings INT
  lost=$(sed -n 's/\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$LAB_DIR/pings.out")
  lost=$((${lost% *} - ${lost#* }))
  ((stalls == 0)) || die "the stream stood for $stalls s"
  ((lost < 60)) || die "$lost pings of 10 ms each were lost"
  [[ $(app live_release) == "$1" ]] || die "release $(app live_release) is live"
  ok "release $1 came under a stream ($rate Mbit/s, no second without bytes), $lost pings of 10 ms lost"
}
good_rules second
updated_under_traffic 3
[[ $(app instance.monitor) == spt* ]] || die "runs under $(app instance.monitor)"
closed "the update"
no_loop "the update"
((($(taps br-wan)) == 1)) || die "$(taps br-wan) taps are up on br-wan"

# Rules that cannot be read are not even signed. What the guest refuses, and what cannot be reached,
# reverts; it forwards all the time.
see
rules <<<'chain forward { iif "lan" acept }'
expect 1 'rules.fw:1: .*acept' fleetctl push edge-fw --to edge
good_rules more
sed -i 's/args: \[/&"--flows=1048576", /' manifest.yml
expect 3 'firewall: too little memory for 1048576 flows' fleetctl push edge-fw --to edge
cp manifest.base manifest.yml
[[ $(app live_release) == 3 ]] || die "release $(app live_release) is live"
passes || die "nothing passes after the revert"
good_rules third
sed -i 's/path: .healthz/path: \/nothing/' manifest.yml
expect 3 'reverted' fleetctl push edge-fw --to edge
cp manifest.base manifest.yml
closed "two that were reverted"
no_loop "two that were reverted"
passes || die "nothing passes after the second revert"

# drop: a guest that is killed leaves nothing open.
see
kill_guest
sleep 0.1
passes && die "something passes without a guest"
passes_soon
closed "drop, the guest killed"

# One step back by order.
good_rules fourth
expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
expect 0 'OK' fleetctl revert edge-fw --to edge
passes_soon
closed "the way back"
no_loop "drop, the guest killed, and the way back"

# The next agent finds the flip undone: killed between confirm and the ports, or anywhere else.
see
good_rules fifth
trials() { grep -c 'state=TRIAL' "$LAB_DIR/edge-1/agent.log" || true; }
had=$(trials)
expect 0 '' fleetctl push edge-fw --to edge --detach
on_trial() { (($(trials) > had)); }
lab_wait 20 on_trial || die "the update does not come"
lab_stop agent-1 KILL
lab_agent_start 1
lab_wait 60 ended || die "the rollout does not end"
lab_wait 30 healthy || die "not healthy: $(shown)"
passes_soon
((($(taps br-wan)) == 1)) || die "$(taps br-wan) taps are up on br-wan"
closed "kill -9 of the agent in an update"
lab_stop launcher-1 KILL
lab_launcher_start 1
lab_wait 30 healthy || die "not healthy: $(shown)"
passes_soon 20
closed "kill -9 of the launcher"
no_loop "kill -9 of agent and launcher"

# bypass: the same, and while no guest runs the bridges are one.
lab_stop agent-1 TERM
lab_stop launcher-1 TERM
echo 'bypasses = br-wan:br-lan' >>"$LAB_DIR/edge-1/launcher.conf"
lab_launcher_start 1
lab_agent_start 1
lab_wait 30 healthy || die "not healthy: $(shown)"
sed -i 's/on_down: drop/on_down: bypass/' manifest.base
cp manifest.base manifest.yml
good_rules sixth
see
expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
passes_soon
not_laid || die "a bypass lies beside a guest that forwards"
closed "bypass, a guest that runs"
good_rules seventh
expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
closed "bypass, an update"
began=$EPOCHREALTIME
kill_guest
opens() { (($(evil) > since)); }
lab_wait 2 opens || die "the bypass does not open"
ok "bypass: open $(awk "BEGIN {printf \"%d\", ($EPOCHREALTIME - $began) * 1000}") ms after kill -9 of the guest, and seen so"
laid || die "no cable lies"
passes || die "the bypass does not let through"
closes() { since=$(evil); sleep 0.2; (($(evil) == since)) && not_laid && healthy; }
lab_wait 20 closes || die "the bypass does not close"
passes_soon
closed "bypass, the next guest runs"
guest=$(pid_of "$(app instance.id)")
lab_stop agent-1 KILL
kill -9 "$guest"
lab_wait 2 opens || die "without an agent the bypass does not open"
ok "bypass: opens without an agent, too"
lab_stop launcher-1 KILL
lab_launcher_start 1
lab_wait 2 not_laid || die "the next launcher leaves the cable"
ok "kill -9 of the launcher: the next one takes the cable away"
lab_agent_start 1
lab_wait 20 closes || die "not closed by the next guest"
passes_soon
expect 0 '' fleetctl stop edge-fw --to edge
lab_wait 10 laid || die "a stopped app does not leave its bypass"
lab_stop agent-1 KILL
lab_agent_start 1
sleep 1.5
laid || die "the next agent takes the bypass of a stopped app away"
ok "stopped, it is bypassed, also by the next agent"
expect 0 '' fleetctl start edge-fw --to edge
lab_wait 20 closes || die "start does not close"
passes_soon
expect 0 '' fleetctl delete edge-fw --to edge
lab_wait 10 not_laid || die "delete leaves the bypass"
no_loop "bypass, all of it"
since=$(evil)
sleep 0.5
closed "deleted"

# The device's way to the controller leads through it.
cp manifest.base manifest.yml
sed -i 's/uplink: 2m/uplink: 6s/; s/on_down: bypass/on_down: drop/' manifest.yml
good_rules eighth
expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
ip -n "$space" addr del 192.0.2.11/24 dev eth0
ip -n "$space" link set eth0 down
ip -n "$space" addr add 192.0.2.11/24 dev br-lan
ip -n "$space" route replace default via 192.0.2.1
lab_client ip neigh flush all
lab_stop agent-1 TERM
lab_agent_start 1
online() { fleetctl devices --json | jq -e '.devices[0].online' >/dev/null; }
lab_wait 30 online || die "the device is not online through its firewall"
lab_wait 30 healthy || die "not healthy: $(shown)"
since=$(evil)
see
good_rules ninth
expect 0 'live on 1 of 1' fleetctl push edge-fw --to edge
fleetctl rollout show "$(newest_rollout)" --json | jq -r '.devices[0].detail' | grep -q 'link to the controller is back' || die "no word of the link"
ok "an update with the uplink behind it: $(fleetctl rollout show "$(newest_rollout)" --json | jq -r '.devices[0].detail')"
sed 's/^  ct state established/  iif "lan" tcp dport 8444 drop\n&/' rules.fw >cut && mv cut rules.fw
before=$(app live_release)
expect 3 'no link to the controller for 6s' fleetctl push edge-fw --to edge
reported edge-1 REVERTED CODE_UPLINK_LOST 'no link to the controller for 6s'
[[ $(app live_release) == "$before" ]] || die "release $(app live_release) is live"
closed "rules that cut the device off, and back"
no_loop "the uplink"

# The agent killed while the link is awaited: the verdict comes all the same.
sed -i '1s/.*/# tenth/' rules.fw
expect 0 '' fleetctl push edge-fw --to edge --detach
armed() { [[ $(app live_release) != "$before" ]]; }
lab_wait 30 armed || die "the release that cuts it off does not come"
lab_stop agent-1 KILL
lab_agent_start 1
back() { [[ $(app live_release) == "$before" ]]; }
lab_wait 60 back || die "not back: $(shown)"
lab_wait 60 ended || die "the rollout does not end"
reported edge-1 REVERTED CODE_UPLINK_LOST 'no link to the controller'
passes_soon
echo "$passed passed, 0 failed"
