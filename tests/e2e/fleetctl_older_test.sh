#!/usr/bin/env bash
# A controller that serves older metadata than the operator has seen, restored from a backup say: no
# command signs on top of it; the error names both versions and the ways out, and both work.
port=18496 device_port=18497
. "$(dirname "$0")/controller_alone.sh"

umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
fleetctl login "https://localhost:$port" --token-file "$work/admin.token" --ca "$work/ca.pem" >/dev/null
second=(--second-copy "$work/second")
fleetctl keys init "${second[@]}" >/dev/null
fleetctl keys delegate dns >/dev/null
fleetctl enroll-token --group edge -o "$work/edge-1.boot" >/dev/null
mkdir "$work/agent"
fleet-agent enroll --bootstrap "$work/edge-1.boot" --state-dir "$work/agent" --name edge-1 >/dev/null
dns_app
expect 0 'Rollout r-1' fleetctl push dns --to edge --detach

# Held back for longer than a timestamp lasts: that is noticed, too.
expect 1 'serves expired metadata.*timestamp version [0-9]+ expired' faketime -f '+2d' fleetctl yank dns 1
expect 0 'timestamp (expired|is good)' faketime -f '+20h' fleetctl keys list

# The backup is of now; then a second release.
stop_controller
cp -r "$work/controller" "$work/backup"
serve
sed -i 's/rrl=20/rrl=30/' manifest.yml
expect 0 'Rollout r-2' fleetctl push dns --to edge --detach
stop_controller
rm -rf "$work/controller" && cp -r "$work/backup" "$work/controller"
serve

root=$(jq .signed.version "$FLEET_HOME"/contexts/localhost/tuf/root.json)
keys=$(ls "$FLEET_HOME"/contexts/localhost/keys | sort | sha256sum)
refused() {
  expect 1 'timestamp version [0-9]+ was offered, but [0-9]+ is already trusted' "$@"
  grep -q 'fleetctl keys restore' <<<"$said" || die "$* does not say what to do: $said"
  grep -q 'fleetctl keys rotate snapshot timestamp' <<<"$said" || die "$* does not name the way out: $said"
}
refused fleetctl push dns --to edge --detach
refused fleetctl rollback dns --release 1 --to edge --detach
refused fleetctl yank dns 1
refused fleetctl keys delegate web
refused fleetctl keys rotate targets "${second[@]}"
refused fleetctl keys rotate root "${second[@]}"
refused fleetctl keys rotate apps/dns "${second[@]}"
refused fleetctl keys refresh
refused fleetctl keys revoke 00000000
[[ $(ls "$FLEET_HOME"/contexts/localhost/keys | sort | sha256sum) == "$keys" ]] || die "a refused command made keys"
[[ $(fleetctl releases dns --json | jq '.releases | length') == 1 ]] || die "a refused command was heard"
ok "what was refused changed nothing"

# What this machine has seen goes back; the next number is above all that devices know.
cp -r "$FLEET_HOME" "$work/home"
expect 0 'localhost has all that this machine has seen: targets 2, dns' fleetctl keys restore
grep -q 'dns 2 is signed and not at the controller any more' <<<"$said" || die "the lost release is not named: $said"
expect 0 'has all that this machine has seen' fleetctl keys restore  # twice is once
sed -i 's/rrl=30/rrl=35/' manifest.yml
expect 0 'Rollout r-[0-9]' fleetctl push dns --to edge --detach
[[ $(fleetctl releases dns --json | jq '[.releases[].number | tonumber] | max') == 3 ]] || die "a number is used twice"
# One that saw less gives nothing that is older, and is told who has more.
cp "$work/home"/contexts/localhost/tuf/apps.dns.json "$FLEET_HOME"/contexts/localhost/tuf/
stop_controller
rm -rf "$work/controller" && cp -r "$work/backup" "$work/controller"
serve
expect 1 'of dns more was seen than is here' fleetctl keys restore
[[ $(fleetctl releases dns --json | jq '.releases | length') == 1 ]] || die "a release came without its bytes"
rm -rf "$FLEET_HOME" && cp -r "$work/home" "$FLEET_HOME"
sed -i 's/rrl=35/rrl=30/' manifest.yml
stop_controller
rm -rf "$work/controller" && cp -r "$work/backup" "$work/controller"
serve

# Nobody holds what was seen: new online keys, and everybody begins anew from what is there.
expect 0 "Root $((root + 1)) of localhost is in force" fleetctl keys rotate snapshot timestamp
expect 0 'Updating dns 1 -> 2' fleetctl push dns --to edge --detach
expect 0 'dns 1 is yanked' fleetctl yank dns 1
expect 1 'dns 1 was yanked; nothing was signed' fleetctl rollback dns --release 1 --to edge
expect 1 'was yanked' bash -c 'sed -i s/rrl=30/rrl=20/ manifest.yml; fleetctl push dns --to edge --detach'

# Yank and push at once: both are signed, one on top of the other.
sed -i 's/rrl=20/rrl=40/' manifest.yml
fleetctl push dns --to edge --detach >"$work/one" 2>&1 & one=$!
fleetctl yank dns 2 >"$work/two" 2>&1 & two=$!
wait "$one" || die "the push failed: $(<"$work/one")"
wait "$two" || die "the yank failed: $(<"$work/two")"
[[ $(fleetctl releases dns --json | jq -c '[.releases[] | select(.yanked) | .number | tonumber] | sort') == '[1,2]' ]] || die "not 1 and 2 are yanked"
[[ $(fleetctl releases dns --json | jq '[.releases[].number | tonumber] | max') == 3 ]] || die "the push made no release"
ok "a yank and a push at once both end well"

# More than a year without a push: targets and the app's role are over, and can still be renewed.
stop_controller
# Not by the program faketime, which would stand between us and the controller's end.
as_of="env LD_PRELOAD=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1) FAKETIME=+400d"
serve
expect 0 'ATTENTION' $as_of fleetctl status
grep -q 'the signature of targets has expired.*fleetctl keys refresh' <<<"$said" || die "status does not say it: $said"
expect 1 'targets version [0-9]+ expired' $as_of fleetctl push dns --to edge --detach
expect 0 'Root [0-9]+ of localhost is in force' $as_of fleetctl keys refresh  # half of its two years are over
expect 0 'apps/dns +[0-9a-f]+ +36[45]d' $as_of fleetctl keys list
grep -qE 'targets +[0-9a-f]+ +36[45]d' <<<"$said" || die "targets were not renewed: $said"
expect 0 'Updating dns 3 -> 4' $as_of fleetctl push dns --to edge --detach
echo "$passed passed, 0 failed"
