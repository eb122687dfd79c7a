#!/usr/bin/env bash
# kill -9 of the launcher in every step of an update. Its guests die with it; the next launcher
# cleans up, the device runs a whole release again, says the truth, and the next push works.
LAB=flaunch LAB_PORT=18473
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge

# A tap for each guest, and no guest that is not this launcher's.
no_leak() {
  [[ $(ip -n "$LAB-edge-1" -o link | grep -c ': flt') == "$(pgrep -c -P "${LAB_PIDS[launcher-1]}")" ]]
}
# comes_back WHERE: after a death there, with a new launcher.
release=1
comes_back() {
  local verdict
  lab_stop launcher-1
  lab_launcher_start 1
  lab_wait 30 ended || die "the rollout of dns $release does not end after a kill $1"
  verdict=$(fleetctl rollout show "$(newest_rollout)" --json | jq -r '.devices[0] | "\(.state) \(.live_release)"')
  [[ $verdict == "HEALTHY $release" ]] || die "after a kill $1 the device says: $verdict"
  lab_wait 15 answers 1 || die "nothing answers after a kill $1"
  lab_wait 5 no_leak || die "taps or guests leaked after a kill $1"
  ok "launcher killed $1: $verdict"
}
# dies_in WHERE SYSCALL N: one update with that end of the launcher.
dies_in() {
  change "launcher$((++release))"
  dies_at launcher-1 "$2" "$3"
  fleetctl push dns --to edge --detach >/dev/null
  dead() { is_dead launcher-1; }
  lab_wait 20 dead || die "the launcher did not die $1"
  let_live
  comes_back "$1"
}
change "launcher$((++release))"
lab_stop launcher-1 KILL
fleetctl push dns --to edge --detach >/dev/null
sleep 1
comes_back "before the push"
dies_in "with the tap made, before the guest's filter" sendmsg 1
dies_in "before the jail is started" clone 1
dies_in "with the guest begun and not written down" rename 1
dies_in "as the ports are switched" sendmsg 2
dies_in "as the old guest's flows are dropped" sendmsg 3
# In the trial, while the guest is probed: a release that takes its time.
change "launcher$((++release))"
sed -i 's/healthy_after: .*/healthy_after: 40/; s/timeout: .*/timeout: 2s/; s/deadline: .*/deadline: 60s/' manifest.yml
fleetctl push dns --to edge --detach >/dev/null
trial() { [[ $(fleetctl rollout show "$(newest_rollout)" --json | jq -r '.devices[0].state') == TRIAL ]]; }
lab_wait 10 trial || die "no trial"
lab_stop launcher-1 KILL
comes_back "in the trial"
expect 0 'live on 1 of 1' fleetctl push dns --to edge
echo "$passed passed, 0 failed"
