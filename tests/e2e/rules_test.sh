#!/usr/bin/env bash
# DESIGN 4's rules across a running fleet: revert inside and outside the window, rollback under a new
# number, yank with and without stop, numbers that only rise; two devices, a real controller.
LAB=rules LAB_PORT=18480
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 2
state_of() { fleetctl ps --json | jq -r --arg d "$1" '.instances[] | select(.device == $d and .app == "dns") | .state'; }
is_state() { [[ $(state_of "$1") == "$2" ]]; }
is_yanked() { [[ $(fleetctl ps --json | jq -r --arg d "$1" '.instances[] | select(.device == $d) | .yanked') == true ]]; }
fetched() { fleetctl rollout show "$(newest_rollout)" --json | jq -r '[.devices[].fetched_bytes // "0" | tonumber] | max'; }
window() { sed -i "/fallback_window/d; s/^  update:/  update:\n    fallback_window: $1/" manifest.yml; }

expect 0 'OK  dns 1 is live on 2 of 2' fleetctl push dns --to edge
change second
expect 0 'OK  dns 2 is live on 2 of 2' fleetctl push dns --to edge

# One step back inside the window, by order; a second one is not to be had.
expect 0 'OK  dns' fleetctl revert dns --to edge-1
live edge-1 1 || die "edge-1 did not go back"
expect 3 "not in this device.s other slot" fleetctl revert dns --to edge-1
reported edge-1 HELD CODE_NO_FALLBACK ''
live edge-1 1 || die "edge-1 does not run dns 1"

# A yank: where it runs it runs on, marked; nobody goes back to it, nobody gets it again.
expect 0 'dns 1 is yanked.*' fleetctl yank dns 1
lab_wait 20 is_yanked edge-1 || die "edge-1 never learnt of the yank"
is_yanked edge-2 && die "edge-2 runs dns 2, which nobody yanked"
answers 1 || die "edge-1 does not answer"
expect 0 'edge-1 +dns +1 yanked' fleetctl ps
expect 0 '1 yanked' fleetctl releases dns
expect 0 'dns 1 yanked' fleetctl device show edge-1
expect 0 'was yanked before; nothing was signed' fleetctl yank dns 1
expect 1 'dns 1 was yanked; nothing was signed' fleetctl rollback dns --release 1 --to edge
expect 1 'lists no release 9' fleetctl yank dns 9
knows() { grep -q 'release.yanked app=dns release=1' "$LAB_DIR/edge-2/agent.log"; }
lab_wait 20 knows || die "edge-2 never learnt of the yank"
expect 3 'yanked' fleetctl revert dns --to edge-2
reported edge-2 HELD CODE_YANKED 'dns 1 is yanked'
live edge-2 2 || die "edge-2 does not run dns 2"

# Rollback: the old content under a new number; its bytes are there.
expect 0 'OK  dns 3 is live on 2 of 2' fleetctl rollback dns --release 2 --to edge
bytes=$(fetched)
((bytes > 0 && bytes < 8000)) || die "a rollback fetched $bytes bytes"
ok "the rollback fetched $bytes bytes: the manifest"
is_yanked edge-1 && die "edge-1 is still marked"

# With --stop, what runs it is stopped; the next release starts it again.
expect 0 'OK|stopped' fleetctl yank dns 3 --stop
lab_wait 10 is_state edge-1 stopped || die "edge-1 is $(state_of edge-1)"
lab_wait 10 is_state edge-2 stopped || die "edge-2 is $(state_of edge-2)"
change fourth
window 0s
expect 0 'OK  dns 4 is live on 2 of 2' fleetctl push dns --to edge

# Window 0: never. Then outside a window of one second.
expect 3 'held|window' fleetctl revert dns --to edge
reported edge-1 HELD CODE_NO_FALLBACK 'its fallback window is 0 s'
change fifth
window 1s
expect 0 'OK  dns 5 is live on 2 of 2' fleetctl push dns --to edge
sleep 1.2  # uptime is what the window counts
expect 3 'held|window' fleetctl revert dns --to edge
reported edge-2 HELD CODE_NO_FALLBACK 'its fallback window is 1 s'
all_live 5 2 || die "a revert outside its window changed something"

# Taken off and brought again: the number rises.
expect 0 '' fleetctl delete dns --to edge-2
expect 0 'OK  dns 6 is live on 2 of 2' fleetctl push dns --to edge
echo "$passed passed, 0 failed"
