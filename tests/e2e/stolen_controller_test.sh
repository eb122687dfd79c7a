#!/usr/bin/env bash
# A stolen controller: somebody has its data directory and both online keys, and runs the controller
# over what he writes there. What he can make the real agent do, and what not.
LAB=thief LAB_PORT=18481
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
data=$LAB_DIR/controller loot=$LAB_DIR/loot
mkdir "$loot"
chown "$LAB_CONTROLLER_UID" "$loot"
as_thief() { setpriv --reuid="$LAB_CONTROLLER_UID" --regid="$LAB_CONTROLLER_UID" --clear-groups "$@"; }
sql() { as_thief sqlite3 -cmd '.timeout 5000' "$data/controller.db" "$@"; }

# --- what is stolen, and put back
steal() { sql '.mode insert metadata' 'SELECT * FROM metadata' >"$LAB_DIR/$1.sql"; }
put_back() { sql 'DELETE FROM metadata' ".read $LAB_DIR/$1.sql"; }
# get ROLE [VERSION], put ROLE VERSION: the file $loot/ROLE out of the store and into it.
get() { rm -f "$loot/$1"; sql "SELECT writefile('$loot/$1', text) FROM metadata WHERE role = '$1' ORDER BY version = '${2:-}' DESC, version DESC LIMIT 1" >/dev/null; }
put() { sql "INSERT OR REPLACE INTO metadata (role, version, text) VALUES ('$1', $2, CAST(readfile('$loot/$1') AS TEXT))"; }
version() { jq .signed.version "$loot/$1"; }
edit() { jq "${@:2}" "$loot/$1" >"$loot/edited" && mv "$loot/edited" "$loot/$1"; }
sign() { "$build/bin/tuf_sign" "${@:2}" <"$loot/$1" >"$loot/signed" && mv "$loot/signed" "$loot/$1"; }
meta() { jq -n --argjson v "$(version "$1")" --argjson l "$(stat -c %s "$loot/$1")" --arg h "$(sha256sum <"$loot/$1" | cut -d' ' -f1)" \
  '{version: $v, length: $l, hashes: {sha256: $h}}'; }
# republish [ROLE...]: those files of $loot, and a snapshot and a timestamp of his that name them.
republish() {
  local role
  get snapshot; get timestamp
  high=$(($(version snapshot) > high ? $(version snapshot) : high))
  high=$(($(version timestamp) > high ? $(version timestamp) + 1 : high + 1))
  for role in "$@"; do
    put "$role" "$(version "$role")"
    edit snapshot --arg r "$role.json" --argjson m "$(meta "$role")" '.signed.meta[$r] = $m'
  done
  edit snapshot --argjson v "${far:-$high}" '.signed.version = $v'
  sign snapshot "$loot/snapshot.key"
  put snapshot "$(version snapshot)"
  edit timestamp --argjson v "${far:-$high}" --argjson m "$(meta snapshot)" \
    '.signed.version = $v | .signed.meta["snapshot.json"] = $m'
  sign timestamp "$loot/timestamp.key"
  put timestamp "$(version timestamp)"
}
high=0  # the device believes no version twice, so each theft is newer than the one before
# again: all as it was, and fresh.
again() { put_back true; republish; }

