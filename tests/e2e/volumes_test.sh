#!/usr/bin/env bash
# Volumes the whole way of a push, with a real guest on spt that counts its boots on one: what it
# counted is there after an update, a revert, a kill -9 of agent and launcher, a delete that keeps it;
# `sync` is what the kernel sees; what does not fit is refused before anything changes; kills at
# each durable step of making and deleting end with the whole or with nothing.
LAB=volumes LAB_PORT=18479
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
small=""  # a mounted disk that is too small
trap 'status=$?; trap - EXIT; lab_stop agent-2; [[ -z $small ]] || umount -l "$small"; lab_down; exit $status' EXIT
fleet 1
fleetctl keys delegate boots
mkdir "$LAB_DIR/boots"
cd "$LAB_DIR/boots"
cp "$images/boots/boots.x86_64.spt" .
file=$LAB_DIR/edge-1/state/volumes/boots/counter

# manifest 'VOLUME, ...' [ARGUMENT [LINE]]: the app with these volumes
manifest() {
  cat >manifest.yml <<YAML
version: 1
applications:
- name: boots
  images: {x86_64/spt: boots.x86_64.spt}
  memory: 8M
  args: [${2:-}]
  volumes: [$1]
  health: {type: console, line: "boots: ready", start_interval: 100ms, deadline: 60s}
${3:-}
YAML
}
counter() { manifest "{name: counter, $1}" "${@:2}"; }
count() { od -An -tu8 -N8 "$file" | tr -d ' '; }
counted() { [[ $(count) == "$1" ]]; }
is_live() { [[ $(fleetctl ps --json | jq -r '[.instances[] | select(.app == "boots" and .healthy)][0].release') == "$1" ]]; }
# guest_file: the descriptor that a tender has of the volume, as PID/fdinfo/N; nothing without a guest.
guest_file() {
  local fd pid
  for pid in $(pgrep -x fleet-spt); do
    for fd in /proc/"$pid"/fd/*; do
      [[ $fd -ef $file ]] && { echo "/proc/$pid/fdinfo/${fd##*/}"; return; }
    done
  done
  return 1
}
writes_through() { (($(awk '$1 == "flags:" {print "0" $2}' "$(guest_file)") & 010000)); }

# Before anything is signed.
refused() { expect 1 "$1" fleetctl push boots --to edge; }  # refused TEXT, with the manifest as it is
manifest ""
refused 'boots.x86_64.spt wants a block device counter; write volumes'
manifest "{name: counter, size: 64K}, {name: cache, size: 64K}"
refused 'has no block device cache; it declares counter'
counter "size: 66K"
refused 'manifest.yml:[0-9]+.*no multiple of 4K'
counter "size: 4K"
refused 'manifest.yml:[0-9]+.*4K is out of range; 64K to'
counter "size: 64K, sync: sometimes"
refused 'manifest.yml:[0-9]+.*is always, periodic or never'
manifest "{name: ../counter, size: 64K}"
refused 'manifest.yml:[0-9]+.*\[a-z\]'
counter "size: 64K, on_revert: perhaps"
refused 'manifest.yml:[0-9]+.*is keep or restore'
counter "size: 64K" "" "  update: {handover: beside}"
refused 'beside is not possible with a volume, which has one writer'
[[ $(fleetctl releases boots --json | jq '[.releases // [] | .[]] | length') == 0 ]] || die "a refused push left a release"
expect 0 'counter \(block\)' fleetctl inspect boots.x86_64.spt

counter "size: 64K"
expect 0 'OK  boots 1 is live on 1 of 1' fleetctl push boots --to edge
expect 0 'boots: 1 on 65536 bytes' fleetctl logs boots --device edge-1
[[ $(stat -c '%s %a %u' "$file") == "65536 600 $LAB_AGENT_UID" ]] || die "the volume is $(stat "$file")"
(($(stat -c '%b * %B' "$file") >= 65536)) || die "the volume's room is not reserved"
ok "the volume is the agent's alone, with all its room"
flock -n "$file" true && die "the volume is not locked while its guest runs"
writes_through && die "sync: periodic has O_DSYNC"
ok "one writer, by a lock that the guest holds"

counter "size: 64K" change
expect 0 'OK  boots 2 is live on 1 of 1' fleetctl push boots --to edge
counted 2 || die "after the update the count is $(count), not 2"
counter "size: 64K" fail
expect 3 'edge-1 +reverted +2 .*ended with status 3' fleetctl push boots --to edge
lab_wait 60 counted 4 || die "after the revert the count is $(count): not the failed boot, and one more"
lab_wait 60 is_live 2 || die "boots 2 does not run on"
ok "an update and a revert go on with the same volume; what a failed release wrote stays"

