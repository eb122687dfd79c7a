#!/usr/bin/env bash
# The real programs: agent, fetch and controller are recorded during one update of a real guest; then
# device and controller are begun anew from what a power cut of both leaves, at durable calls of the
# agent spread over the whole update. Each time the device comes to the newest release that the
# controller took, and the next push works. e2e.faults_agent_test kills them at such calls.
#   FLEET_CUTS=N (default 8) power cuts; 0: at every call
LAB=pcut LAB_PORT=18487
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/../e2e/lib.sh"
cuts=${FLEET_CUTS:-8}
preload=$build/tests/faults/libfleet_faults_preload.so
disk=$LAB_BIN/faults_disk
fleet 1
state=$LAB_DIR/edge-1/state
install -m 0644 "$preload" "$LAB_DIR/recorder.so"
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge

stop_all() { lab_stop agent-1 "${1:-TERM}"; lab_stop controller "${1:-TERM}"; }
# power_off: nothing of the device and the controller is left in memory.
power_off() {
  local pid
  stop_all KILL
  lab_stop launcher-1 KILL
  for pid in $(ip netns pids "$LAB-edge-1"); do kill -9 "$pid" 2>/dev/null || true; done
}
recorder() {  # recorder OWN PEER ROOT: the environment of a program that is recorded
  echo "LD_PRELOAD=$LAB_DIR/recorder.so FLEET_FAULTS_ROOT=$3 FLEET_FAULTS_TRACE=$LAB_DIR/trace/$1 FLEET_FAULTS_PEER=$LAB_DIR/trace/$2"
}

# One update, recorded: agent and fetch in one trace, the controller in the other.
sleep 1
stop_all
mkdir -p "$LAB_DIR/before" && install -d -m 1777 "$LAB_DIR/trace"
cp -a "$state" "$LAB_DIR/before/device"
cp -a "$LAB_DIR/controller" "$LAB_DIR/before/controller"
cp -a "$FLEET_HOME" "$LAB_DIR/before/operator"
LAB_CONTROLLER_ENV=$(recorder controller device "$LAB_DIR/controller") lab_controller_start
LAB_AGENT_ENV=$(recorder device controller "$state") lab_agent_start 1
lab_wait 20 online 1 || die "edge-1 does not come back with a recorder"
change recorded
expect 0 'OK  dns 2 is live on 1 of 1' fleetctl push dns --to edge
sleep 1
power_off
for program in device controller; do
  "$disk" calls "$LAB_DIR/trace/$program" >"$LAB_DIR/$program.calls"
done
calls=$(wc -l <"$LAB_DIR/device.calls")
ok "recorded: $calls durable calls of the agent, $(wc -l <"$LAB_DIR/controller.calls") of the controller"
"$disk" make "$LAB_DIR/before/device" "$LAB_DIR/trace/device" "$calls" none "$LAB_DIR/replayed"
diff -r -x '*-shm' -x '*.sock' "$LAB_DIR/replayed" "$state" || die "a durable call was not recorded"
for call in "write partial/" "rename partial/" "write agent.db-wal" "sync_data agent.db-wal"; do
  grep -q "^$call" "$LAB_DIR/device.calls" || die "no call was recorded: $call"
done
cp -r . "$LAB_DIR/operator-files"

# pinned: the blobs that the device's records name; stored: those that it has.
pinned() { sqlite3 -readonly "$state/agent.db" 'SELECT DISTINCT digest FROM slot_blobs ORDER BY digest'; }
stored() { ls "$state/blobs" "$state/partial" | grep -E '^[0-9a-f]{64}$' | sort; }
blobs_are_whole() {
  local file
  for file in "$state"/blobs/*; do
    [[ $(sha256sum <"$file") == "$(basename "$file")  -" ]] || die "$file is not what its name says"
  done
}
# The running image is what was pushed: the live slot's release, and its answers.
runs() { live edge-1 "$1" && answers 1; }
# works_on WHERE: after a cut the device comes to dns 2, if its push was accepted, else stays at dns 1;
# then the next push works and nothing is left over.
declare -A ended=()
works_on() {
  local newest
  lab_wait 20 online 1 || die "edge-1 does not come back: $1"
  newest=$(newest_release)
  lab_wait 30 runs "$newest" || die "dns $newest does not run: $1"
  blobs_are_whole
  ended[$newest]=$((${ended[$newest]:-0} + 1))
  lab_wait 15 ended || die "a rollout has no end: $1"
  change "next$((++nexts))"
  fleetctl push dns --to edge --wait 60s >"$LAB_DIR/push.log" 2>&1 ||
    die "the next push does not work: $1: $(tail -n 3 "$LAB_DIR/push.log")"
  lab_wait 10 runs "$(newest_release)" || die "the next release does not run: $1"
  only_pinned() { [[ $(pinned) == "$(stored)" ]]; }
  lab_wait 15 only_pinned || die "the store holds $(stored), its records name $(pinned): $1"
}
nexts=0

# cut_at CALLS LOSS: the files of both as a power cut there leaves them, and power again.
cut_at() {
  local peer
  rm -rf "$state" "$LAB_DIR/controller" "$FLEET_HOME"
  cp -a "$LAB_DIR/before/operator" "$FLEET_HOME"
  "$disk" make "$LAB_DIR/before/device" "$LAB_DIR/trace/device" "$1" "$2" "$state"
  peer=$("$disk" peer "$LAB_DIR/trace/device" "$1" "$LAB_DIR/trace/controller")
  "$disk" make "$LAB_DIR/before/controller" "$LAB_DIR/trace/controller" "$peer" "$2" "$LAB_DIR/controller"
  chmod 0700 "$state" "$LAB_DIR/controller"
  chown -R "$LAB_AGENT_UID:$LAB_AGENT_UID" "$state"
  chown -R "$LAB_CONTROLLER_UID:$LAB_CONTROLLER_UID" "$LAB_DIR/controller"
  rm -rf "$LAB_DIR/dns" && cp -r "$LAB_DIR/operator-files" "$LAB_DIR/dns" && cd "$LAB_DIR/dns"
  lab_launcher_start 1
  lab_controller_start
  lab_agent_start 1
  works_on "cut behind call $1 of $calls, loss $2: $(head -n "$1" "$LAB_DIR/device.calls" | tail -n 1)"
  power_off
}
step=1
((cuts == 0)) || step=$(((calls + cuts - 1) / cuts))
losses=(unsynced 1 none 2 unsynced 3)
count=0
for ((cut = step / 2; cut <= calls; cut += step)); do
  cut_at "$cut" "${losses[count++ % ${#losses[@]}]}"
done
for newest in "${!ended[@]}"; do
  ok "${ended[$newest]} of $count power cuts came to dns $newest, and the next push worked"
done
echo "$passed passed, 0 failed"
