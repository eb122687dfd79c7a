#!/usr/bin/env bash
# Rollouts in waves, with real programs and guests: the plan before anything is signed, waves with a
# soak that outlives the controller, a release that is stopped in its waves and taken back, pause,
# resume, abort and retry, a budget per site, and a release that is only staged.
LAB=waves LAB_PORT=18500
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 4

show() { fleetctl rollout show "$(newest_rollout)" --json; }
is() { show | jq -e "$@" >/dev/null; }
# row DEVICE FILTER: of the newest rollout.
row() { show | jq -r --arg d "$1" ".devices[] | select(.device == \$d) | $2"; }
# hold_port N / free_port N: something else has tcp port 8053 of device N, or nothing has.
hold_port() {
  ip netns exec "$LAB-edge-$1" busybox nc -l -p 8053 >/dev/null 2>&1 &
  LAB_PIDS[holder-$1]=$!
  held() { ip netns exec "$LAB-edge-$1" ss -ltn | grep -q ':8053 '; }
  lab_wait 5 held "$1" || die "nothing holds the port"
}
free_port() { lab_stop "holder-$1"; }

expect 0 'OK  dns 1 is live on 4 of 4' fleetctl push dns --to edge
ask_on 1

# The plan, device by device; nothing is changed by it.
rollout 'waves: [1, 50%]' 'soak: 2s'
change plan
expect 0 'waves 1, 2, 4 · soak 2s · stop above 2% failed \(min 5\) · then back' \
  fleetctl push dns --to edge --plan
SHOW='' expect 0 'edge-4 +3 +1 +2' fleetctl push dns --to edge --plan
[[ $(newest_release) == 1 ]] || die "--plan made a release"

# Waves, one after the other, each when the one before has soaked.
said=$(fleetctl push dns --to edge) || die "the push ends with $?: $said"
for text in 'plan +waves 1, 2, 4' 'wave 1 has ended, the next one opens in 2s' \
  'wave 2 of 3 is open, 1 device' 'wave 3 of 3 is open, 2 devices' \
  'OK  dns 2 is live on 4 of 4 devices'; do
  grep -qE -- "$text" <<<"$said" || die "the push does not say '$text': $said"
done
is '[.waves[].counts.healthy] == [1, 1, 2]' || die "waves: $(show | jq -c .waves)"
is '. as $r | [range(1; 3)] | all(. as $w | ($r.waves[$w].opened_ms | tonumber) >=
    ($r.waves[$w - 1].ended_ms | tonumber) + 2000)' || die "a wave opened before the soak was over"
is '. as $r | .devices | all((.started_ms | tonumber) >=
    ($r.waves[.wave - 1].opened_ms | tonumber))' || die "a device was told before its wave"
ok "three waves, each after the soak of the one before, and no device before its wave"

# The first wave cannot take it: nobody else is asked.
change bad
sed -i 's/"--rrl=1000"/"--rrl=1000", "--port=5353"/' manifest.yml
expect 3 'stopped   the image fails alike on 1 device' fleetctl push dns --to edge
is '[.devices[] | select(.let_in)] | length == 1' || die "more than one device was asked"
is '.state == "ROLLOUT_FAILED" and .faults[0].cause == "CAUSE_IMAGE"' || die "$(show)"
all_live 2 4 || die "dns 2 does not run everywhere"
sed -i 's/, "--port=5353"//' manifest.yml
ok "a bad release was stopped in its first wave of one"

# The second wave fails, by its devices: the first one, which took it, goes back.
rollout 'waves: [1, 3]' 'soak: 1s' 'max_failed: 0%' 'min_finished: 2'
sed -i 's|"53:53/tcp"\]|"53:53/tcp", "8053:53/tcp"]|' manifest.yml
for n in 2 3; do hold_port "$n"; done
expect 3 'stopped   1 of 4 devices failed|stopped   2 of 4 devices failed' fleetctl push dns --to edge
is '.devices[] | select(.device == "edge-1") | .state == "REVERTED" and .going_back_to == "2"' ||
  die "edge-1 is not taken back: $(row edge-1 .)"
is '.devices[] | select(.device == "edge-4") | .let_in != true' || die "edge-4 was asked"
is '[.faults[] | select(.cause == "CAUSE_DEVICE")] | length == 1' || die "causes: $(show | jq -c .faults)"
all_live 2 4 || die "dns 2 does not run everywhere"
expect 1 'take only a higher release|push again' fleetctl rollout retry "$(newest_rollout)" --device edge-1
none_lost 1

# Without waves nothing is taken back; what failed is asked again when its port is free.
rollout
change kept
expect 3 'dns 5: 2 healthy, 2 failed' fleetctl push dns --to edge
for n in 2 3; do free_port "$n"; done
expect 0 'OK  dns 5 is live on 4 of 4' fleetctl rollout retry "$(newest_rollout)"
expect 0 'asks again' fleetctl rollout retry "$(newest_rollout)" --detach

