#!/usr/bin/env bash
# A warm spare with real guests: it takes over from a guest that is killed or hangs, is found again
# by the next agent, changes with an update, and leaves nothing behind. Under fleet-spt and QEMU.
LAB=spare LAB_PORT=18484
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
log=$LAB_DIR/edge-1/launcher.log

shown() { lab_as_agent 1 fleet-agent status --state-dir "$LAB_DIR/edge-1/state" "$@"; }
app() { shown --json | jq -r ".apps[0].$1"; }
spare_ready() { [[ $(app spare.healthy) == true ]]; }
is_live() { [[ $(app instance.id) == "$1" && $(app instance.took_over) == true ]]; }
healthy() { [[ $(app state) == HEALTHY ]]; }
pid_of() { sed -n "s/.*instance.started instance=$1 .*pid=\([0-9]*\).*/\1/p" "$log"; }
children() { pgrep -c -P "${LAB_PIDS[launcher-1]}" || true; }
taps() { ip -n "$LAB-edge-1" -o link | grep -c ': flt' || true; }
are_two() { [[ $(children) == 2 && $(taps) == 2 ]]; }
known() { fleetctl ps -o wide | grep -qE "$1 ready 10\.213\.77\.[0-9]+ [0-9]"; }
watch_ended() { awk '/state=HEALTHY/ {over = 0} / watch.ended/ {over = 1} END {exit !over}' "$LAB_DIR/edge-1/agent.log"; }
# settled: a healthy guest with a spare that waits; their ids in $live and $next.
settled() {
  lab_wait 60 healthy || die "no healthy guest: $(shown)"
  lab_wait 60 spare_ready || die "no spare is ready: $(shown)"
  live=$(app instance.id) next=$(app spare.id)
}
# taken_over BY WHAT: that instance answers now, every time it is asked, and there is another spare.
taken_over() {
  local n
  lab_wait 60 is_live "$1" || die "after $2 the spare did not take over: $(shown)"
  lab_wait 10 answers 1 || die "after $2 the spare does not answer"
  for ((n = 0; n < 20; n++)); do answers 1 || die "after $2 the spare lost question $n"; done
  settled
  [[ $live == "$1" && $next != "$1" ]] || die "after $2 runs $live with spare $next"
  lab_wait 30 are_two || die "after $2: $(children) monitors and $(taps) taps"
  ok "$2: the spare took over and answers, and another one waits"
}
# asked: how many questions were lost meanwhile; a death may cost the one that was under way.
asked() {
  lab_stop asker-1
  echo "# $1: $(grep -c ^ok "$LAB_DIR/asked-1" || true) questions answered," \
    "$(grep -c ^lost "$LAB_DIR/asked-1" || true) lost"
}

printf '  restart: {spare: warm, backoff_max: 1s, crash_loop: 100 in 1m}\n' >>manifest.yml
sed -i 's/handover: auto/handover: auto\n    watch: 1s/' manifest.yml
cp manifest.yml manifest.base
release=0
for monitor in spt qemu; do
  cp manifest.base manifest.yml  # spt is what the probe ranks first
  [[ $monitor == spt ]] || sed -i "s/^  memory: 16M/  monitors: [$monitor]\n&/" manifest.yml
  change "$monitor"
  expect 0 'warm spare' fleetctl push dns --to edge --plan
  expect 0 'live on 1 of 1' fleetctl push dns --to edge
  release=$((release + 1))
  settled
  lab_wait 30 known "$next" || die "ps does not show $next: $(fleetctl ps -o wide)"
  ok "$monitor: ps shows the spare"
  [[ $(app instance.monitor) == "$monitor"* ]] || die "runs under $(app instance.monitor)"

  ask_on 1
  for n in 1 2 3; do
    old=$live
    kill -9 "$(pid_of "$old")"
    taken_over "$next" "$monitor: kill -9 of monitor $n"
  done
  asked "$monitor, three deaths"
  [[ $(app instance.restarts) == 3 ]] || die "$(app instance.restarts) restarts are counted, not 3"
  ok "$monitor: each death counts as a restart"

  ask_on 1
  change "update-$monitor"
  expect 0 'live on 1 of 1' fleetctl push dns --to edge
  release=$((release + 1))
  settled
  lab_wait 30 are_two || die "after an update: $(children) monitors and $(taps) taps"
  none_lost 1
  [[ $(app live_release) == "$release" ]] || die "runs release $(app live_release)"

  lab_wait 30 watch_ended || die "the watch does not end"
  monitor_pid=$(pid_of "$live")
  kill -STOP "$monitor_pid" $(pgrep -P "$monitor_pid")  # an spt guest is a child of its reporter
  taken_over "$next" "$monitor: a guest that lives and hangs"
done

before=$live/$next
lab_stop agent-1 KILL
answers 1 || die "nothing answers without an agent"
lab_agent_start 1
lab_wait 30 healthy || die "the next agent does not adopt"
settled
[[ $live/$next == "$before" ]] || die "the next agent has $live/$next, there were $before"
ok "kill -9 of the agent: the next one finds guest and spare"
lab_stop agent-1 KILL
kill -9 "$(pid_of "$live")"
lab_agent_start 1
taken_over "$next" "the guest killed while no agent was there"

lab_stop launcher-1 KILL
lab_launcher_start 1
lab_wait 30 answers 1 || die "nothing answers after kill -9 of the launcher"
settled
lab_wait 30 are_two || die "after kill -9 of the launcher: $(children) monitors and $(taps) taps"
ok "kill -9 of the launcher: guest and spare are there again"

expect 0 '' fleetctl delete dns --to edge
none() { [[ $(children) == 0 && $(taps) == 0 ]]; }
lab_wait 30 none || die "delete left $(children) monitors and $(taps) taps"
ok "delete leaves nothing behind"
sed 's/spare: warm/spare: warm, policy: never/' manifest.base >manifest.yml
expect 1 'restart.spare: warm is for what shall run on' fleetctl push dns --to edge
echo "$passed passed, 0 failed"