# The agent syncs, the next one as well.
synced() { grep -qE 'fdatasync\([0-9]+<.*/volumes/boots/counter>\) += 0' "$LAB_DIR/sync.trace"; }
watch_sync() {
  : >"$LAB_DIR/sync.trace"
  strace -qq -f -y -e trace=fdatasync -o "$LAB_DIR/sync.trace" -p "${LAB_PIDS[agent-1]}" 2>/dev/null &
  LAB_PIDS[tracer]=$!
  lab_wait 120 synced || die "nothing syncs the volume"
  lab_stop tracer
}
watch_sync
lab_stop agent-1 KILL
guest=$(guest_file) || die "the guest went with the agent"
lab_agent_start 1
lab_wait 60 is_live 2 || die "the next agent does not know the guest"
watch_sync
[[ $(guest_file) == "$guest" && $(count) == 4 ]] || die "kill -9 of the agent cost a boot"
ok "sync: periodic is a fdatasync of the agent's, also for a guest that it adopted"

lab_stop launcher-1 KILL
lab_launcher_start 1
lab_wait 60 counted 5 || die "after kill -9 of the launcher the count is $(count), not 5"
lab_wait 60 is_live 2 || die "boots 2 did not come back"
ok "kill -9 of the launcher: the guest is started again on its volume"

counter "size: 64K, sync: always"
expect 0 'OK  boots 4 is live on 1 of 1' fleetctl push boots --to edge
writes_through || die "sync: always has no O_DSYNC: $(cat "$(guest_file)")"
ok "sync: always is O_DSYNC on the guest's own descriptor"
counter "size: 128K, sync: never"
expect 0 'OK  boots 5 is live on 1 of 1' fleetctl push boots --to edge
[[ $(stat -c %s "$file") == 131072 ]] && counted 7 || die "grown: $(stat -c %s "$file") bytes, count $(count)"
counter "size: 64K"
expect 3 'has 128.* on this device.*write size: 128K' fleetctl push boots --to edge
is_live 5 || die "a refused size changed something"
ok "a larger size grows the volume, a smaller one is refused with its reason"
expect 0 '' fleetctl revert boots --to edge
lab_wait 60 counted 8 || die "after the way back by order the count is $(count), not 8"

# A delete keeps it, unless the manifest says not to.
expect 0 '' fleetctl delete boots --to edge
[[ -z $(guest_file) ]] || die "the guest runs on"
flock -n "$file" true || die "the lock outlives the guest"
counted 8 || die "the kept volume has $(count)"
left() { fleetctl volumes list boots | grep -qE 'edge-1 +boots +counter +128 KiB .* left '; }
lab_wait 90 left || die "what is left is not told: $(fleetctl volumes list boots)"
expect 0 '"left": true' fleetctl volumes list boots --json
counter "size: 128K, keep: false"
expect 0 'OK  boots 7 is live on 1 of 1' fleetctl push boots --to edge
counted 9 || die "the next install does not find the volume: $(count)"
expect 0 '' fleetctl delete boots --to edge
[[ ! -e $file ]] || die "keep: false was kept"
ok "a delete keeps a volume for the next install, or removes it"

# A kill at each durable step of making, and of deleting.
release=7
push_killed() {  # push_killed N: an install whose agent dies at the Nth; false: it has no such step
  dies_at agent-1 mkdirat,fallocate,fsync "$1" disk
  counter "size: 128K, keep: false" "n$((++release))"
  fleetctl push boots --to edge --detach >/dev/null
  over() { is_dead agent-1 || is_live "$release"; }
  lab_wait 60 over || die "the agent neither died nor came to boots $release"
  let_live
  is_dead agent-1 || return 1
  lab_stop agent-1
  lab_agent_start 1
  lab_wait 60 is_live "$release" || die "boots $release did not arrive after a kill at step $1"
}
delete_killed() {  # delete_killed N: the same of a delete
  dies_at agent-1 unlinkat,fsync "$1" disk
  fleetctl delete boots --to edge --detach >/dev/null || true
  over() { is_dead agent-1 || ended; }
  lab_wait 60 over || die "the agent neither died nor deleted boots"
  let_live
  is_dead agent-1 || return 1
  lab_stop agent-1
  lab_agent_start 1
  lab_wait 60 ended || die "boots was not deleted after a kill at step $1"
}
made=0 deleted=0
for ((n = 1; ; n++)); do
  push_killed "$n" && made=$n
  [[ $(stat -c %s "$file") == 131072 ]] && counted 1 || die "step $n: $(stat -c %s "$file") bytes, count $(count)"
  if ((deleted == n - 1)); then
    delete_killed "$n" && deleted=$n
  else
    fleetctl delete boots --to edge >/dev/null
  fi
  absent() { [[ ! -e $file ]]; }
  lab_wait 60 absent || die "step $n: the volume is still there"
  ((made == n)) || break
done
((made >= 2 && deleted >= 1)) || die "killed at $made steps of making and $deleted of deleting"
ok "the agent killed at each of $made durable steps of an install and $deleted of a delete"

