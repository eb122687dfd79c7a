#!/usr/bin/env bash
# kill -9 of the agent at every write that an update makes durable: its guests answer on meanwhile,
# and with the next agent the device comes to the new release.
LAB=fagent LAB_PORT=18471
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge

release=1
declare -A steps=()  # what the agent had said last when it died
# kill_at THREAD N: one update with an agent that dies at the Nth durable write of that thread; false
# if it has no such write.
kill_at() {
  local said
  change "$1$((++release))"
  dies_at agent-1 fsync,fdatasync "$2" "$1"
  fleetctl push dns --to edge --detach >/dev/null
  over() { is_dead agent-1 || live edge-1 "$release"; }
  lab_wait 30 over || die "the agent neither died nor came to dns $release"
  is_dead agent-1 || sleep 0.3  # what follows the report: acknowledged, cleaned up
  let_live
  is_dead agent-1 || return 1
  answers 1 || die "nothing answers after kill -9 of the agent at durable write $2 of $1"
  said=$(grep -E " release=$release .*state=|desired.stored" "$LAB_DIR/edge-1/agent.log" | tail -1)
  steps[$(grep -oE 'state=[A-Z]+|desired.stored' <<<"$said")]=$2
  lab_stop agent-1
  lab_agent_start 1
  lab_wait 30 live edge-1 "$release" || die "dns $release did not arrive after a kill at durable write $2 of $1"
  lab_wait 5 answers 1 || die "dns $release does not answer"
}
killed_in() {  # killed_in THREAD: at its first durable write in an update, its second, to the last
  local n=1
  while kill_at "$1" "$n"; do n=$((n + 1)); done
  ((n > 1)) || die "no update has a durable write of thread $1"
  ok "the agent killed at each of the $((n - 1)) durable writes of its thread $1"
}
killed_in fleet-agent  # the database
killed_in fetch        # metadata
killed_in disk         # blobs
# Acknowledgements come in between, so that a short step can be missed: once more, then.
for step in desired.stored state={OFFERED,FETCHING,STAGED,TRIAL,HEALTHY}; do
  for n in {1..9} {1..9}; do
    [[ -z ${steps[$step]:-} ]] || break
    kill_at fleet-agent "$n" || true
  done
  [[ -n ${steps[$step]:-} ]] || die "no kill hit an agent whose last word was $step: ${!steps[*]}"
done
ok "the last words of those agents: ${!steps[*]}"
expect 0 'live on 1 of 1' fleetctl push dns --to edge
echo "$passed passed, 0 failed"
