#!/usr/bin/env bash
# Who did what: the audit log of a real controller and fleetctl's check of it, a log that is changed,
# rewritten or shortened in the store's file, tokens for groups, and why a device does not run what is
# wanted. Devices enrol and stay away; no guest runs, no namespace is made.
port=18542 device_port=18543
. "$(dirname "$0")/controller_alone.sh"
url=https://localhost:$port

umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
expect 0 'as .*admin' fleetctl login "$url" --token-file "$work/admin.token" --ca "$work/ca.pem"
expect 0 'Trust root 1' fleetctl keys init --second-copy "$work/second"
expect 0 'apps/dns' fleetctl keys delegate dns
enrol() {  # enrol NAME GROUP
  fleetctl enroll-token --group "$2" -o "$work/$1.boot" >/dev/null
  mkdir "$work/$1"
  fleet-agent enroll --bootstrap "$work/$1.boot" --state-dir "$work/$1" --name "$1" >/dev/null
}
enrol edge-1 edge
enrol lab-1 lab
dns_app
expect 0 'Uploading' fleetctl push dns --to all --detach

# The log: every change, by whom, from where, and no secret.
expect 0 'admin +127.0.0.1 +rollout.started +r-1 +push dns 1 to all, devices: 2' fleetctl audit
expect 0 'device:edge-1 +127.0.0.1 +device.enrolled +edge-1' fleetctl audit
expect 0 'fleet-controller init .*token.created +admin' fleetctl audit
expect 0 'entries, each follows from the one before it' fleetctl audit verify
expect 0 'is the one seen before' fleetctl audit verify
[[ $(stat -c %a "$FLEET_HOME/contexts/localhost/audit-head") == 600 ]] || die "the kept head can be read"
expect 0 'entries, newest first' fleetctl audit --to-file "$work/audit.jsonl"
newest=$(fleetctl audit --json | jq -r .head.sequence)
[[ $(wc -l <"$work/audit.jsonl") == "$newest" ]] || die "the file has not all entries"
jq -es 'map(.sequence | tonumber) | . == (sort | reverse)' "$work/audit.jsonl" >/dev/null || die "not newest first"
! grep -qFf <(cat "$work/admin.token"; jq -r .token "$work"/*.boot) "$work/audit.jsonl" || die "a token is in the log"
ok "the file holds all $newest entries and no token"

# Tokens for a group.
expect 0 'is deployer of edge, good for ever' fleetctl token create ana --role deployer --group edge -o "$work/ana.token"
[[ $(stat -c %a "$work/ana.token") == 600 ]] || die "the token can be read by others"
expect 1 'there is a token ana already' fleetctl token create ana --role viewer
expect 2 'viewer' fleetctl token create bo --role root
expect 0 'as ana \(deployer\)' fleetctl --context ana login "$url" --token-file "$work/ana.token" --ca "$work/ca.pem"
expect 0 'ana +deployer of edge' fleetctl --context ana whoami
expect 0 '1 device: 0 online' fleetctl --context ana devices
! fleetctl --context ana devices --json | grep -q lab-1 || die "a foreign device is named"
expect 1 'no device lab-1' fleetctl --context ana device show lab-1
expect 1 'reaches lab-1, outside the groups of token ana; write --to edge' fleetctl --context ana stop dns --to all
expect 1 'matches none of 1 device' fleetctl --context ana stop dns --to lab
expect 1 'whole fleet' fleetctl --context ana audit
expect 1 'r-1 also reaches 1 of others' fleetctl --context ana rollout abort r-1
expect 0 'r-2' fleetctl --context ana stop dns --to edge --detach
expect 0 'ana +127.0.0.1 +rollout.started +r-2 +stop dns on edge' fleetctl --context localhost audit
only() { fleetctl --context localhost audit --json "$@" | jq -r '[.entries[] | "\(.who) \(.action) \(.object)"] | unique | join(", ")'; }
[[ $(only --who ana) == 'ana rollout.started r-2' ]] || die "--who ana: $(only --who ana)"
[[ $(only --object edge-1) == *'device:edge-1 device.enrolled edge-1'* ]] || die "--object: $(only --object edge-1)"
[[ $(only --action rollout.started --who admin) == 'admin rollout.started r-1' ]] || die "--action and --who"
[[ $(only --who eve) == '' ]] || die "--who eve: $(only --who eve)"
expect 2 'excludes' fleetctl --context localhost audit --who ana --to-file "$work/some"
ok "the log is asked for one token, action or object"
fleetctl --context localhost devices >/dev/null
echo localhost >"$FLEET_HOME/current"

# A token that is revoked ends at once, and what it streams, too.
curl -sN --cacert "$work/ca.pem" -H "Authorization: Bearer $(cat "$work/ana.token")" "$url/v1/events?recent=1" \
  >"$work/stream" & stream=$!
began() { [[ -s $work/stream ]]; }
for _ in {1..100}; do began && break; sleep 0.1; done
began || die "no event came"
expect 0 'ana +deployer +edge' fleetctl token list
expect 0 'good no more' fleetctl token revoke ana
expect 1 'not known here' fleetctl --context ana whoami
fleetctl device label edge-1 site=lyon >/dev/null
wait "$stream" || true
! grep -q site=lyon "$work/stream" || die "a revoked token still heard"
ok "a revoked token's stream ended"
expect 1 'the last admin token' fleetctl token revoke admin
expect 0 'login.refused' fleetctl audit --last 5

# Why, and status.
expect 0 'edge-1 runs no dns' fleetctl why edge-1 dns
expect 0 'held by +OFFLINE +it was never connected' fleetctl why lab-1 dns
expect 0 'wants +dns 1 by rollout r-1 \(all, admin\)' fleetctl why lab-1
[[ $(fleetctl why lab-1 dns --json | jq -r '.apps[0].held_by[0].rule') == OFFLINE ]] || die "why --json"
expect 1 'no device nobody' fleetctl why nobody
expect 0 'never connected +fleetctl why lab-1' fleetctl status

# The store's file in foreign hands: what was seen before tells.
db=$work/controller/controller.db
expect 0 'each follows from' fleetctl audit verify
stop_controller
expect 19 'only added to' sqlite3 "$db" "UPDATE audit SET who = 'eve' WHERE sequence = 3"
expect 19 'only added to' sqlite3 "$db" 'DELETE FROM audit WHERE sequence > 5'
cp "$db" "$work/whole.db"
tamper() {  # tamper SQL: as somebody would who has the file
  cp "$work/whole.db" "$db"
  rm -f "$db-wal" "$db-shm"
  sqlite3 "$db" "DROP TRIGGER audit_never_changed; DROP TRIGGER audit_never_shortened; $1"
  serve
}
tamper "UPDATE audit SET who = 'eve' WHERE sequence = 3"
expect 1 'not sound at entry 3: it, or one before it, was changed' fleetctl audit verify
expect 1 'not sound at entry 3' fleetctl audit verify --accept
stop_controller
tamper 'DELETE FROM audit WHERE sequence = 4'
expect 1 'not sound at entry 4: it is missing' fleetctl audit verify
stop_controller
kept=$(cut -d' ' -f1 "$FLEET_HOME/contexts/localhost/audit-head")
tamper "DELETE FROM audit WHERE sequence > $((kept - 2))"
expect 1 "not sound at entry $((kept - 1)): the log ends at $((kept - 2)), but this machine saw entry $kept" fleetctl audit verify
expect 1 'audit verify --accept' fleetctl audit verify
# It grows beyond what was seen, by other entries: then the entry itself tells.
for n in 1 2 3 4; do fleetctl device label edge-1 "n=$n" >/dev/null; done
expect 1 "not sound at entry $kept: it is not the entry that this machine saw" fleetctl audit verify
expect 0 'what was seen before is forgotten' fleetctl audit verify --accept
expect 0 'is the one seen before' fleetctl audit verify
echo "$passed passed, 0 failed"
