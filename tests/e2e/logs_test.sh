#!/usr/bin/env bash
# fleetctl logs of a group: lines of real guests on two devices, each with its device in a column, in
# colours of their own on a terminal and without elsewhere; a follower sees what comes on both, and
# Ctrl-C ends it.
LAB=logs LAB_PORT=18498
. "$(dirname "$0")/lib.sh"
fleet 2
fleetctl device label edge-2 site=lyon >/dev/null
expect 0 'dns 1 is live on 2 of 2' fleetctl push dns --to edge
for n in 1 2; do
  expect 0 "^edge-$n \| .*dns" fleetctl logs dns --to edge
done
expect 0 '^-- edge-1, dns 1$' fleetctl logs dns --to edge
said=$(fleetctl logs dns --to site=lyon)
grep -q '^edge-2 | ' <<<"$said" || die "no line of edge-2: $said"
! grep -q edge-1 <<<"$said" || die "a device outside the selector: $said"
! grep -q $'\x1b' <<<"$said" || die "colours where no terminal is"
ok "a selector's devices alone, and no colours where no terminal is"
expect 1 'matches none of 2 devices' fleetctl logs dns --to site=lyonn
expect 2 '--to' fleetctl logs dns --device edge-1 --to edge
expect 0 '^dns' fleetctl logs dns --device edge-1  # one device needs no column

# On a terminal, followed, and a restart's lines of both come.
script -qefc "fleetctl logs dns --to edge -f" "$LAB_DIR/terminal" </dev/null >/dev/null 2>&1 &
LAB_PIDS[terminal]=$!
fleetctl logs dns --to edge -f >"$LAB_DIR/followed" 2>&1 &
follower=$!
both() { [[ $(grep -c '^edge-1 | ' "$LAB_DIR/followed") -ge $1 && $(grep -c '^edge-2 | ' "$LAB_DIR/followed") -ge $1 ]]; }
lab_wait 30 both 1 || die "what is kept is not shown to a follower: $(<"$LAB_DIR/followed")"
before=$(grep -c '^edge-1 | ' "$LAB_DIR/followed")
expect 0 '' fleetctl restart dns --to edge
lab_wait 60 both "$((before + 1))" || die "a restart's lines do not come: $(<"$LAB_DIR/followed")"
kill -INT "$follower"
status=0
wait "$follower" || status=$?
[[ $status == 130 ]] || die "Ctrl-C ended the follower with $status"
ok "a follower sees both devices, and Ctrl-C ends it with 130"
coloured() { grep -q $'\x1b\\[36medge-1 |\x1b\\[0m ' "$LAB_DIR/terminal" && grep -q $'\x1b\\[35medge-2 |\x1b\\[0m ' "$LAB_DIR/terminal"; }
lab_wait 30 coloured || die "no colours on a terminal: $(cat -v "$LAB_DIR/terminal" | head)"
ok "on a terminal each device has a colour"
fleetctl logs dns --to edge --json | jq -e '[.chunks[].device] | unique == ["edge-1", "edge-2"]' >/dev/null || die "--json has not both"
echo "$passed passed, 0 failed"
