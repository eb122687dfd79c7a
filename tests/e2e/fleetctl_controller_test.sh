#!/usr/bin/env bash
# fleetctl against a real controller on loopback: login, keys, tokens, refusals, and a push to a
# device that is enrolled and away. No guest runs, no namespace is made, no root is needed.
port=18446 device_port=18447
. "$(dirname "$0")/controller_alone.sh"
url=https://localhost:$port

umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"

# Nothing there yet: each error says the next command.
expect 1 'fleetctl login' fleetctl devices
expect 4 'no controller answers' fleetctl login "$url" --token-file "$work/admin.token" --ca "$work/ca.pem"
[[ ! -e $FLEET_HOME/current ]] || die "a login that failed left a context"
serve
echo wrong >"$work/wrong.token"
expect 1 'token' fleetctl login "$url" --token-file "$work/wrong.token" --ca "$work/ca.pem"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/other.key" \
  -subj /CN=other -days 1 -out "$work/other.pem" 2>/dev/null
expect 1 'certificate' fleetctl login "$url" --token-file "$work/admin.token" --ca "$work/other.pem"
expect 0 'as .*admin.*keys init' bash -c \
  "fleetctl login $url --token-file $work/admin.token --ca $work/ca.pem 2>&1 | tr '\n' ' '"
[[ $(stat -c %a "$FLEET_HOME/contexts/localhost/token") == 600 ]] || die "the token can be read"
expect 0 'No device yet' fleetctl devices
expect 0 'No app yet' fleetctl apps
expect 0 'No rollout yet' fleetctl rollouts

# Keys: none without a second copy, none twice.
expect 1 'keys init' fleetctl enroll-token --group edge
expect 1 'second-copy' fleetctl keys init
expect 0 'Trust root 1' fleetctl keys init --second-copy "$work/second"
[[ $(ls "$work/second"/*.key | wc -l) == 2 ]] || die "no second copy of both keys"
! grep -rqs 'four words' "$FLEET_HOME" || die "the passphrase is on the disk"
expect 1 'already' fleetctl keys init --second-copy "$work/third"
echo 'not the passphrase' >"$work/wrong.passphrase"
expect 1 'wrong passphrase for the key targets' \
  fleetctl keys delegate dns --passphrase-file "$work/wrong.passphrase"
expect 0 'apps/dns is signed by this machine' fleetctl keys delegate dns
expect 1 'delegated already' fleetctl keys delegate dns
expect 0 'apps/dns .*not used yet' fleetctl keys list
expect 0 'Nothing to renew' fleetctl keys refresh

# A device that is enrolled and away.
expect 0 'sudo fleet-agent enroll' fleetctl enroll-token --group edge --label site=lyon -o "$work/edge-1.boot"
[[ $(stat -c %a "$work/edge-1.boot") == 600 ]] || die "the one-time secret can be read"
jq -e '.tuf_root | fromjson | .signed._type == "root"' "$work/edge-1.boot" >/dev/null || die "no root"

dns_app
expect 0 'dns  1 image, 0 files: right' fleetctl manifest check manifest.yml
expect 1 'matches none of 0 devices; nothing was signed or uploaded' fleetctl push dns --to edge --plan
mkdir "$work/agent"
expect 0 'edge-1' fleet-agent enroll --bootstrap "$work/edge-1.boot" --state-dir "$work/agent" --name edge-1
expect 0 'edge-1 +offline +edge' fleetctl devices
expect 0 'site +lyon +1 +site=lyon' fleetctl devices --labels
expect 1 'label site has no value "lyonn"; nearest: lyon' fleetctl push dns --to site=lyonn
[[ $(fleetctl devices --json | jq -r '.devices[0].name') == edge-1 ]] || die "devices --json"

# The plan changes nothing; the push signs and uploads; the same again uploads nothing.
expect 0 'fits       1 of 1 device' fleetctl push dns --to edge --plan
expect 0 'No app yet' fleetctl apps
[[ $(fleetctl push dns --to edge --plan --json | jq -r .release) == 1 ]] || die "push --plan --json"
expect 1 'wrong passphrase for the key apps/dns' \
  fleetctl push dns --to edge --passphrase-file "$work/wrong.passphrase"
expect 0 'Uploading .*100%' fleetctl push dns --to edge --detach
expect 0 '1 +[0-9]+s +admin' fleetctl releases dns
sed -i 's/rrl=20/rrl=30/' manifest.yml
expect 0 'Updating dns 1 -> 2 with these attributes' fleetctl push --detach
grep -qF -- '  - args                 ["--rrl=20"]' <<<"$said" || die "no difference shown: $said"
grep -qF 'All files are there already; nothing to upload.' <<<"$said" || die "uploaded again: $said"
grep -qF 'to edge (1 device)' <<<"$said" || die "the last selector was not taken: $said"
expect 0 'Updating dns 2 -> 3' fleetctl rollback dns --release 1 --to edge --detach
grep -qF -- '  + args                 ["--rrl=20"]' <<<"$said" || die "rollback: $said"
expect 1 'lists no release 9; it lists 1, 2, 3' fleetctl rollback dns --release 9 --to edge
expect 0 'offline' fleetctl rollout show "$(fleetctl rollouts --json | jq -r '.rollouts[0].id')"
expect 0 'localhost .*admin' fleetctl status
expect 1 'no console of dns' fleetctl logs dns --device edge-1

# Older metadata than this machine has seen: nothing is signed on top of it.
stop_controller
cp -r "$work/controller" "$work/controller.now"
expect 4 'no controller answers' fleetctl devices
cp -r "$FLEET_HOME" "$work/operator.now"
serve
expect 0 'Updating dns 3 -> 4' fleetctl push dns --to edge --detach
stop_controller
rm -rf "$work/controller" && mv "$work/controller.now" "$work/controller"
serve
expect 1 'older metadata than this machine has seen' fleetctl push dns --to edge --detach
FLEET_HOME=$work/operator.now
expect 0 'Updating dns 3 -> 4' fleetctl push dns --to edge --detach

# Two at once: somebody is faster, the other signs again on top.
fleetctl push dns --to edge --detach >"$work/one" 2>&1 & one=$!
fleetctl push dns --to edge --detach >"$work/two" 2>&1 & two=$!
wait "$one" || die "one of two pushes failed: $(cat "$work/one")"
wait "$two" || die "one of two pushes failed: $(cat "$work/two")"
newest=$(fleetctl releases dns --json | jq '[.releases[].number | tonumber] | max')
[[ $newest == 6 ]] || die "two pushes made release $newest"
ok "two pushes at once make two releases"

expect 0 'edge-1 is revoked' fleetctl device remove edge-1
echo "$passed passed, 0 failed"
