#!/usr/bin/env bash
# Devices that do not know the time, and releases that keep to a time of day. A device without a clock
# boots what it has, takes what it can verify as newer, and deletes nothing because of a date; a
# window is judged by the controller, where the device is.
LAB=ftime LAB_PORT=18486
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
faketime=$(dpkg -L libfaketime | grep 'libfaketime.so.1$')
# clock SECONDS: the agents that start from now on believe that it is so long after 1970.
clock() { LAB_AGENT_ENV="LD_PRELOAD=$faketime DONT_FAKE_MONOTONIC=1 FAKETIME_FMT=%s FAKETIME=@$1"; }
# held: what must not go because of a date, as one line per file.
held() { (cd "$state" && find blobs metadata -type f -exec sha256sum {} + | sort -k2); }
# reboot: everything of the device ends, guests too, and starts again.
reboot() {
  lab_stop agent-1 KILL
  lab_stop launcher-1 KILL
  lab_launcher_start 1
  lab_agent_start 1
}

clock 10
fleet 1
state=$LAB_DIR/edge-1/state
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
grep -q '^1970-01-01T' "$LAB_DIR/edge-1/agent.log" || die "the agent does not live in 1970: $(head -1 "$LAB_DIR/edge-1/agent.log")"
answers 1 || die "dns 1 does not answer"
ok "a device in 1970 takes a signed release"

# It starts again in 1970, without a controller: what it has, at once.
before=$(held)
lab_stop controller
reboot
lab_wait 40 answers 1 || die "edge-1 does not come back in 1970 without a controller"
[[ $(held) == "$before" ]] || die "a start in 1970 changed what the device holds"
ok "it comes back in 1970 without its controller, and holds what it held"
lab_controller_start
lab_wait 40 online 1 || die "edge-1 does not come online in 1970"
change second
expect 0 'OK  dns 2 is live on 1 of 1' fleetctl push dns --to edge
ok "in 1970 it takes what is newer"

# A clock far ahead, beyond every date that was signed: not believed, nothing thrown away.
clock 4102444800  # 2100
before=$(held)
lab_stop controller
reboot
lab_wait 40 answers 1 || die "edge-1 does not come back in 2100"
sleep 2
[[ $(held) == "$before" ]] || die "a start in 2100 changed what the device holds"
ok "a clock in 2100 deletes nothing, and what is there starts"
lab_controller_start
lab_wait 40 online 1 || die "edge-1 does not come online in 2100"
live edge-1 2 || die "edge-1 does not run dns 2"
change third
# Whether the kernel calls its clock synchronised is the host's affair: then 2100 is believed, and
# all that was signed is over.
if fleetctl push dns --to edge >"$LAB_DIR/push" 2>&1; then
  live edge-1 3 || die "edge-1 does not run dns 3"
else
  fleetctl device show edge-1 --json | jq -e '.. | .clock_synchronised? // empty' >/dev/null ||
    die "a clock that is not synchronised was believed: $(cat "$LAB_DIR/push")"
  reported edge-1 FAILED CODE_EXPIRED 'expire'
  live edge-1 2 || die "edge-1 does not run dns 2"
fi
answers 1 || die "edge-1 does not answer in 2100"
ok "in 2100 the signed dates count, or the clock is known to be right"

# Windows. Two hours from now, by UTC: closed here, open where it is two hours later.
LAB_AGENT_ENV=""
reboot
lab_wait 40 online 1 || die "edge-1 does not come online"
hour=$(date -u +%-H)
window=$(printf '%02d:00-%02d:00' $(((hour + 2) % 24)) $(((hour + 4) % 24)))
window=${window/-00:00/-24:00}
sed -i "/^  update:/a\    download: \"$window\"" manifest.yml
change fourth
runs=$(newest_release) fetched=$(du -sb "$state/blobs" "$state/partial" | awk '{s += $1} END {print s}')
fleetctl push dns --to edge --detach >/dev/null
waits() { fleetctl rollout show "$(newest_rollout)" | grep -q "waiting .*waits for its download window, $window UTC"; }
lab_wait 10 waits || die "edge-1 does not say that it waits: $(fleetctl rollout show "$(newest_rollout)")"
sleep 1
[[ $(du -sb "$state/blobs" "$state/partial" | awk '{s += $1} END {print s}') == "$fetched" ]] ||
  die "edge-1 fetched outside its window"
answers 1 || die "dns $runs does not answer while dns $((runs + 1)) waits"
ok "outside its window it waits, says so, and fetches nothing"
expect 1 'tz: "Moon/Base" is no time zone' fleetctl device label edge-1 tz=Moon/Base
fleetctl device label edge-1 tz=Etc/GMT-2 >/dev/null  # UTC+2, in POSIX's way to say it
lab_wait 20 live edge-1 $((runs + 1)) || die "the window opened and edge-1 did not update"
answers 1 || die "edge-1 does not answer"
ok "inside it, by its own time zone, it updates"
echo "$passed passed, 0 failed"
