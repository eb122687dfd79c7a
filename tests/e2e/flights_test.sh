#!/usr/bin/env bash
# Flight records: a release that crashes on two devices is one fault, with exit, health and console.
# The controller has it after kill -9 of itself, the device after kill -9 of its agent at any of the
# writes that a revert makes durable.
LAB=fflights LAB_PORT=18482
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 2
expect 0 'OK  dns 1 is live on 2 of 2' fleetctl push dns --to edge

# flights FILTER ARGS...: what `fleetctl flights dns ARGS --json` has, as jq shows it.
flights() { local filter=$1; shift; fleetctl flights dns "$@" --json | jq -r "$filter"; }
came() { [[ $(flights '.flights | length' --release "$1") == "$2" ]]; }
one_fault() {  # one_fault RELEASE: both devices sent it, with one fingerprint
  lab_wait 30 came "$1" 2 || die "no flight records of dns $1 on both devices"
  [[ $(flights '[.flights[].device] | sort | join(" ")' --release "$1") == "edge-1 edge-2" ]] ||
    die "dns $1: records of $(flights '[.flights[].device] | join(" ")' --release "$1")"
  fault=$(flights '[.flights[].record.why.fingerprint] | unique | join(" ")' --release "$1")
  [[ $fault =~ ^[0-9a-f]{8}$ ]] || die "dns $1 has the faults '$fault'"
  [[ $(flights ".faults[] | select(.fingerprint == \"$fault\") | .devices") == 2 ]] ||
    die "fault $fault is not counted on two devices"
}

# A crash: code, console; its verdict says where to look.
expect 3 'fleetctl flights dns --device edge-1 --release 2' \
  fleetctl push dns --to edge --image "$images/dns-crash/dns.x86_64.spt"
one_fault 2
crash=$fault
[[ $(flights '[.flights[].record.why.code] | unique | join(" ")' --release 2) == CODE_GUEST_ABORT ]] ||
  die "a crash is told as $(flights '.flights[].record.why.code' --release 2)"
[[ $(flights '[.flights[].record.outcome] | unique | join(" ")' --release 2) == FLIGHT_TRIAL_FAILED ]] ||
  die "a crash in a trial ends as $(flights '.flights[].record.outcome' --release 2)"
flights '.flights[].record.why.console_tail[]' --release 2 | grep -q 'listening on' ||
  die "the records have no console"
flights '.flights[0].record.console' --release 2 | base64 -d | grep -q 'listening on' ||
  die "the records have no raw console"
flights '[.flights[].record.trap | (.kind | length > 0) and (.pc | startswith("0x")) and (.registers | length > 3)] | all' \
  --release 2 | grep -qx true || die "the records do not say where it crashed: $(flights '.flights[].record.trap' --release 2)"
ok "a crash is fault $crash on both devices, with its place, its registers and the console"

# A guest that is silent: the probes.
sed -i 's/^\( *args:\).*/\1 ["--port=5353"]/' manifest.yml
expect 3 'no answer' fleetctl push dns --to edge
one_fault 3
[[ $fault != "$crash" ]] || die "two faults have one fingerprint"
flights '[.flights[].record | (.probes | length > 2 and all(.passed | not)) and (.probes[0].text | length > 0)] | all' \
  --release 3 | grep -qx true || die "the records have no health trace"
ok "silence is fault $fault on both devices, with its probes"
expect 0 'the same fault on 2 devices' fleetctl flights dns --release 3
expect 0 '✘✘' fleetctl flights dns --device edge-2 --release 3
cp "$images/dns/manifest.yml" manifest.yml

# The controller has them when it starts again, and takes one that it was killed over.
lab_stop controller KILL
lab_controller_start
one_fault 2
[[ $fault == "$crash" ]] || die "fault $crash is $fault after a restart of the controller"
ok "the controller started again has them"
lab_wait 30 online 2 || die "not all devices came back"
for n in 1 2; do
  dies_at controller fsync,fdatasync "$n" flights
  change "controller$n"
  fleetctl push dns --to edge --image "$images/dns-crash/dns.x86_64.spt" --detach >/dev/null
  lab_wait 60 is_dead controller || die "the controller has no durable write $n for a flight record"
  let_live
  lab_stop controller
  lab_controller_start
  lab_wait 60 ended || die "no verdict after the controller was killed"
  one_fault $((3 + n))
  [[ $fault == "$crash" ]] || die "the same crash is another fault: $fault"
done
ok "records that the controller was killed over come again, and are there once"

# The device's own copy.
newest() { lab_as_agent 1 fleet-agent status --json --state-dir "$LAB_DIR/edge-1/state" | jq -r "$1"; }
lab_stop agent-2
lab_stop agent-1 KILL
[[ $(newest '"\(.flights) \(.newest_flight.why.fingerprint)"') == "4 $crash" ]] ||
  die "edge-1 has kept $(newest '"\(.flights) \(.newest_flight.why.fingerprint)"') after kill -9"
ok "the device keeps its records after kill -9"
lab_agent_start 1
lab_wait 30 online 1 || die "edge-1 is not back"
release=5 n=1
while :; do
  change "agent$((++release))"
  dies_at agent-1 fsync,fdatasync "$n" fleet-agent
  fleetctl push dns --to edge-1 --image "$images/dns-crash/dns.x86_64.spt" --detach >/dev/null
  over() { is_dead agent-1 || came "$release" 1; }
  lab_wait 60 over || die "the agent neither died nor sent a record of dns $release"
  let_live
  dead=0
  is_dead agent-1 && dead=1
  if ((dead)); then
    lab_stop agent-1
    lab_agent_start 1
  fi
  lab_wait 90 came "$release" 1 || die "no record of dns $release after a kill at durable write $n"
  [[ $(flights '.flights[0].record.why.fingerprint' --release "$release") == "$crash" ]] ||
    die "dns $release: fault $(flights '.flights[0].record.why.fingerprint' --release "$release"), not $crash"
  own() { [[ $(newest '"\(.newest_flight.release) \(.newest_flight.why.fingerprint)"') == "$release $crash" ]]; }
  lab_wait 20 own || die "edge-1 says $(newest '.newest_flight') of dns $release"
  lab_wait 30 ended || die "no verdict of dns $release"
  reported edge-1 REVERTED CODE_GUEST_ABORT ''
  ((dead)) || break
  ((n++))
done
((n > 3)) || die "a revert has $n durable writes only"
ok "the agent killed at each of the $((n - 1)) durable writes of a revert: its record comes, once"
echo "$passed passed, 0 failed"
