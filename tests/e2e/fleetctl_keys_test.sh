#!/usr/bin/env bash
# Keys in people's hands, against a real controller on loopback: a root by two of three people, signed
# on machines without a network; rotation, revocation, and what each refuses. tuf-client follows it.
port=18456 device_port=18457
. "$(dirname "$0")/controller_alone.sh"
export FLEET_HOME=$work/ana/home
metadata() {  # metadata FILE: as the controller serves it to operators
  curl -fsS --cacert "$work/ca.pem" -H "Authorization: Bearer $(<"$work/admin.token")" \
    "https://localhost:$port/v1/metadata/$1"
}
version_of() { metadata "$1" | jq .signed.version; }
first_key() { ls "$1"/"$2"--*.key | head -n 1; }
keys_here() { jq -r '.keys[] | select(.role == "'"$1"'") | .keyid[:8]' <<<"$(fleetctl keys list --json)"; }

umask 077
mkdir -p "$work"/{ana,ben,eva}
cd "$work/ana"
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
fleetctl login "https://localhost:$port" --token-file "$work/admin.token" --ca "$work/ca.pem" >/dev/null

# Three people, two of whom sign a root. Ben and Eva take their keys to machines of their own.
expect 1 '3 of 2 keys can never be signed' \
  fleetctl keys init --second-copy "$work/second" --root-keys 2 --root-threshold 3
[[ ! -e $work/second ]] || die "an init that was refused made keys"
expect 0 '2 of 3 sign the next root' \
  fleetctl keys init --second-copy "$work/second" --root-keys 3 --root-threshold 2
keys=$(dirname "$(find "$FLEET_HOME" -name 'root--*.key' | head -n 1)")
[[ $(ls "$keys"/root--*.key | wc -l) == 3 && $(ls "$work/second"/root--*.key | wc -l) == 3 ]] || die "not three root keys, twice"
mv "$(first_key "$keys" root)" "$work/ben/root.key"
mv "$(first_key "$keys" root)" "$work/eva/root.key"
expect 0 'apps/dns is signed by this machine' fleetctl keys delegate dns

# Rotation of targets: Ana alone is not enough for the new root; until it is there, all goes on.
expect 1 'second-copy' fleetctl keys rotate targets
expect 1 'one of root, targets, snapshot, timestamp, apps/NAME' fleetctl keys rotate dns
expect 1 'rotate it by itself' fleetctl keys rotate apps/dns targets --second-copy "$work/second"
old=$(keys_here targets)
expect 0 '1 of 2 signatures by the keys of root 1, 1 of 2 by those of root 2' \
  fleetctl keys rotate targets --second-copy "$work/second"
[[ $(version_of root.json) == 1 && $(version_of targets.json) == 3 ]] || die "root or targets moved wrongly"
fleetctl keys list >/dev/null || die "the metadata does not verify between the two roots"
cp root-2.json root-2.json.follows "$work/ben"
cp root-2.json "$work/eva"

# Ben's machine knows no controller; the file tells what he signs.
(
  export FLEET_HOME=$work/ben/home
  cd "$work/ben"
  expect 1 'fleetctl login' fleetctl keys sign root-2.json
  expect 1 'no key in .*ben/other.key may sign it|not a signing key|no such|not found|No such' \
    fleetctl keys sign root-2.json --on root-2.json.follows --key "$work/ben/other.key"
  cp "$(first_key "$keys" targets)" other.key
  expect 1 'no key in other.key may sign it' \
    fleetctl keys sign root-2.json --on root-2.json.follows --key other.key
  echo 'not the passphrase' >wrong
  expect 1 'wrong passphrase' fleetctl keys sign root-2.json --on root-2.json.follows \
    --key root.key --passphrase-file wrong
  expect 1 'nothing is signed on top of another one' \
    fleetctl keys sign root-2.json --on root-2.json --key root.key
  expect 0 "- targets key $old" fleetctl keys sign root-2.json --on root-2.json.follows --key root.key
  grep -q '2 of 2 signatures by the keys of root 1, 2 of 2' <<<"$said" || die "not complete: $said"
)
# Changed on its way back: nobody's signature is good then.
jq '.signed.expires = "2099-01-01T00:00:00Z"' "$work/ben/root-2.json" >forged.json
expect 1 'missing are|0 of 2|has signed' fleetctl keys sign forged.json --publish
[[ $(version_of root.json) == 1 ]] || die "a forged root was taken"
expect 0 'Root 2 of localhost is in force' fleetctl keys sign "$work/ben/root-2.json" --publish
[[ $(version_of root.json) == 2 ]] || die "root 2 is not in force"
[[ $(keys_here targets) != "$old" ]] || die "the old targets key is still there"
expect 0 'apps/mail is signed by this machine' fleetctl keys delegate mail
expect 1 'nothing is signed on top of another one' fleetctl keys sign "$work/ben/root-2.json"

