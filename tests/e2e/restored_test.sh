#!/usr/bin/env bash
# A controller that is put back to an older backup while its devices have gone on: they are known by
# what they obeyed, named everywhere, left alone by pushes and orders, and given back to the fleet by a
# person. Real backup and restore, two devices with guests that answer all the time.
LAB=restored LAB_PORT=18495
. "$(dirname "$0")/lib.sh"
fleet 2
as_controller() {
  setpriv --reuid="$LAB_CONTROLLER_UID" --regid="$LAB_CONTROLLER_UID" --clear-groups "$@"
}
instance() { fleetctl ps --json | jq -r --arg d "$1" '.instances[] | select(.device == $d) | .instance'; }
ahead() { [[ $(fleetctl devices --json | jq '[.devices[] | select(.ahead)] | length') == "$1" ]]; }
metric() { curl -fs --cacert "$LAB_DIR/ca.pem" -H "Authorization: Bearer $(<"$LAB_DIR/admin.token")" \
  "https://localhost:$LAB_PORT/metrics" | grep -x "$1"; }

expect 0 'dns 1 is live on 2 of 2' fleetctl push dns --to edge
install -d -o "$LAB_CONTROLLER_UID" -g "$LAB_CONTROLLER_UID" -m 0700 "$LAB_DIR/backups"
backup=$LAB_DIR/backups/fleet.backup
expect 0 'with all its keys: keep it safe' as_controller fleet-controller backup "$LAB_DIR/controller" "$backup"
[[ $(stat -c %a "$backup") == 600 ]] || die "the backup is not its owner's alone: $(stat -c %a "$backup")"
expect 1 'is there already' as_controller fleet-controller backup "$LAB_DIR/controller" "$backup"
change again
expect 0 'dns 2 is live on 2 of 2' fleetctl push dns --to edge
ahead 0 || die "a device is ahead of the controller that told it everything"
lab_stop controller
expect 1 'is not empty; stop its controller' as_controller fleet-controller restore "$backup" "$LAB_DIR/controller"
mv "$LAB_DIR/controller" "$LAB_DIR/lost"
install -d -m 0700 -o "$LAB_CONTROLLER_UID" -g "$LAB_CONTROLLER_UID" "$LAB_DIR/controller"
expect 0 'fleetctl device accept --to all' as_controller fleet-controller restore "$backup" "$LAB_DIR/controller"
for n in 1 2; do ask_on "$n"; done
one=$(curl -fsk "https://127.0.0.1:$LAB_PORT/healthz" || true)
[[ -z $one ]] || die "the old controller still answers"
lab_controller_start
lab_wait 60 ahead 2 || die "the devices are not known to be ahead: $(fleetctl devices)"

expect 0 '! ahead' fleetctl devices
expect 0 'edge-1 +obeyed a newer word .*runs dns 2, dns is known up to 1 +fleetctl device accept edge-1' fleetctl status
expect 0 'nothing is told to it until:  fleetctl device accept edge-2' fleetctl device show edge-2
expect 0 'held by +AHEAD' fleetctl why edge-1 dns
metric 'fleet_devices_ahead 2' >/dev/null || die "the metric does not say it"
kinds=$(curl -fs --cacert "$LAB_DIR/ca.pem" -H "Authorization: Bearer $(<"$LAB_DIR/admin.token")" \
  "https://localhost:$LAB_PORT/v1/fleet" | jq -c '[.needs[].kind] | unique')
[[ $kinds == '["ahead"]' ]] || die "the dashboard needs us for $kinds"
ok "status, devices, device show, why, metrics and the dashboard name them"

runs=$(instance edge-1)
expect 1 'ahead of this controller and left alone' fleetctl stop dns --to edge
expect 0 'has all that this machine has seen' fleetctl keys restore
change third
expect 1 'edge-1, edge-2 are ahead of this controller' fleetctl push dns --to edge
fleetctl device label edge-1 site=lyon >/dev/null
lab_stop controller
lab_controller_start  # it does not forget
lab_wait 60 ahead 2 || die "a restart forgot who is ahead"
lab_wait 60 online 2 || die "not both came back after the restart"
[[ $(instance edge-1) == "$runs" ]] || die "the guest of edge-1 is another one"
all_live 2 2 || die "something moved a device that is ahead"
ok "orders, pushes, labels and a restart move nothing"

expect 0 'edge-1: what it runs is what is wanted' fleetctl device accept edge-1
ahead 1 || die "edge-1 is still ahead"
expect 0 'None of them is ahead' fleetctl device accept edge-1
expect 0 'edge-1 runs dns 2, as wanted' fleetctl why edge-1 dns
expect 0 'OK  dns 3 is live on 1' fleetctl push dns --to edge
live edge-2 2 || die "the push moved edge-2"
expect 0 'edge-2: what it runs is what is wanted' fleetctl device accept --to all
lab_wait 60 live edge-2 3 || die "edge-2 did not join the push once it was accepted"
ok "an accepted device is a device as all others, and joins what waited for it"
for n in 1 2; do none_lost "$n"; done
expect 0 '' fleetctl restart dns --to edge
change fourth
expect 0 'dns 4 is live on 2 of 2' fleetctl push dns --to edge
expect 0 '' fleetctl revert dns --to edge
lab_wait 30 all_live 3 2 || die "not both went back"
[[ $(fleetctl audit --json | jq -r '[.entries[] | select(.action == "device.accepted") | .object] | sort | join(" ")') == "edge-1 edge-2" ]] ||
  die "the audit log does not say who decided"
echo "$passed passed, 0 failed"
