#!/usr/bin/env bash
# Somebody is away: a device when the push comes, the controller in the middle of a rollout, fleetctl
# after its push, the whole controller while a device starts. What runs answers on, and what was
# wanted comes about.
LAB=faway LAB_PORT=18478
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 2
expect 0 'OK  dns 1 is live on 2 of 2' fleetctl push dns --to edge

# A device that is offline when the push comes: not failed, and it joins when it returns.
lab_stop agent-2 KILL
offline() { fleetctl devices --json | jq -e '.devices[] | select(.name == "edge-2") | .online | not' >/dev/null; }
lab_wait 40 offline || die "edge-2 does not become offline"
answers 2 || die "the guest of edge-2 ended with its agent"
change offline
expect 0 '1 of 1 .*1 offline' fleetctl push dns --to edge
fleetctl rollout show "$(newest_rollout)" --json | jq -e '.devices[] | select(.device == "edge-2") | .state == "WAITING"' >/dev/null ||
  die "edge-2 does not wait"
live edge-2 1 || die "edge-2 does not run dns 1"
lab_agent_start 2
lab_wait 30 live edge-2 2 || die "edge-2 did not join dns 2 on its return"
answers 2 || die "edge-2 does not answer after it joined"
ok "an offline device runs on, and joins on its return"

# slow: releases that stay in their trial for some seconds, so that there is a middle.
# A busy host may keep one probe waiting, which must not end them.
sed -i 's/healthy_after: .*/healthy_after: 60/; s/timeout: .*/timeout: 2s/; s/deadline: .*/deadline: 60s/' manifest.yml
trial() { [[ $(fleetctl rollout show "$(newest_rollout)" --json | jq -r '[.devices[].state] | unique | join(" ")') == TRIAL ]]; }

# The controller is killed in the middle of a rollout: it goes on from its store.
change controller
fleetctl push dns --to edge --detach >/dev/null
lab_wait 20 trial || die "no trial"
lab_stop controller KILL
answers 1 && answers 2 || die "nothing answers without a controller"
lab_controller_start
fleetctl rollout show "$(newest_rollout)" --json | jq -e '.state == "ROLLOUT_RUNNING"' >/dev/null ||
  die "the rollout was over before its controller was back"
expect 0 'OK  dns 3 is live on 2 of 2' fleetctl rollout show "$(newest_rollout)" -w

# fleetctl is killed: the push belongs to the server, and another one picks it up.
killed_push() {  # killed_push ARGUMENTS...
  local before pid
  before=$(newest_rollout)
  fleetctl push dns --to edge "$@" >/dev/null 2>&1 &
  pid=$!
  begun() { [[ $(newest_rollout) != "$before" ]] && trial; }
  lab_wait 20 begun || die "no rollout began"
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
}
change fleetctl
killed_push
expect 0 'OK  dns 4 is live on 2 of 2' fleetctl rollout show "$(newest_rollout)" -w
expect 0 'OK  dns 4 is live on 2 of 2' fleetctl rollout show "$(newest_rollout)" -w
# ... also one that fails in the end.
change broken
sed -i 's/^\( *args:\).*/\1 ["--port=5353"]/; s/deadline: .*/deadline: 4s/' manifest.yml
killed_push
expect 3 'FAILED  dns 5: 0 healthy, 2 reverted' fleetctl rollout show "$(newest_rollout)" -w
all_live 4 2 || die "not both devices run dns 4"
answers 1 && answers 2 || die "dns 4 does not answer after a revert"

# No controller at all: a device starts by its stored state.
lab_stop controller
lab_stop agent-1 KILL
lab_stop launcher-1 KILL
lab_launcher_start 1
lab_agent_start 1
lab_wait 40 answers 1 || die "edge-1 does not come back without a controller"
ok "a device comes back without its controller"
lab_controller_start
lab_wait 40 online 2 || die "not all devices came back to the controller"
cp "$images/dns/manifest.yml" manifest.yml
expect 0 'live on 2 of 2' fleetctl push dns --to edge
echo "$passed passed, 0 failed"
