#!/usr/bin/env bash
# A device that cannot: its disk is full or fills up, a port is taken, QEMU is missing. Each is told
# on the device and on the terminal with what to do, nothing that worked is lost, and once it is
# mended the next push works.
LAB=fdevice LAB_PORT=18477
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
state=$LAB_DIR/edge-1/state
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
ask_on 1
good=1
refused() {  # refused CODE TEXT COMMAND...: that push fails so, and nothing changed
  local code=$1 text=$2; shift 2
  change "fault$((++faults))"
  expect 3 "$text" "$@"
  reported edge-1 FAILED "$code" "$text"
  live edge-1 "$good" || die "edge-1 does not run dns $good"
}
works_again() {
  change "mended$((++mended))"
  expect 0 'live on 1 of 1' fleetctl push dns --to edge
  good=$(newest_release)
}
faults=0 mended=0
said_in_one() { local got=0 said; said=$("$@" 2>&1) || got=$?; tr '\n' ' ' <<<"$said"; return "$got"; }

# A published port that is taken.
ip netns exec "$LAB-edge-1" busybox nc -l -p 5399 >/dev/null 2>&1 &
LAB_PIDS[holder]=$!
listens() { ip netns exec "$LAB-edge-1" ss -ltn | grep -q ':5399 '; }
lab_wait 5 listens
sed -i 's#publish:.*#publish: ["53:53/udp", "53:53/tcp", "5399:53/tcp"]#' manifest.yml
refused CODE_PORT_TAKEN '5399/tcp' fleetctl push dns --to edge
lab_stop holder KILL
works_again

# The disk: the state moves to a small one, without the guest noticing.
lab_stop agent-1
mkdir "$LAB_DIR/moved" && cp -a "$state/." "$LAB_DIR/moved"
mount -t tmpfs -o "size=12m,mode=0700,uid=$LAB_AGENT_UID,gid=$LAB_AGENT_UID" fdevice "$state"
trap 'status=$?; trap - EXIT; lab_stop agent-1 KILL; umount -l "$state"; lab_down; exit $status' EXIT
cp -a "$LAB_DIR/moved/." "$state"
lab_agent_start 1
lab_wait 20 online 1 || die "edge-1 is not back"
works_again
free_bytes() { df --output=avail -B1 "$state" | tail -n 1; }
fill() { head -c $(($(free_bytes) - $1)) /dev/zero >"$state/filler"; }
fill 3000000
refused CODE_NO_SPACE 'free on the disk.*remove an app' fleetctl push dns --to edge
rm "$state/filler"
works_again

# It fills up while a download is under way, which a wire that cuts holds up.
cut_wire
large_image
change large
fleetctl push dns --to edge --image large --detach >/dev/null
cut() { tail -n 1 "$LAB_DIR/edge-1/agent.log" | grep -q 'fetch.waits'; }
lab_wait 20 cut || die "no download was cut"
kill -STOP "${LAB_PIDS[agent-1]}"
fill 0
kill -CONT "${LAB_PIDS[agent-1]}"
lab_wait 20 ended || die "no verdict on a full disk"
reported edge-1 FAILED CODE_NO_SPACE 'make room on the device'
expect 3 'make room on the device' fleetctl rollout show "$(newest_rollout)" -w
live edge-1 "$good" || die "edge-1 does not run dns $good"
rm "$state/filler"
heal_wire
works_again

# QEMU is gone (in the launcher's view of the disk), and then the agent starts anew. The app is one
# for QEMU alone from here on.
sed -i '/spt: /d; /hvt: /d' manifest.yml
qemu=/usr/bin/qemu-system-x86_64
in_launcher() { nsenter -m -r -t "${LAB_PIDS[launcher-1]}" "$@"; }
in_launcher mount --bind /dev/null "$qemu"
change "fault$((++faults))"
expect 3 'qemu.*missing; apt install qemu' fleetctl push dns --to edge
reported edge-1 REVERTED CODE_MONITOR_MISSING 'qemu.*missing; apt install qemu'
live edge-1 "$good" || die "edge-1 does not run dns $good"
lab_stop agent-1
lab_agent_start 1
lab_wait 20 online 1 || die "edge-1 is not back"
# Now the probe knows: it is told before anything is signed, and in the device's own report.
expect 1 'nothing was signed.* edge-1: .*qemu.*missing; apt install qemu' said_in_one fleetctl push dns --to edge
fleetctl devices --json | jq -r '.devices[0].inventory.monitors[].evidence' | grep -q 'missing; apt install qemu' ||
  die "devices --json does not say why no monitor runs"
in_launcher umount "$qemu"
lab_stop agent-1
lab_agent_start 1
lab_wait 20 online 1 || die "edge-1 is not back"
works_again
none_lost 1
echo "$passed passed, 0 failed"