# What a release wrote goes with it when it is left backwards, if the manifest says so.
goes_back="size: 128K, on_revert: restore"
lists() { fleetctl volumes list boots --to edge | grep -qE "$1"; }
counter "$goes_back" one
expect 0 'live on 1 of 1' fleetctl push boots --to edge
counted 1 || die "a new volume has $(count)"
counter "$goes_back" fail
expect 3 'edge-1 +reverted ' fleetctl push boots --to edge
lab_wait 60 counted 2 || die "after the revert the count is $(count): the failed boot's was to go with it"
lab_wait 90 lists 'counter +128 KiB .*restore +none now' || die "$(fleetctl volumes list boots)"
counter "$goes_back" two
expect 0 'live on 1 of 1' fleetctl push boots --to edge
number=$(fleetctl releases boots --json | jq '[.releases[].number | tonumber] | max')
lab_wait 90 lists "counter +128 KiB .*restore +before boots $number" || die "$(fleetctl volumes list boots)"
expect 0 '' fleetctl restart boots --to edge
lab_wait 60 counted 4 || die "after an update and a restart the count is $(count), not 4"
expect 0 '' fleetctl revert boots --to edge
lab_wait 60 counted 3 || die "after the way back by order the count is $(count): it was 2 before that release"
ok "on_revert: restore: a failed trial and a revert by order give the volume back"
# The agent killed while it copies or gives back: what the release on trial counted never stays, however
# often the one of before starts meanwhile. A start that is stopped at once may not have counted.
back=$(fleetctl ps --json | jq '.instances[0].release')
starts() { grep -c "guest.started app=boots release=$back " "$LAB_DIR/edge-1/agent.log"; }
started=$(starts)
counter "$goes_back" fail
dies_at agent-1 unlinkat 2 disk  # as it gives the volume back, or clears away
fleetctl push boots --to edge --detach >/dev/null
lab_wait 60 is_dead agent-1 || die "the agent lives on"
let_live
lab_stop agent-1
lab_agent_start 1
lab_wait 90 ended || die "the push has no end"
alone() { local n; n=$(count); ((n > 3 && n <= 3 + $(starts) - started)); }
lab_wait 60 alone || die "after a kill the count is $(count), with $(($(starts) - started)) starts since it was 3"
ok "a kill on the way back ends with the volume as it was"
expect 1 'made on each device by the push' fleetctl volumes create cache --size 8M
fleetctl delete boots --to edge >/dev/null

# The same image for QEMU, on the same volume, which its guest finds by name.
cp "$images/boots/boots.x86_64.virtio" .
before=$(count)
counter "size: 128K, keep: false, sync: always"
sed -i 's/spt/virtio/g' manifest.yml
expect 0 'live on 1 of 1' fleetctl push boots --to edge
expect 0 'boots .*qemu' fleetctl ps
counted $((before + 1)) || die "under QEMU the count is $(count), it was $before"
counter "size: 128K, keep: false" change
sed -i 's/spt/virtio/g' manifest.yml
expect 0 'live on 1 of 1' fleetctl push boots --to edge
counted $((before + 2)) || die "after an update under QEMU the count is $(count), it was $before"
ok "an image of ours has its volume under QEMU too"
fleetctl delete boots --to edge >/dev/null

# Another guest of QEMU: Debian's kernel, whose disk it is.
"$root/tests/e2e/guests/linux-web/build.sh" "$build/foreign/linux-web"
fleetctl keys delegate web
cp -r "$build/foreign/linux-web" "$LAB_DIR/web"
cd "$LAB_DIR/web"
sed -i 's/^  network:/  volumes: [{name: visits, size: 1M, sync: always}]\n&/' manifest.yml
expect 0 'OK  web 1 is live on 1 of 1' fleetctl push web --to edge
expect 0 'linux-web: boot 1 on visits' fleetctl logs web --device edge-1
file=$LAB_DIR/edge-1/state/volumes/web/visits
flock -n "$file" true && die "QEMU's volume is not locked while its guest runs"
sed -i 's/memory: 128M/memory: 130M/' manifest.yml
expect 0 'OK  web 2 is live on 1 of 1' fleetctl push web --to edge
expect 0 'linux-web: boot 2 on visits' fleetctl logs web --device edge-1
[[ $(head -c 1 "$file") == 2 ]] || die "the file does not say 2"
cd "$LAB_DIR/boots"

# A disk that is too small.
small=$LAB_DIR/edge-2/state
lab_device 2
mount -t tmpfs -o "size=24M,mode=0700,uid=$LAB_AGENT_UID,gid=$LAB_AGENT_UID" small "$small"
lab_launcher_start 2
fleetctl enroll-token --group small -o "$LAB_DIR/edge-2.boot"
lab_enroll 2 "$LAB_DIR/edge-2.boot"
lab_agent_start 2
lab_wait 60 online 2 || die "edge-2 does not come online"
counter "size: 64M"
expect 3 'edge-2 .*free on the disk, boots needs 64.* for its volumes' fleetctl push boots --to small
[[ ! -e $small/volumes && -z $(ls "$small/blobs") ]] || die "a refused release left something: $(ls -R "$small")"
counter "size: 8M"
expect 0 'live on 1 of 1' fleetctl push boots --to small
ok "a disk that is too small takes nothing of it"
echo "$passed passed, 0 failed"
