#!/usr/bin/env bash
# Updates by delta, with real programs and a guest: the first image comes compressed; a small change
# costs a small download; a broken delta is followed by the whole image, but never over the budget; a
# killed agent goes on where its download ended. A client asks all the while.
LAB=delta LAB_PORT=18476
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
state=$LAB_DIR/edge-1/state
log=$LAB_DIR/edge-1/agent.log

image=dns.x86_64.spt
# edit FROM TO: the same length, so that the image runs as before.
edit() { LC_ALL=C sed -i "s/$1/$2/" dns.x86_64.*; }
# policy LINE...: what the manifest's update says.
policy() {
  sed -i '/^  update:/,$d' manifest.yml
  printf '  update:\n' >>manifest.yml
  printf '    %s\n' "$@" >>manifest.yml
}
digest() { sha256sum "$1" | cut -d' ' -f1; }
fetched() {
  fleetctl rollout show "$(newest_rollout)" --json |
    jq '.devices[0].fetched_bytes // "0" | tonumber'
}
held=()  # digests of the images that the device may have
# broken_deltas: what the controller has as the deltas from these to $image are none.
broken_deltas() {
  local base
  lab_stop controller
  head -c 3000 /dev/urandom >"$LAB_DIR/broken"
  for base in "${held[@]}"; do
    install -m 0444 -o "$LAB_CONTROLLER_UID" -g "$LAB_CONTROLLER_UID" "$LAB_DIR/broken" \
      "$LAB_DIR/controller/deltas/$base.$(digest "$image").$(digest "$log")"
  done
  lab_controller_start
  lab_wait 30 online 1 || die "edge-1 is not back"
}

expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
whole=$(stat -c %s "$image")
bytes=$(fetched)
((bytes > 0 && bytes * 10 <= whole * 6)) || die "$bytes bytes fetched of $whole"
ok "the first image, of $whole bytes, costs $bytes"
reported edge-1 HEALTHY '' 'compressed'
ask_on 1

held+=("$(digest "$image")")
edit 'a second entry `args`' 'a double entry `args`'
expect 0 'live on 1 of 1' fleetctl push dns --to edge
bytes=$(fetched)
((bytes > 0 && bytes * 10 <= whole)) || die "$bytes bytes fetched of $whole"
ok "a changed word in an image of $whole bytes costs $bytes"
reported edge-1 HEALTHY '' 'by delta'
compgen -G "$LAB_DIR/controller/deltas/${held[0]}.$(digest "$image").*" >/dev/null ||
  die "the controller keeps no delta"

held+=("$(digest "$image")")
edit 'a second entry `env`' 'a double entry `env`'
broken_deltas
expect 0 'live on 1 of 1' fleetctl push dns --to edge
bytes=$(fetched)
((bytes >= whole + 3000 && bytes < whole + 8000)) || die "$bytes bytes fetched of $whole"
reported edge-1 HEALTHY '' 'a delta was broken, fetched whole'
grep -q 'delta.refused' "$log" || die "the log does not say it"

held+=("$(digest "$image")")
edit 'a second entry `config`' 'a double entry `config`'
policy "max_bytes: $((whole / 1024))K"
broken_deltas
expect 3 'budget|max_bytes' fleetctl push dns --to edge
reported edge-1 FAILED CODE_BUDGET 'a delta was broken.*update.max_bytes allows'
bytes=$(fetched)
((bytes < 8000)) || die "$bytes bytes fetched over the budget"
live edge-1 3 || die "edge-1 does not run dns 3"
[[ -z $(find "$state/partial" -type f) ]] || die "left over: $(ls "$state/partial")"

# A download that takes its time, in an image that no delta tells.
policy 'download_rate: 64K/s'
head -c 300000 /dev/urandom >>"$image"
size=$(stat -c %s "$image")
fleetctl push dns --to edge --detach >/dev/null
partial=$state/partial/$(digest "$image")
half_there() { (($(stat -c %s "$partial" 2>/dev/null || echo 0) > size / 4)); }
lab_wait 30 half_there || die "no download is under way"
lab_stop agent-1 KILL
no_fetch() { ! ip netns pids "$LAB-edge-1" | xargs -r ps -o comm= -p | grep -qx fleet-fetch; }
lab_wait 10 no_fetch || die "fleet-fetch outlives the agent"
had=$(stat -c %s "$partial")
((had > size / 4 && had < size)) || die "$had of $size bytes were there"
lab_agent_start 1
lab_wait 40 ended || die "the update does not end"
bytes=$(fetched) manifest=2000
((had + bytes >= size && had + bytes <= size + manifest)) || die "$had and $bytes bytes for $size"
ok "killed at $had of $size bytes, the agent fetched the rest and a manifest: $((had + bytes))"
reported edge-1 HEALTHY '' 'dns 3/3'
[[ -z $(find "$state/partial" -type f) ]] || die "left over: $(ls "$state/partial")"
none_lost 1
echo "$passed passed, 0 failed"
