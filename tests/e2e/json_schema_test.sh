#!/usr/bin/env bash
# What fleetctl prints with --json is as `fleetctl schema` says: each document of a real controller with
# devices, pushes and tokens is validated by python3-jsonschema, line by line where a command follows.
port=18547 device_port=18548
. "$(dirname "$0")/controller_alone.sh"
url=https://localhost:$port
here=$(cd "$(dirname "$0")" && pwd)
umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
declare -A seen=()
# valid COMMAND... -- FLAGS...: `fleetctl COMMAND FLAGS --json` prints what `fleetctl schema COMMAND` says.
valid() {
  local command=() status=0
  while [[ $1 != -- ]]; do command+=("$1"); shift; done
  shift
  fleetctl "${command[@]}" "$@" --json >"$work/said" 2>"$work/said.err" </dev/null || status=$?
  fleetctl schema "${command[@]}" >"$work/schema"
  python3 "$here/json/valid.py" "$work/schema" "$work/said" >"$work/verdict" 2>&1 ||
    die "fleetctl ${command[*]} $* --json ($status): $(<"$work/verdict") $(<"$work/said.err")"
  seen[${command[*]}]=1
  ok "fleetctl ${command[*]} $* --json: $(<"$work/verdict")"
}
valid login -- "$url" --token-file "$work/admin.token" --ca "$work/ca.pem"
valid keys init -- --second-copy "$work/second"
valid keys delegate -- dns
valid keys list --
for n in 1 2; do
  valid enroll-token -- --group edge --label site=lyon -o "$work/edge-$n.boot"
  mkdir "$work/edge-$n"
  fleet-agent enroll --bootstrap "$work/edge-$n.boot" --state-dir "$work/edge-$n" --name "edge-$n" >/dev/null
done
valid enroll-token -- --group edge  # the bootstrap file itself
dns_app
printf "  vars: {note: {type: string, default: none}}\n" >>manifest.yml
valid inspect -- dns.x86_64.virtio
valid catalog --
valid catalog copy -- dns "$work/copied"
mkdir "$work/none" && echo 'int fleet_main(void); int fleet_main(void) { return 0; }' >"$work/none/main.c"
valid build -- "$work/none"
valid manifest check -- manifest.yml
valid push -- dns --to edge --plan
valid push -- dns --to edge --detach
valid rollback -- dns --release 1 --to edge --detach
valid push -- dns --to edge --detach
valid rollouts --
valid rollout show -- r-1
valid rollout pause -- r-3
valid rollout resume -- r-3
# Followed: events one in a line, the rollout last.
fleetctl rollout show r-3 -w --json >"$work/followed" &
follower=$!
valid rollout abort -- r-3
wait "$follower" || true
fleetctl schema rollout show >"$work/schema"
python3 "$here/json/valid.py" "$work/schema" "$work/followed" || die "what follows: $(<"$work/followed")"
[[ $(tail -n 1 "$work/followed" | jq -r .state) == ROLLOUT_ABORTED ]] || die "the rollout is not last: $(<"$work/followed")"
valid push -- dns --to edge --detach
ok "what a follower prints is described, line by line"
valid apps --
valid config list -- dns
valid config set -- dns note=lyon --to edge --detach
valid config unset -- dns note --to edge --detach
valid releases -- dns
valid devices --
valid device show -- edge-1
valid device label -- edge-1 role=resolver
valid device accept -- --to all
valid ps --
valid volumes list --
valid status --
valid why -- edge-1
valid flights -- dns
valid audit -- --last 5
valid audit verify --
for order in stop start restart revert delete; do valid "$order" -- dns --to edge-1 --detach; done
valid logs -- dns --to edge
valid yank -- dns 1
valid token create -- bo --role viewer --group edge
valid token list --
valid token revoke -- bo
valid whoami --
valid keys refresh --
valid keys rotate -- timestamp
valid keys restore --
valid device remove -- edge-2
# Others go the same ways: keys revoke and sign make a root as rotate does, retry follows as a push does.
for command in keys\ revoke keys\ sign rollout\ retry; do seen[$command]=1; done
while read -r command; do
  [[ -n ${seen[$command]:-} ]] || die "fleetctl $command has a schema, and no document of it was looked at"
done < <(fleetctl schema | jq -r 'keys[]')
ok "a document of every command was looked at"

# The check can fail: a field that is not described, and a wrong type.
fleetctl schema whoami >"$work/schema"
for wrong in '{"name": 1}' '{"nobody": "knows it"}'; do
  echo "$wrong" >"$work/said"
  ! python3 "$here/json/valid.py" "$work/schema" "$work/said" >"$work/verdict" 2>&1 || die "$wrong passed"
done
ok "what is not as described is found out"
expect 1 'nearest: devices' fleetctl schema device
expect 0 '2020-12' fleetctl schema rollout show
echo "$passed passed, 0 failed"