# Pause and resume, each said twice; a controller that is killed meanwhile changes nothing.
rollout 'waves: [1]' 'soak: 1s'
change paused
fleetctl push dns --to edge --detach >/dev/null
id=$(newest_rollout)
expect 0 'is paused' fleetctl rollout pause "$id"
expect 0 'is paused' fleetctl rollout pause "$id"
lab_wait 30 live edge-1 6 || die "who is under way does not go on"
soaked() { is '(.soak_until_ms | tonumber) > 0 and (now * 1000) > (.soak_until_ms | tonumber) + 1500'; }
lab_wait 30 soaked || die "it does not soak: $(show | jq -c .)"
is '.state == "ROLLOUT_PAUSED" and .wave == 1' || die "it did not stay paused"
lab_stop controller KILL
lab_controller_start
lab_wait 30 online 4 || die "not all are back"
is '.state == "ROLLOUT_PAUSED" and .paused_by == "admin"' || die "it forgot its pause: $(show | jq -c .)"
expect 0 'goes on' fleetctl rollout resume "$id"
expect 0 'goes on' fleetctl rollout resume "$id"
expect 0 'OK  dns 6 is live on 4 of 4' fleetctl rollout show "$id" -w
expect 1 'has succeeded already' fleetctl rollout pause "$id"

# Ctrl-C leaves it running. Called off, who has it keeps it and the others are not asked.
rollout 'waves: [1]' 'soak: 1h'
change aborted
fleetctl push dns --to edge >"$LAB_DIR/followed" 2>&1 &
follower=$!
lab_wait 30 live edge-1 7 || die "dns 7 does not come"
kill -INT "$follower"
got=0; wait "$follower" || got=$?
[[ $got == 130 ]] || die "the push ended with $got"
grep -q 'Detached. r-.* goes on.*rollout pause|abort' "$LAB_DIR/followed" || die "$(cat "$LAB_DIR/followed")"
ok "Ctrl-C leaves it running, and says so"
id=$(newest_rollout)
expect 5 'still running' fleetctl rollout show "$id" -w --wait 1s
expect 0 'is aborted' fleetctl rollout abort "$id"
expect 0 'is aborted' fleetctl rollout abort "$id"
expect 3 'ABORTED' fleetctl rollout show "$id" -w
live edge-1 7 && live edge-2 6 && live edge-4 6 || die "who took it does not keep it"
expect 1 'push again' fleetctl rollout retry "$id"

# Never two of one site at once.
for n in 1 2; do fleetctl device label "edge-$n" site=lyon >/dev/null; done
for n in 3 4; do fleetctl device label "edge-$n" site=paris >/dev/null; done
rollout 'strategy: all' 'max_unavailable: {by: site, count: 1}'
change budget
expect 0 'OK  dns 8 is live on 4 of 4' fleetctl push dns --to edge
apart() {
  is --arg a "$1" --arg b "$2" '[.devices[] | select(.device == $a or .device == $b)] |
    sort_by(.started_ms | tonumber) | (.[0].ended_ms | tonumber) <= (.[1].started_ms | tonumber)'
}
apart edge-1 edge-2 && apart edge-3 edge-4 || die "two of a site at once: $(show | jq -c .devices)"
ok "of each site one device after the other"

# Only staged: the bytes are there, nothing is started; a push of the same bytes fetches none.
rollout
{ cat dns.x86_64.spt; head -c 150000 /dev/urandom; } >staged && mv staged dns.x86_64.spt
expect 0 'OK  dns 9 is staged on 4 of 4' fleetctl push dns --to edge --stage
all_live 8 4 || die "it was started"
is '.devices | all((.fetched_bytes | tonumber) > 50000)' || die "nothing was fetched: $(show | jq -c .devices)"
lab_stop agent-2 KILL
lab_agent_start 2
lab_wait 30 online 4 || die "edge-2 is not back"
expect 0 'OK  dns 10 is live on 4 of 4' fleetctl push dns --to edge
is '.devices | all((.fetched_bytes // "0" | tonumber) < 20000)' ||
  die "it was fetched again: $(show | jq -c '[.devices[].fetched_bytes]')"
ok "what was staged is not fetched again"

# Who gets the label joins, also while something else is wanted of it.
fleetctl device label edge-1 role=resolver >/dev/null
change member
expect 0 'OK  dns 11 is live on 1 of 1' fleetctl push dns --to role=resolver
fleetctl device label edge-2 role=resolver >/dev/null
lab_wait 30 live edge-2 11 || die "edge-2 does not join"
live edge-3 10 || die "edge-3 has no such label"
fleetctl device label edge-2 role- >/dev/null
expect 0 'OK  dns is stopped on' fleetctl stop dns --to edge-2
live edge-2 11 || die "who leaves does not keep it"
echo "$passed passed, 0 failed"
