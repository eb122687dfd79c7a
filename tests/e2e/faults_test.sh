#!/usr/bin/env bash
# What goes wrong on the way of a push: each fault leaves the good release answering and a truthful
# report, and the next push works.
LAB=faults LAB_PORT=18445
. "$(dirname "$0")/lib.sh"
fleet 2
expect 0 'OK  dns 1 is live on 2 of 2' fleetctl push dns --to edge
change() { printf 'c%s A 192.0.2.90\n' "$1" >>zones/example.test.zone; }

# A device that is offline when the push comes: not failed, and it joins when it returns.
lab_stop agent-2 KILL
offline() { fleetctl devices --json | jq -e '.devices[] | select(.name == "edge-2") | .online | not' >/dev/null; }
lab_wait 40 offline || die "edge-2 does not become offline"
answers 2 || die "the guest of edge-2 ended with its agent"
ok "a guest survives its agent"
change 2
expect 0 'offline' fleetctl push dns --to edge
lab_agent_start 2
lab_wait 30 live edge-2 2 || die "edge-2 did not join dns 2 on its return"
answers 2 || die "edge-2 does not answer after it joined"
ok "an offline device joins on return"

# The controller is killed in the middle of a rollout: it goes on from its store.
change 3
fleetctl push dns --to edge --detach >/dev/null
lab_stop controller KILL
lab_controller_start
both() { live edge-1 3 && live edge-2 3; }
lab_wait 60 both || die "the rollout did not go on after the controller was killed"
ok "a rollout survives the controller"
fleetctl rollout show "$(fleetctl rollouts --json | jq -r '.rollouts[0].id')" -w >/dev/null || die "rollout show"

# The launcher dies: its guests die with it, nothing leaks, and they come back.
lab_stop launcher-1 KILL
lab_launcher_start 1
lab_wait 40 answers 1 || die "edge-1 does not answer after its launcher was killed"
[[ $(ip -n "$LAB-edge-1" -o link | grep -c 'flt') == 1 ]] || die "taps leaked"
ok "guests come back after the launcher was killed, no tap leaks"

# The agent dies in the middle of an update, at different moments.
release=3
for delay in 0.02 0.06 0.1 0.15 0.2 0.3 0.5; do
  change "k$release"
  release=$((release + 1))
  fleetctl push dns --to edge --detach >/dev/null
  sleep "$delay"
  lab_stop agent-1 KILL
  answers 1 || die "nothing answers on edge-1 after kill -9 at $delay s"
  lab_agent_start 1
  both() { live edge-1 "$release" && live edge-2 "$release"; }
  lab_wait 60 both || die "dns $release did not arrive after the agent was killed at $delay s"
  answers 1 || die "edge-1 does not answer dns $release"
  ok "agent killed $delay s into an update: dns $release arrived"
done

# A published port that is taken: refused before anything is staged; what runs, runs on.
ip netns exec "$LAB-edge-1" timeout 60 busybox nc -l -p 5399 >/dev/null 2>&1 &
holder=$!
lab_wait 30 online 2 || die "edge-1 is not back"
sed -i 's#publish:.*#publish: ["53:53/udp", "53:53/tcp", "5399:53/tcp"]#' manifest.yml
expect 3 '5399' fleetctl push dns --to edge
answers 1 || die "edge-1 does not answer after a refused port"
kill "$holder" 2>/dev/null || true
cp "$images/dns/manifest.yml" manifest.yml
release=$((release + 1))

# fleetctl is killed: the push belongs to the server.
change last
timeout -s KILL 0.4 fleetctl push dns --to edge >/dev/null 2>&1 || true
newest=$(fleetctl releases dns --json | jq -r '[.releases[].number | tonumber] | max')
both() { live edge-1 "$newest" && live edge-2 "$newest"; }
lab_wait 60 both || die "the rollout ended with its fleetctl"
ok "a push goes on without its fleetctl"

# No controller at all: the device restarts by its stored state.
lab_stop controller
lab_stop agent-1 KILL
lab_stop launcher-1 KILL
lab_launcher_start 1
lab_agent_start 1
lab_wait 40 answers 1 || die "edge-1 does not come back without a controller"
ok "a device comes back without its controller"
echo "$passed passed, 0 failed"