# A root key is lost: a root without it, by the two others.
lost=$(jq -r '.keyid[:8]' "$work/eva/root.key")
expect 1 'is the id of 0 keys' fleetctl keys revoke 0123
expect 1 'fleetctl keys rotate apps/dns' fleetctl keys revoke "$(keys_here apps.dns)"
expect 1 'fleetctl keys rotate timestamp' fleetctl keys revoke "$(keys_here timestamp)"
expect 1 'targets would have 0 of the 1 keys' fleetctl keys revoke "$(keys_here targets)"
expect 0 '1 of 2 signatures by the keys of root 2' fleetctl keys revoke "$lost"
(
  export FLEET_HOME=$work/ben/home
  cd "$work/ben"
  cp "$work/ana/root-3.json" "$work/ana/root-3.json.follows" .
  expect 0 "- root key $lost" fleetctl keys sign root-3.json --on root-3.json.follows --key root.key
)
expect 0 'Root 3 of localhost is in force' fleetctl keys sign "$work/ben/root-3.json" --publish
expect 1 'root would have 1 of the 2 keys' fleetctl keys revoke "$(jq -r '.keyid[:8]' "$work/ben/root.key")"

# Ana's own root key: by her old and new one, and Ben.
expect 0 '1 of 2 signatures by the keys of root 3, 1 of 2 by those of root 4' \
  fleetctl keys rotate root --second-copy "$work/second" --out next.json
expect 0 'Root 4 of localhost is in force' \
  fleetctl keys sign next.json --key "$work/ben/root.key" --publish

# The controller's keys: it makes new ones and switches when the root of two people arrives.
timestamp=$(keys_here timestamp) snapshot=$(keys_here snapshot)
expect 0 'made .*timestamp .at the controller' fleetctl keys rotate snapshot timestamp --out online.json
[[ $(keys_here timestamp) == "$timestamp" && -e $work/controller/timestamp.next.key ]] || die "switched before the root"
stop_controller
serve
expect 0 '1 of 2 signatures' fleetctl keys rotate snapshot timestamp --out online.json  # begun again: the same keys
expect 0 'Root 5 of localhost is in force' \
  fleetctl keys sign online.json --key "$work/ben/root.key" --publish
[[ $(keys_here timestamp) != "$timestamp" && $(keys_here snapshot) != "$snapshot" ]] || die "the online keys are the old ones"
[[ ! -e $work/controller/timestamp.next.key ]] || die "the successor did not take its place"
stop_controller
serve
expect 0 'renews itself' fleetctl keys list

# An app's key: nothing of the old one is needed.
app=$(keys_here apps.dns)
rm "$keys"/apps.dns--*.key
expect 0 'the key before it signs nothing more' fleetctl keys rotate apps/dns --second-copy "$work/second"
[[ $(keys_here apps.dns) != "$app" && $(ls "$keys"/apps.dns--*.key | wc -l) == 1 ]] || die "the app's key is the old one"

# Who watches: status, and Prometheus with a token.
expect 0 'KEYS +apps/dns|KEYS +root' fleetctl status
fleetctl status --json | jq -e '[.expiries[] | select(.needs_care | not)] | length >= 4' >/dev/null || die "status --json"
scrape() { curl -fsS --cacert "$work/ca.pem" "$@" "https://localhost:$port/metrics"; }
scrape 2>/dev/null && die "metrics without a token"
scrape -H "Authorization: Bearer $(<"$work/admin.token")" >"$work/metrics"
grep -q '^fleet_metadata_expiry_timestamp_seconds{role="root"} 1[0-9.e+]*$' "$work/metrics" || die "no expiry of root: $(<"$work/metrics")"
ok "status and metrics say when each role ends"

# A client that knows only the first root follows all of it.
mkdir "$work/mirror" "$work/client"
for file in 1.root 2.root 3.root 4.root 5.root timestamp; do metadata "$file.json" >"$work/mirror/$file.json"; done
for role in snapshot targets; do metadata "$role.json" >"$work/mirror/$(version_of "$role.json").$role.json"; done
(cd "$work/mirror" && exec python3 -u -m http.server --bind 127.0.0.1 18458) >"$work/mirror.log" 2>&1 &
mirror=$!
trap 'status=$?; trap - EXIT; kill "$mirror" 2>/dev/null || true; stop_controller; rm -rf "$work"; exit $status' EXIT
for _ in {1..600}; do curl -fs http://127.0.0.1:18458/timestamp.json >/dev/null && break; sleep 0.05; done
tuf-client --metadata-dir "$work/client" init "$work/mirror/1.root.json"
tuf-client --metadata-dir "$work/client" --metadata-url http://127.0.0.1:18458/ refresh
[[ $(jq .signed.version "$work/client/root.json") == 5 ]] || die "the client is not at root 5"
ok 'tuf-client followed root 1 to root 5'
echo "$passed passed, 0 failed"
