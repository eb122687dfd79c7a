#!/usr/bin/env bash
# A controller that lies: metadata flipped, unsigned or put back, blobs exchanged or cut short in its
# store. Nothing of it is staged, the device says what is wrong and runs on what it has; once the
# truth is back the next push works.
LAB=flies LAB_PORT=18475
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
store=$LAB_DIR/controller
sql() { sqlite3 -cmd '.timeout 5000' "$store/controller.db" "$@"; }
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
sql '.mode insert metadata' 'SELECT * FROM metadata' >"$LAB_DIR/old.sql"
ask_on 1
change second
expect 0 'OK  dns 2 is live on 1 of 1' fleetctl push dns --to edge
good=2

# behind_its_back COMMAND...: a push during which the device looks away until the controller's store
# was changed by that command. The store is as it was afterwards.
behind_its_back() {
  change "fault$((++faults))"
  kill -STOP "${LAB_PIDS[agent-1]}"
  fleetctl push dns --to edge --detach >/dev/null
  sql '.mode insert metadata' 'SELECT * FROM metadata' >"$LAB_DIR/new.sql"
  "$@"
  kill -CONT "${LAB_PIDS[agent-1]}"
  lab_wait 20 ended || die "no verdict about: $*"
  put_back new
}
put_back() { sql 'DELETE FROM metadata' ".read $LAB_DIR/$1.sql"; }
refused() {  # refused CODE TEXT: told on the device and on the terminal, and nothing changed
  reported edge-1 FAILED "$1" "$2"
  expect 3 "$2" fleetctl rollout show "$(newest_rollout)" -w
  live edge-1 "$good" || die "edge-1 does not run dns $good"
}
works_again() {
  rm -f zones/*.bak
  change "mended$((++mended))"
  expect 0 'live on 1 of 1' fleetctl push dns --to edge
  good=$(newest_release)
}
faults=0 mended=0
newest() { echo "role = '$1' AND version = (SELECT max(version) FROM metadata WHERE role = '$1')"; }
# flip ROLE WORD: the first character after WORD in the newest file of that role is another one.
flip() {
  local at="instr(text, '$2') + length('$2')"
  sql "UPDATE metadata SET text = substr(text, 1, $at - 1) ||
    CASE substr(text, $at, 1) WHEN 'a' THEN 'b' ELSE 'a' END || substr(text, $at + 1)
    WHERE $(newest "$1")"
}

behind_its_back flip timestamp '"sig": "'
refused CODE_BAD_SIGNATURE 'timestamp'
behind_its_back flip apps.dns '"sha256": "'
refused CODE_BAD_DIGEST 'apps.dns'
behind_its_back sql "UPDATE metadata SET text = json_set(text, '$.signatures', json('[]')) WHERE $(newest timestamp)"
refused CODE_BAD_SIGNATURE 'timestamp'
works_again
behind_its_back put_back old
refused CODE_ROLLBACK 'timestamp'
works_again

# Another file under a blob's name, and a blob that is cut short in the store.
zone() { echo "$store/blobs/$(sha256sum zones/example.test.zone | cut -d' ' -f1)"; }
exchange() { chmod u+w "$(zone)"; tr a-z b-za <"$(zone)" >"$LAB_DIR/other"; cat "$LAB_DIR/other" >"$(zone)"; }
behind_its_back exchange
refused CODE_BAD_DIGEST "$(basename "$(zone)" | head -c 8)"
expect 0 'live on 1 of 1' fleetctl push dns --to edge  # the same files, uploaded once more
good=$(newest_release)
cut_short() { truncate -s -9 "$(zone)"; }
behind_its_back cut_short
refused CODE_BAD_DIGEST "$(basename "$(zone)" | head -c 8)"
works_again

none_lost 1
echo "$passed passed, 0 failed"