# --- what he wants of the device
thefts=0
# want RELEASE [RUN [FALL_BACK]]: the device is told so; its verdict about that attempt is awaited.
want() {
  thefts=$((thefts + 1))
  attempt=$(printf 'theft%011d' "$thefts")
  lab_stop agent-1
  sql "UPDATE rollout_devices SET ended = 1;
       UPDATE desired SET release_number = $1, run = ${2:-1}, fall_back = ${3:-0}, attempt = '$attempt', rollout = '', deadline_ms = 20000;
       UPDATE devices SET generation = generation + 1"
  lab_agent_start 1
  lab_wait 20 verdict || die "no verdict of edge-1 about its attempt $attempt"
}
verdict() { grep "app.reported.*attempt=$attempt" "$LAB_DIR/edge-1/agent.log" | grep -qE 'state=(HEALTHY|FAILED|HELD|STOPPED|REVERTED|REMOVED)'; }
said() { grep "app.reported.*attempt=$attempt" "$LAB_DIR/edge-1/agent.log" | tail -n 1; }
runs() { lab_as_agent 1 fleet-agent status --state-dir "$LAB_DIR/edge-1/state" --json | jq -e --arg r "$1" '.apps[] | select(.app == "dns") | .live_release == $r' >/dev/null; }
cannot() {  # cannot WHAT STATE TEXT: the last want ended so, and the device runs what it ran
  grep -qE -- "state=$2 .*$3" <<<"$(said)" || die "$1: $(said)"
  runs "$good" || die "$1: the device does not run dns $good"
  ok "he cannot: $1 ($(sed 's/.*state=\([A-Z]*\).* why="\([^"]*\).*/\1: \2/' <<<"$(said)"))"
}
can() {  # can WHAT STATE RELEASE
  grep -q "state=$2 " <<<"$(said)" || die "$1: $(said)"
  [[ $2 == STOPPED ]] || runs "$3" || die "$1: the device does not run dns $3"
  good=$3
  ok "he can: $1"
}

expect 0 'OK  dns 1 is live' fleetctl push dns --to edge
change second
expect 0 'OK  dns 2 is live' fleetctl push dns --to edge
good=2
ask_on 1
# Two more, and the app of another team, which no device has seen; then the theft.
lab_stop agent-1
for name in third fourth; do change "$name"; fleetctl push dns --to edge --detach >/dev/null; done
expect 0 'apps/web is signed' fleetctl keys delegate web
sed 's/name: dns/name: web/; s/"53:53/"5353:53/g' manifest.yml >web.yml
fleetctl push web -f web.yml --to edge --detach >/dev/null
steal true
sql "DELETE FROM desired WHERE app = 'web'"
"$build/bin/tuf_sign" new "$loot/own.key"
cp "$data"/{snapshot,timestamp}.key "$loot"

# --- code: unsigned, of other hands, of another app, of another fleet
get apps.dns
edit apps.dns '.signatures = []'
republish apps.dns
want 4
cannot "bring an unsigned role" FAILED 'apps.dns version 4 has 0 good signature'
again
for key in own.key snapshot.key; do
  get apps.dns
  sign apps.dns "$loot/$key"
  republish apps.dns
  want 4
  cannot "sign the app's role with $key" FAILED 'apps.dns version 4 has 0 good signature'
  again
done
get apps.dns
sign apps.dns "$(ls "$LAB_DIR"/operator/*/*/keys/apps.web--*.key)" "$FLEET_PASSPHRASE_FILE"
republish apps.dns
want 4
cannot "give dns what the key of web signed" FAILED 'apps.dns version 4 has 0 good signature'
again
get targets
sign targets "$loot/own.key"
republish targets
want 4
cannot "delegate the app to himself" FAILED 'targets version 3 has 0 good signature'
again
get root
edit root '.signed.version += 1'
sign root "$loot/own.key"
put root "$(version root)"
want 4
cannot "make a root of his own" FAILED 'root version 2 .by the keys of version 1. has 0 good signature'
again

# --- a signed manifest, changed: arguments, memory, ports
manifest=$(sql "SELECT manifest_sha256 FROM releases WHERE app = 'dns' AND number = 4")
proto() { protoc -I "$root/proto" "$1=fleet.v1.AppManifest" fleet/v1/app.proto; }
chmod u+w "$data/blobs/$manifest"
cp "$data/blobs/$manifest" "$loot/manifest"
changed() {  # changed WHAT SED-SCRIPT
  proto --decode <"$loot/manifest" | sed "$2" | proto --encode | cat >"$data/blobs/$manifest"
  cmp -s "$loot/manifest" "$data/blobs/$manifest" && die "$1 was not changed"
  want 4
  cannot "change $1 of a signed manifest" FAILED 'the bytes are not those that were signed'
}
changed 'an argument' 's/--rrl=1000/--rrl=9999/'
changed 'the memory limit' 's/memory_bytes: .*/memory_bytes: 67108864/'
changed 'a published port' 's/host_port: 53/host_port: 54/'
changed 'a network rule' 's/any: true/any: false/'
cat "$loot/manifest" >"$data/blobs/$manifest"

# --- bytes of an image; files of two times; more bytes than there may be
zone=$data/blobs/$(sha256sum zones/example.test.zone | cut -d' ' -f1)
chmod u+w "$zone"
cp "$zone" "$loot/zone"
tr a-z b-za <"$loot/zone" >"$zone"
want 4
cannot "exchange a file of a release" FAILED "$(basename "$zone" | head -c 8)"
cat "$loot/zone" >"$zone"
get apps.dns 2
republish apps.dns
want 4
cannot "mix an old role into a new snapshot" FAILED 'apps.dns.json in snapshot version 2 was offered, but [0-9] is already trusted'
again
{ cat "$loot/timestamp"; head -c 4000000 /dev/zero | tr '\0' ' '; } >"$loot/large" && mv "$loot/large" "$loot/timestamp"
put timestamp 99999999999
want 4
cannot "send without end" FAILED 'more than the 16384 bytes that are allowed'
again

# --- old releases
want 1
cannot "bring back an older release" FAILED 'dns 1 is not above 2'
want 1 1 1  # the one step back is his, as it is the operator's
can "order the one step back inside the signed window" HEALTHY 1
want 2 1 2
cannot "order a second step" HELD "is not in this device's other slot"
none_lost 1

# --- what is his, too: which newer one, when, and whether at all
want 3
can "choose among the newer releases that are listed" HEALTHY 3
want 3 2
can "stop it" STOPPED 3
want 3
can "start it again" HEALTHY 3

# --- a yank that the device knows
expect 0 'dns 1 is yanked' fleetctl yank dns 1
expect 0 'dns 4 is yanked' fleetctl yank dns 4
knows() { grep -q "release.yanked app=dns release=$1" "$LAB_DIR/edge-1/agent.log"; }
lab_wait 20 knows 1 && lab_wait 20 knows 4 || die "the device never learnt of the yanks"
steal yanked
put_back true  # he hides it all
want 1 1 1
cannot "go back to a release that the device knows as yanked" HELD 'dns 1 is yanked'
want 4
cannot "install one that it knows as yanked" FAILED 'dns 4 was yanked'
put_back yanked

# --- fast-forward: versions at their end, signed with the true keys
far=9000000000000000
republish
unset far
want 9
cannot "invent a release, but he drives the versions to their end" FAILED 'no role lists'
fleetctl keys list >/dev/null  # the operator sees them, too
put_back yanked
change fifth
expect 1 'timestamp version [0-9]+ was offered, but 9000000000000000 is already trusted' \
  fleetctl push dns --to edge
expect 1 'fleetctl keys rotate snapshot timestamp' fleetctl yank dns 3
expect 0 'Root 2 of localhost is in force' fleetctl keys rotate snapshot timestamp
expect 0 'OK  dns 5 is live on 1 of 1' fleetctl push dns --to edge
good=5
ok "new online keys end it: operator and device follow again"
steal recovered
republish
want 9
cannot "sign with the keys that he has" FAILED 'timestamp version [0-9]+ has 0 good signature'
put_back recovered

# --- silence, and a number that outlives its app
lab_stop controller
answers 1 || die "without a controller the app does not answer"
ok "he can: be silent; the app answers on"
lab_controller_start
want 5 3
grep -q 'state=REMOVED' <<<"$(said)" || die "not removed: $(said)"
ok "he can: take the app off"
want 3
grep -qE 'state=FAILED .*dns 3 is not above 5' <<<"$(said)" || die "an older number after a delete: $(said)"
ok "he cannot: bring an older release after it (FAILED: dns 3 is not above 5)"
echo "$passed passed, 0 failed"
