#!/usr/bin/env bash
# The dashboard in Debian's Chromium, as a person uses it: a real controller, agents and guests. The
# browser's side is dashboard/person.mjs; it asks this script to do what happens outside the browser.
# Screenshots go to $FLEET_SCREENSHOTS, else to build/release/tests/e2e/screenshots.
LAB=dashboard LAB_PORT=${LAB_PORT:-18520}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
peer=$build/tests/e2e/playwright
want=(playwright-core@1.57.0 axe-core@4.10.3)  # the newest that Debian 12's node runs
if [[ $(cat "$peer/installed" 2>/dev/null) != "${want[*]}" ]]; then
  rm -rf "$peer"
  mkdir -p "$peer"
  npm install --prefix "$peer" --silent --no-audit --no-fund --ignore-scripts "${want[@]}" ||
    { echo "not ok - npm does not give ${want[*]}" >&2; exit 1; }
  echo "${want[*]}" >"$peer/installed"
fi
export FLEET_SCREENSHOTS=${FLEET_SCREENSHOTS:-$build/tests/e2e/screenshots}
mkdir -p "$FLEET_SCREENSHOTS"

# What the person asks for, by name.
do_first_controller() {
  lab_up
  lab_controller_init
  lab_controller_start
  lab_login
  fleetctl login "https://localhost:$LAB_PORT" --token-file "$LAB_DIR/admin.token" --ca "$LAB_DIR/ca.pem"
  fleetctl keys init --second-copy "$LAB_DIR/second-copy"
  fleetctl keys delegate dns
  cp -r "$images/dns" "$LAB_DIR/dns"
  cd "$LAB_DIR/dns"
  # Tokens that the person knows; only their hashes are kept.
  token a-viewers-token vera viewer ''
  token a-groups-token gil deployer edge
}
token() {  # token SECRET NAME ROLE GROUP
  sqlite3 "$LAB_DIR/controller/controller.db" "INSERT INTO api_tokens (hash, name, role, created_ms,
    groups_text) VALUES ('$(printf '%s' "$1" | sha256sum | cut -d' ' -f1)', '$2', '$3', 0, '$4')"
}
do_devices() {
  local n sites=(lyon lyon paris)
  for n in 1 2 3; do
    lab_device "$n"
    lab_launcher_start "$n"
    fleetctl enroll-token --group edge --label "site=${sites[n - 1]}" --label role=resolver -o "$LAB_DIR/edge-$n.boot"
    lab_enroll "$n" "$LAB_DIR/edge-$n.boot"
    lab_agent_start "$n"
  done
}
do_push() { fleetctl push dns --to edge --detach; }
do_push_crash() { fleetctl push dns --to edge --detach --image "$images/dns-crash/dns.x86_64.spt"; }
do_push_changed() { change "name$RANDOM"; fleetctl push dns --to edge --detach; }
do_stop_devices() { local n; for n in 1 2 3; do lab_stop "agent-$n"; done; }
do_start_devices() { local n; for n in 1 2 3; do lab_agent_start "$n"; done; }
do_stop_controller() { lab_stop controller; }
do_start_controller() { lab_controller_start; }
# Twenty devices in each of three sites, over the real link; those of rome take back every release.
do_many_devices() {
  local site fails
  for site in lyon paris rome; do
    fails=0
    [[ $site != rome ]] || fails=1000
    fleetctl enroll-token --group field --label "site=$site" --uses 20 -o "$LAB_DIR/$site.boot"
    lab_client "$build/bin/fleet-sim" --bootstrap "$LAB_DIR/$site.boot" --devices 20 --names "$site-" \
      --trial-ms 1000 --fails-permille "$fails" >"$LAB_DIR/sim-$site.log" 2>&1 &
    LAB_PIDS[sim-$site]=$!
  done
}
do_push_waves() {
  rollout 'waves: [1, 25%, 100%]' 'soak: 15s'
  change "name$RANDOM"
  fleetctl push dns --to 'field,site!=rome' --detach
}
do_push_halts() {
  rollout 'waves: [10%, 50%, 100%]' 'soak: 2s' 'max_failed: 5%' 'min_finished: 3' 'on_failure: pause'
  change "name$RANDOM"
  fleetctl push dns --to field --detach
}
do_push_reverts() {
  rollout 'waves: [10%, 50%, 100%]' 'soak: 2s' 'max_failed: 5%' 'min_finished: 3'
  change "name$RANDOM"
  fleetctl push dns --to field --detach
}
do_no_many_devices() { local site; for site in lyon paris rome; do lab_stop "sim-$site"; done; rollout; }
# A thousand more devices and a rollout over them, as the controller would have stored them.
do_thousand() { lab_stop controller; "$here/dashboard/thousand.sh" "$LAB_DIR/controller/controller.db"; lab_controller_start; }

do_first_controller >/dev/null
coproc PERSON { LAB_TOKEN=$(cat "$LAB_DIR/admin.token") \
  node "$here/dashboard/person.mjs" "https://localhost:$LAB_PORT" "$peer/node_modules" 2>&1; }
person=$PERSON_PID
while read -r word rest <&"${PERSON[0]}"; do
  case $word in
    do) if "do_$rest" >>"$LAB_DIR/asked.log" 2>&1; then echo done; else tail -5 "$LAB_DIR/asked.log" >&2; echo failed; fi >&"${PERSON[1]}" ;;
    ok) ok "$rest" ;;
    *) echo "$word $rest" ;;
  esac
done
wait "$person" || die "the person in front of the browser was not content"
echo "$passed passed; screenshots in $FLEET_SCREENSHOTS"
